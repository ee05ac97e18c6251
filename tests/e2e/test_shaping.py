"""Links have the bandwidth that the spec gives them; what the kernel cannot do is refused by name."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from manifests import cluster, pod, tools
from testbeds import PATIENCE_S, Testbed, started, unshare_prefix

from topo.waiting import wait_until

BANDWIDTH_MBPS = 50
TOLERANCE = 1.15
RUN_S = 2


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    underlay = {"topology": "star", "links": [{"a": "worker", "b": "s1", "bandwidth": f"{BANDWIDTH_MBPS}Mbit"}]}
    document = cluster(workers=3, underlay=underlay)
    servers = [pod(f"on-{node}", tools("iperf3", "-s"), nodeName=node) for node in ("worker", "worker2", "worker3")]
    with started(document, *servers) as running:
        yield running


def throughput_mbps(testbed: Testbed, source: str, address: str) -> float:
    """What a TCP connection from `source` to an iperf3 server carries."""
    done = testbed.exec(source, "iperf3", "-c", address, "-t", str(RUN_S), "--json")
    result = json.loads(done.output)
    return float(result["end"]["sum_received"]["bits_per_second"]) / 1e6


def between_nodes(testbed: Testbed, source: str, target: str) -> float:
    address = next(node["ips"][0] for node in testbed.status()["nodes"] if node["name"] == target)
    with testbed.running(f"node/{target}", "iperf3", "-s"):
        listening = lambda: "5201" in testbed.exec(f"node/{target}", "ss", "-tlnH").stdout  # noqa: E731
        wait_until(listening, PATIENCE_S, "iperf3 to listen")
        return throughput_mbps(testbed, f"node/{source}", address)


@pytest.mark.parametrize(("source", "target"), [("worker", "worker2"), ("worker2", "worker")])
def test_a_shaped_link_bounds_nodes_in_both_directions(testbed: Testbed, source: str, target: str) -> None:
    measured = between_nodes(testbed, source, target)
    assert 0.3 * BANDWIDTH_MBPS < measured < TOLERANCE * BANDWIDTH_MBPS


def test_a_shaped_link_bounds_pods(testbed: Testbed) -> None:
    measured = throughput_mbps(testbed, "on-worker2", testbed.pods()["on-worker"].ips[0])
    assert 0.3 * BANDWIDTH_MBPS < measured < TOLERANCE * BANDWIDTH_MBPS


def test_other_links_are_not_bounded(testbed: Testbed) -> None:
    assert between_nodes(testbed, "worker3", "worker2") > 3 * BANDWIDTH_MBPS


def kernel_has_netem() -> bool:
    use = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    return subprocess.run([*unshare_prefix(), *use], capture_output=True).returncode == 0


DELAYED = cluster(underlay={"topology": "star", "links": [{"a": "worker", "b": "s1", "delay": "20ms"}]})


def test_delay_is_refused_where_the_kernel_has_no_netem() -> None:
    if kernel_has_netem():
        pytest.skip("this kernel has netem")
    with started(DELAYED, expect=3) as refused:
        assert "sch_netem" in refused.started.stderr
        assert "link worker - s1" in refused.started.stderr


def test_delay_delays_where_the_kernel_has_netem() -> None:
    if not kernel_has_netem():
        pytest.skip("this kernel has no netem")
    with started(DELAYED) as testbed:
        address = next(node["ips"][0] for node in testbed.status()["nodes"] if node["name"] == "worker")
        output = testbed.exec("node/worker2", "ping", "-c", "3", "-i", "0.2", address).output
        shortest_ms = float(output.rpartition(" = ")[2].split("/")[0])
        assert shortest_ms >= 20, output
