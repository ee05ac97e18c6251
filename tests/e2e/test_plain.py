"""The plain data plane carries real packets: between pods, by Services, and refuses where nobody answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from experiments import connections, generated
from experiments.plain import network
from experiments.plain.network import Plain
from experiments.testbed import CommandError, Machine

PORT, TARGET_PORT = 80, 8000


def service(name: str, selector: dict[str, str]) -> dict[str, Any]:
    ports = [{"port": PORT, "targetPort": TARGET_PORT}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": selector, "ports": ports}}  # fmt: skip


@pytest.fixture(scope="module", params=["overlay", "direct"])
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    if os.geteuid() != 0:
        pytest.skip("not root")
    documents = [*generated.for_throughput(request.param), service("all", {"app": "pod"}), service("none", {"a": "b"})]
    spec = generated.write(documents, tmp_path_factory.mktemp("plain") / "spec.yaml")
    with network.running(spec) as running:
        yield running


def pods(plain: Plain) -> tuple[Machine, Machine, Machine]:
    """One, another on its node, and one on another node."""
    first, *others = generated.servers(plain.inventory())
    beside = next(pod for pod in others if pod.node == first.node)
    return first, beside, next(pod for pod in others if pod.node != first.node)


def cluster_ip(plain: Plain, name: str) -> str:
    return next(str(found.address) for found in plain.planned.services if found.name == f"default/{name}/tcp/{PORT}")


def test_pods_reach_each_other(plain: Plain) -> None:
    one, beside, away = pods(plain)
    for client, server in ((one, beside), (one, away), (away, one)):
        plain.exec(client.target, "ping", "-c", "1", "-W", "2", str(server.addresses[0]))


def test_a_service_reaches_its_endpoints_and_only_them(plain: Plain) -> None:
    client, *_ = everybody = generated.servers(plain.inventory())
    with ExitStack() as stack:
        for pod in everybody:
            stack.enter_context(connections.served(plain.prefix(pod.target), str(pod.addresses[0]), TARGET_PORT))
        # The client is an endpoint, too: it reaches itself.
        times = connections.latencies_ms(plain.prefix(client.target), 40, [f"{cluster_ip(plain, 'all')}:{PORT}"])
    assert len(times) == 40


def test_a_service_without_endpoints_refuses(plain: Plain) -> None:
    client, *_ = pods(plain)
    with pytest.raises(CommandError, match="ConnectionRefusedError"):
        connections.latencies_ms(plain.prefix(client.target), 1, [f"{cluster_ip(plain, 'none')}:{PORT}"])
