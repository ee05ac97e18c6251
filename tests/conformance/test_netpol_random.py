"""Random clusters and policies with real packets: who reaches whom is what the oracle says. As many as
MININETES_RANDOM_SITES says; the switches' tests ask many more of them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).parents[1] / "netpol"))

import manifests
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from random_clusters import QUESTIONS, clusters
from testbeds import PATIENCE_S, Testbed, started

from cases import settled_differences  # isort: skip
from cluster.objects import Object, name, namespace
from cluster.policy_oracle import Oracle
from cluster.reachability import Tables
from cluster.reading.config import resolve
from topo.waiting import wait_until

EXAMPLES = int(os.environ.get("MININETES_RANDOM_SITES", "0"))
DOCUMENT = manifests.cluster(workers=2)
ASKED = [(protocol, port) for protocol, port in QUESTIONS if protocol in ("TCP", "UDP")]
"""This kernel may lack SCTP; an ICMP echo is asked of pods that serve nothing."""
Key = tuple[str, str, str]


@pytest.fixture(scope="module")
def bare() -> Iterator[Testbed]:
    with started(DOCUMENT) as running:
        yield running


@pytest.mark.skipif(not EXAMPLES, reason="takes 4 s for each cluster: make policies, or MININETES_RANDOM_SITES=50")
@pytest.mark.timeout(60 + 30 * EXAMPLES)
@settings(
    max_examples=max(EXAMPLES, 1), derandomize=True, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(clusters(resolve(DOCUMENT)))
def test_packets_and_oracle_agree(bare: Testbed, objects: list[Object]) -> None:
    with realised(bare, objects):
        _, found = bare.client.objects(["Namespace", "Pod", "NetworkPolicy"])
        own = [obj for obj in found if "kube-system" not in (namespace(obj), name(obj))]
        expected = Oracle(own).tables(ASKED, 4)
        wrong = settled_differences(expected.cells, lambda timeout_s: reached(bare, timeout_s))
        assert not wrong, "\n".join([*wrong, json.dumps(own, indent=1)])


def reached(testbed: Testbed, timeout_s: float) -> Tables:
    """What real packets say of every pair, by protocol."""
    cells = {}
    for protocol in ("TCP", "UDP"):
        ports = ",".join(str(port) for each, port in ASKED if each == protocol)
        asked = ("--ports", ports, "--protocols", protocol.lower(), "--timeout", str(timeout_s))
        cells |= json.loads(testbed.mininetes("matrix", *asked, "-o", "json").output)["tables"]
    return Tables(cells)


@contextmanager
def realised(testbed: Testbed, objects: Sequence[Object]) -> Iterator[None]:
    """These objects, as far as a testbed decides nothing by itself, for the length of the block."""
    spaces, pods, policies = (
        [obj for obj in objects if obj["kind"] == kind] for kind in ("Namespace", "Pod", "NetworkPolicy")
    )
    client = testbed.client
    client.apply([{"apiVersion": "v1", **space} for space in spaces])
    client.apply([serving(each) for each in pods])
    client.sync(PATIENCE_S)
    client.apply(with_addresses(policies, pods, testbed))
    client.sync(PATIENCE_S)
    yield
    gone = [*policies, *pods]
    for obj in gone:
        client.delete(obj["kind"], namespace(obj), name(obj))
    wait_until(lambda: not remaining(testbed, gone), PATIENCE_S, "all is gone")


def remaining(testbed: Testbed, gone: Sequence[Object]) -> set[Key]:
    _, found = testbed.client.objects(["Pod", "NetworkPolicy"])
    keys = ({(obj["kind"], namespace(obj), name(obj)) for obj in some} for some in (found, gone))
    return set.intersection(*keys)


def serving(pod: Object) -> Object:
    """The pod, with a server on every port that is asked. The first container declares the ports that were drawn."""
    containers = [container(protocol, port) for protocol, port in ASKED]
    containers[0]["ports"] = pod["spec"]["containers"][0]["ports"]
    metadata = {key: value for key, value in pod["metadata"].items() if key != "uid"}
    spec = {"nodeName": pod["spec"]["nodeName"], "terminationGracePeriodSeconds": 0, "containers": containers}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def container(protocol: str, port: int) -> Object:
    listen = ["--tcp" if protocol == "TCP" else "--udp", "--http=false", "--port", str(port)]
    command = ["/agnhost", "serve-hostname", *listen]
    return {"name": f"serve-{protocol.lower()}-{port}", "image": manifests.AGNHOST, "command": command}


def with_addresses(policies: Sequence[Object], pods: Sequence[Object], testbed: Testbed) -> list[Object]:
    """The policies, with the addresses that these pods have now in place of those that were drawn."""
    text = json.dumps([{"apiVersion": "networking.k8s.io/v1", **policy} for policy in policies])
    spaces = {namespace(pod) for pod in pods}
    now: Mapping[str, str] = {pod.name: pod.ips[0] for space in spaces for pod in testbed.pods(space).values()}
    for pod in pods:
        text = text.replace(f'"{pod["status"]["podIPs"][0]["ip"]}/32"', f'"{now[name(pod)]}/32"')
    made: list[Object] = json.loads(text)
    return made

