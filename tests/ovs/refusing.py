"""A controller on Ryu that gives a real switch one flow it must refuse. Prints what it was told; exit status 0 then."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from conftest import free_port
from specs import cluster_object, model, pod_object

from cluster.client import Batch, Event
from cluster.waiting import wait_until
from controller import framework
from controller.dummy_switch import DummySwitch
from controller.flow import Flow
from controller.realiser import Realiser
from controller.state import state_of


def spoil(flow: Flow) -> None:
    """Swap the match's EtherType for one under which its addresses mean nothing, behind the checks' back."""
    ethertype_oxm = bytes.fromhex("80000a02")
    object.__setattr__(flow, "wire", flow.wire.replace(ethertype_oxm + b"\x08\x00", ethertype_oxm + b"\x08\x06"))


def main() -> None:
    cluster = model(nodes=1)
    pod = pod_object(cluster, "a", 1, 2)
    reports: list[tuple[int, Mapping[str, Any]]] = []
    realiser = Realiser(lambda revision, detail: reports.append((revision, detail)))
    events = tuple(Event("ADDED", obj) for obj in (cluster_object(nodes=1), pod))
    realiser.posted(Batch(1, events, reset=True))
    (table,) = realiser._desired.tables.values()
    spoil(next(flow for flow in table if flow.owner == "Pod default/a" and flow.table == "SpoofGuard"))
    port = free_port()
    framework.start(realiser, "127.0.0.1", port)
    with DummySwitch() as switch:
        switch.add_bridges(state_of(cluster, pod), f"tcp:127.0.0.1:{port}")
        wait_until(lambda: any(detail["refused"] for _, detail in reports), 10, "a refusal")
        wait_until(
            lambda: switch.ofctl("dump-flows", cluster.nodes[0].bridge).count("cookie=") == len(table.flows) - 1,
            10, "all other flows",
        )  # fmt: skip
    print(next(detail["refused"] for _, detail in reports if detail["refused"]))


if __name__ == "__main__":
    status = 1
    try:
        main()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # os-ken's threads would keep the process
