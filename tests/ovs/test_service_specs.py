"""Every (client, Service, port) of the example specs: what the switches do is what the API says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from cluster.plan import plan
from cluster.reading.spec import load
from cluster.service_oracle import cluster_ips
from controller.compiler import compile
from controller.desired import WATCHED_KINDS
from controller.dummy_switch import loaded
from controller.state import state_of
from controller.traced import Question, answer

SPECS = sorted((Path(__file__).parents[2] / "cluster_specs").glob("*.yaml"))
CLIENTS = 6
"""Pods that ask, of every spec: the first so many, which are on all nodes of small ones."""


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_service_of_a_spec_leads_where_the_api_says(path: Path) -> None:
    spec = load((str(path),), io.BytesIO())
    planned = plan(spec.cluster, spec.objects)
    objects: list[Any] = [*planned.objects]
    services = [obj for obj in objects if obj["kind"] == "Service" and cluster_ips(obj)]
    state = state_of(spec.cluster, *(obj for obj in objects if obj["kind"] in WATCHED_KINDS))
    if state.policies:
        pytest.skip("policies have an oracle of their own")
    clients = list(state.pods)[:CLIENTS] + [f"node/{node.name}" for node in state.cluster.nodes[:2]]
    with loaded(state, compile(state)) as switch:
        for client in clients:
            for service in services:
                for port in service["spec"].get("ports") or ():
                    name = f"service/{service['metadata']['namespace']}/{service['metadata']['name']}"
                    question = Question(client, name, port["port"], port.get("protocol", "TCP"))
                    found = answer(state, objects, question, switch.trace)
                    assert found["agree"], found
