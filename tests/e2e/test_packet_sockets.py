"""The switch's packet sockets have room for bursts: from the start, for later pods, and after the switch's death."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from manifests import cluster, pod, tools
from testbeds import PATIENCE_S, Testbed, started

from topo.waiting import wait_until

pytestmark = pytest.mark.skipif(
    Path("/sys/module/openvswitch").exists(), reason="the kernel's datapath receives without packet sockets"
)
DEFAULT_BYTES = int(Path("/proc/sys/net/core/rmem_default").read_text())
SWITCH = "^ovs-vswitchd"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with started(cluster(workers=1, network={"attachment": "veth"}), pod("one", tools())) as running:
        yield running


def buffers(testbed: Testbed) -> dict[str, int]:
    """The receive buffer of each port's packet socket in bytes, by interface (ss(8), skmem)."""
    told = testbed.exec("sandbox", "ss", "--packet", "--memory", "--numeric", "--oneline").output
    found = {}
    for line in told.splitlines():
        ports = re.search(r"\*:([tvp]\d[\d-]*)\s", line)
        room = re.search(r"skmem:\(r\d+,rb(\d+)", line)
        if ports and room:
            found[ports[1]] = int(room[1])
    return found


def has_room(testbed: Testbed, *interfaces: str) -> bool:
    found = buffers(testbed)
    return set(interfaces) <= set(found) and all(size > DEFAULT_BYTES for size in found.values())


def test_every_port_has_room_from_the_start(testbed: Testbed) -> None:
    assert has_room(testbed, "t1", "t2", "v1", "v2"), buffers(testbed)


def test_a_later_pods_port_has_room(testbed: Testbed) -> None:
    before = set(buffers(testbed))
    testbed.client.apply([pod("two", tools())])
    assert testbed.mininetes("sync").status == 0
    assert set(buffers(testbed)) > before
    assert has_room(testbed), buffers(testbed)


def test_the_ports_of_a_switch_that_was_killed_have_room_again(testbed: Testbed) -> None:
    before = buffers(testbed)
    old = testbed.kill(SWITCH)
    testbed.wait_for_restart(SWITCH, old)
    wait_until(lambda: has_room(testbed, *before), PATIENCE_S, "room in the new switch's sockets")
