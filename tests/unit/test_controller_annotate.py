"""A dump in the words of manifests."""

from __future__ import annotations

import pytest

from controller.actions import Goto
from controller.annotate import UNKNOWN, annotated, page, selected
from controller.flow import Flow, FlowTable
from controller.match import eth_dst, in_port
from controller.pipeline import CLASSIFIER, SPOOF_GUARD, Feature

FLOW = Flow(
    CLASSIFIER, 200, (in_port(1), eth_dst("0a:00:00:00:00:01")), (Goto(SPOOF_GUARD),), Feature.CLASSIFIER, "Node n1"
)
LINE = (
    " cookie={cookie:#x}, duration=3.2s, table={table}, n_packets=7, n_bytes=98, idle_age=1, "
    "priority=200,in_port=1,dl_dst=0a:00:00:00:00:01 actions=goto_table:1"
)
DUMP = "OFPST_FLOW reply (OF1.3) (xid=0x2):\n" + LINE.format(cookie=FLOW.cookie, table=0)


def test_names_table_owner_and_where_it_goes() -> None:
    table = FlowTable()
    table.add([FLOW])
    (found,) = annotated(DUMP, table)
    assert (found.table, found.owner, found.feature, found.packets, found.bytes) == (
        "Classifier",
        "Node n1",
        "classifier",
        7,
        98,
    )
    assert found.rule == "in_port=1,dl_dst=0a:00:00:00:00:01 actions=goto_table:SpoofGuard"
    assert page("n1", [found]).splitlines()[:2] == ["n1:", "  Classifier"]


def test_a_flow_that_nothing_explains_is_said_to_be_nobodys() -> None:
    (found,) = annotated(DUMP, FlowTable())
    assert found.owner == UNKNOWN


def test_a_flow_without_match() -> None:
    line = " cookie=0x0, duration=3.2s, table=2, n_packets=0, n_bytes=0, priority=0 actions=goto_table:3"
    (found,) = annotated(line, FlowTable())
    assert (found.priority, found.rule) == (0, "actions=goto_table:ConntrackZone")


def test_another_text_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a flow: cookie=soon"):
        list(annotated("cookie=soon", FlowTable()))


def test_selects_by_table_and_owner() -> None:
    table = FlowTable()
    table.add([FLOW])
    found = list(annotated(DUMP, table))
    assert selected(found, "classifier", "node/n1") == found
    assert selected(found, "Output", None) == []
    assert selected(found, None, "node/n2") == []
