"""A group stays for a while when no flow names it any more: packets may be on their way by it (decision 026)."""

from __future__ import annotations

from collections.abc import Iterable

from conftest import Testbed
from specs import cluster_object, model, pod_object, service_object, slice_object
from wire import Wire, messages

from controller import encode
from controller.compiler import compile
from controller.flow import FlowTable
from controller.pipeline import conntrack_zones
from controller.state import state_of
from controller.switch import Switch

CLUSTER = model(nodes=1, ip_family="ipv4")
NODE = CLUSTER.nodes[0]
ADDRESSES = [f"10.244.0.{number}" for number in range(2, 8)]
PODS = [pod_object(CLUSTER, f"p{number}", 0, number) for number in range(2, 8)]
SERVICE = service_object("web", ["10.96.0.10"])


def objects(endpoints: int) -> list[object]:
    return [*PODS, SERVICE, slice_object("web", ADDRESSES[:endpoints])]


def table(endpoints: int) -> FlowTable:
    return compile(state_of(CLUSTER, *objects(endpoints)))[NODE.name]


class Told:
    """A switch that holds what it was told, and what it was told about groups since it was last asked."""

    def __init__(self, held: FlowTable) -> None:
        self.wire = Wire()
        self.switch = Switch(NODE.name, conntrack_zones(1)[0], self.wire.send)
        self.switch.connected()
        self.switch.holds_flows({flow.key: flow.wire for flow in held.flows.values()}, last=True)
        self.switch.holds_groups(held.groups, last=True)
        self.wire.sent.clear()
        self._revision = 0

    def want(self, wanted: FlowTable) -> None:
        self._revision += 1
        self.switch.want(self._revision, wanted)
        for kind, xid, _ in messages(b"".join(self.wire.sent)):
            if kind == encode.OFPT_BARRIER_REQUEST:
                self.switch.barrier_answered(xid)

    def retired(self) -> tuple[bool, list[bytes]]:
        """Whether there are more that may go, and what was deleted."""
        self.wire.sent.clear()
        more = self.switch.retire_groups()
        return more, [body for kind, _, body in messages(b"".join(self.wire.sent)) if kind == encode.OFPT_GROUP_MOD]


def deletions(groups: Iterable[int]) -> list[bytes]:
    return [encode.delete_group(each).body for each in groups]


def test_a_group_goes_when_it_was_not_named_for_a_whole_turn() -> None:
    told = Told(table(5))
    told.want(table(6))
    assert not set(deletions(table(5).groups)) & {body for _, _, body in messages(b"".join(told.wire.sent))}
    assert told.retired() == (True, [])
    assert told.retired() == (False, deletions(table(5).groups))
    assert told.retired() == (False, [])


def test_one_that_is_named_again_stays() -> None:
    told = Told(table(5))
    told.want(table(6))
    assert told.retired() == (True, [])
    told.want(table(5))
    assert told.retired() == (True, [])
    assert told.retired() == (False, deletions(table(6).groups))


def test_one_that_was_deleted_is_made_again() -> None:
    told = Told(table(5))
    told.want(table(6))
    told.retired(), told.retired()
    told.wire.sent.clear()
    told.want(table(5))
    (group,) = table(5).groups.values()
    assert encode.add_group(group).body in b"".join(told.wire.sent)


def test_a_switch_keeps_the_group_of_a_count_that_is_over(testbed: Testbed) -> None:
    testbed.api.put(cluster_object(nodes=1, ip_family="ipv4"), *objects(5))
    testbed.start(state_of(CLUSTER, *objects(5)))
    testbed.controller.wait_for(testbed.api.revision)
    testbed.controller.wait_for(testbed.api.put(slice_object("web", ADDRESSES)))
    groups = testbed.switch.ofctl("dump-groups", NODE.bridge)
    for each in (*table(5).groups, *table(6).groups):
        assert f"group_id={each}," in groups
