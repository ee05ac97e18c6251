"""What the underlay carries: encapsulated packets in overlay mode, pods' own in direct mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from manifests import cluster, pod, tools
from testbeds import COMMAND_TIMEOUT_S, PATIENCE_S, Testbed, started

VXLAN_PORT = 4789
PINGS = 3


@pytest.fixture(scope="module", params=["overlay", "direct"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def testbed_of_mode(mode: str) -> Iterator[Testbed]:
    pods = (pod("near", tools(), nodeName="worker"), pod("far", tools(), nodeName="worker2"))
    with started(cluster(network={"mode": mode}), *pods) as testbed:
        yield testbed


@pytest.fixture(scope="module")
def captured(testbed_of_mode: Testbed) -> str:
    """Requests and replies of a ping across nodes, at the first node's uplink."""
    testbed = testbed_of_mode
    tcpdump = ("tcpdump", "-Z", "root", "-l", "-nn", "-i", "eth0", "-c", str(2 * PINGS))
    what = f"icmp or udp port {VXLAN_PORT}"
    with testbed.running("node/worker", "timeout", f"{PATIENCE_S:g}", *tcpdump, what) as capture:
        assert capture.stderr is not None
        said = []
        while not said or "listening on" not in said[-1]:
            said.append(capture.stderr.readline())
            assert said[-1], f"tcpdump ended: {said}"
        address = testbed.pods()["far"].ips[0]
        testbed.exec("near", "ping", "-c", str(PINGS), "-i", "0.2", "-W", "20", address).output  # noqa: B018
        output, _ = capture.communicate(timeout=COMMAND_TIMEOUT_S)
    return output


def ping_lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if "ICMP echo" in line]


def test_what_crosses_the_uplink(mode: str, captured: str) -> None:
    outer = [line for line in captured.splitlines() if f".{VXLAN_PORT}: VXLAN" in line]
    assert len(outer) == (2 * PINGS if mode == "overlay" else 0), captured


def test_pods_talk_with_their_own_addresses(testbed_of_mode: Testbed, captured: str) -> None:
    pods = testbed_of_mode.pods()
    near, far = pods["near"].ips[0], pods["far"].ips[0]
    lines = ping_lines(captured)
    assert len(lines) == 2 * PINGS, captured
    assert all(f"{near} > {far}:" in line or f"{far} > {near}:" in line for line in lines), captured


def test_outer_addresses_are_the_nodes(mode: str, testbed_of_mode: Testbed, captured: str) -> None:
    if mode == "direct":
        pytest.skip("there is no outer packet")
    nodes = {node["name"]: node["ips"][0] for node in testbed_of_mode.status()["nodes"]}
    assert f"IP {nodes['worker']}." in captured
    assert f"> {nodes['worker2']}.{VXLAN_PORT}: VXLAN" in captured, captured
