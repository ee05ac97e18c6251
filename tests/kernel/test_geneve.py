"""`network.encapsulation: geneve`, on both datapaths: every pod reaches every other, by packets that are Geneve's."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_site import START_TIMEOUT_S
from manifests import cluster, daemon_set, netexec
from testbeds import COMMAND_TIMEOUT_S, PATIENCE_S, Pod, Testbed, started

from cluster.model import GENEVE_PORT
from topo import geneve

pytestmark = pytest.mark.skipif(not geneve.in_kernel(), reason="this kernel has no Geneve; run: make vm-test")


@pytest.mark.parametrize("datapath", ["kernel", "userspace"])
def test_pods_reach_each_other_by_geneve(datapath: str) -> None:
    if datapath == "kernel" and not Path("/sys/module/openvswitch").exists():
        pytest.skip("this kernel has no openvswitch; run: make vm-test")
    document = cluster(ip_family="dual", network={"encapsulation": "geneve", "datapath": datapath})
    with started(document, daemon_set("web", netexec()), timeout_s=START_TIMEOUT_S) as testbed:
        done = testbed.mininetes("matrix", "--with-nodes", "--expect-full", "--timeout", "20")
        assert done.status == 0, str(done)
        near, far = testbed.pods_of("web")
        assert "Geneve, Flags" in captured(testbed, near, far)


def captured(testbed: Testbed, near: Pod, far: Pod) -> str:
    """What tcpdump says of a ping from one pod to the other, at the uplink of the former's node."""
    what = ["-c", "2", "udp", "port", str(GENEVE_PORT)]
    tcpdump = ("timeout", f"{PATIENCE_S:g}", "tcpdump", "-Z", "root", "-l", "-nn", "-i", "eth0", *what)
    with testbed.running(f"node/{near.node}", *tcpdump) as capture:
        assert capture.stderr is not None
        said = []
        while not said or "listening on" not in said[-1]:
            said.append(capture.stderr.readline())
            assert said[-1], f"tcpdump ended: {said}"
        testbed.exec(near.target, "ping", "-c", "2", "-W", "20", far.ips[0]).output  # noqa: B018
        output, _ = capture.communicate(timeout=COMMAND_TIMEOUT_S)
    return output
