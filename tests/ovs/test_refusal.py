"""A flow that the switch refuses is named with its owner, and the rest is installed all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from specs import model, pod_object
from wire import Wire, messages

from controller.compiler import compile
from controller.flow import Flow, FlowTable
from controller.pipeline import CLASSIFIER, Feature, conntrack_zones
from controller.state import state_of
from controller.switch import Switch


def xids(wire: bytes, kind: int) -> list[int]:
    """Transaction ids of the messages of one type."""
    return [xid for found, xid, _ in messages(wire) if found == kind]


OFPT_BARRIER_REQUEST, OFPT_EXPERIMENTER, OFPT_FLOW_MOD = 20, 4, 14


@pytest.fixture
def table() -> FlowTable:
    cluster = model(nodes=1)
    return compile(state_of(cluster, pod_object(cluster, "a", 1, 2)))[cluster.nodes[0].name]


def ready_switch() -> tuple[Switch, Wire]:
    wire = Wire()
    switch = Switch(model(nodes=1).nodes[0].name, conntrack_zones(1)[0], wire.send)
    switch.connected()
    switch.holds_flows({}, last=True)
    switch.holds_groups((), last=True)
    wire.sent.clear()
    return switch, wire


def test_a_failed_bundle_is_sent_again_singly_without_what_was_refused(table: FlowTable) -> None:
    switch, wire = ready_switch()
    switch.want(7, table)
    bundled = xids(wire.sent[-1], OFPT_EXPERIMENTER)
    refused, commit = bundled[1], bundled[-1]
    switch.refuses(refused, "OFPET_BAD_MATCH, OFPBMC_BAD_PREREQ")
    switch.refuses(commit, "experimenter, message failed")
    assert not switch.barrier_answered(xids(wire.sent[-1], OFPT_BARRIER_REQUEST)[0])
    assert switch.realised_revision == 0
    assert len(xids(wire.sent[-1], OFPT_FLOW_MOD)) == len(table.flows) - 1
    assert switch.barrier_answered(xids(wire.sent[-1], OFPT_BARRIER_REQUEST)[0])
    assert switch.realised_revision == 7
    (refusal,) = switch.refused.values()
    assert refusal.owner in {flow.owner for flow in table}
    assert "OFPBMC_BAD_PREREQ" in str(refusal)


def test_what_was_refused_is_not_sent_again_until_it_changes(table: FlowTable) -> None:
    switch, wire = ready_switch()
    switch.want(7, table)
    bundled = xids(wire.sent[-1], OFPT_EXPERIMENTER)
    switch.refuses(bundled[1], "error")
    switch.barrier_answered(xids(wire.sent[-1], OFPT_BARRIER_REQUEST)[0])
    wire.sent.clear()
    switch.want(8, table)
    assert wire.sent == []
    assert switch.realised_revision == 8
    assert len(switch.refused) == 1


@pytest.mark.parametrize("framework", ["ryu", "os-ken"])
def test_a_real_switch_names_what_it_refuses(framework: str) -> None:
    """In a process of its own, since the framework patches the standard library."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[1]}", "MININETES_SDN": framework}
    command = [sys.executable, str(here / "refusing.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pod default/a" in done.stdout


def test_flow_without_prerequisite_cannot_even_be_built() -> None:
    from controller.flow import PipelineError
    from controller.match import ip_ttl

    with pytest.raises(PipelineError, match="nw_ttl"):
        Flow(CLASSIFIER, 1, (ip_ttl(1),), (), Feature.CLASSIFIER, "Pod default/a")
