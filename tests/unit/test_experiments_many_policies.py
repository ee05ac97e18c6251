"""The policies of the benchmarks are policies, and do what the benchmarks say of them."""

from __future__ import annotations

from cluster.policy_oracle import Oracle
from cluster.reading import manifests
from cluster.reading.documents import Document
from experiments import many_policies

PORTS = range(5201, 5301)


def test_they_are_valid() -> None:
    made = [*many_policies.around("pod", 2, PORTS), many_policies.policy(999), many_policies.pod(99)]
    for obj in (*made, many_policies.namespace(9)):
        assert manifests.check(Document("", 0, obj)).problems == ()


def test_all_isolate_and_one_allows() -> None:
    pods = [
        {"kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": "pod"}}, "spec": {}}
        for name in ("a", "b")
    ]
    oracle = Oracle([*pods, *many_policies.around("pod", 20, PORTS)])
    verdict = oracle.verdict("default/a", "default/b", "TCP", PORTS[-1])
    assert verdict.allowed
    assert len(verdict.egress.isolated_by) == len(verdict.ingress.isolated_by) == 20
    assert not oracle.verdict("default/a", "default/b", "TCP", PORTS[-1] + 1).allowed


def test_every_pod_is_isolated_by_as_many() -> None:
    objects = [many_policies.namespace(number) for number in range(many_policies.NAMESPACES)]
    objects += [many_policies.pod(number) for number in range(many_policies.NAMESPACES * many_policies.APPS)]
    oracle = Oracle([*objects, *map(many_policies.policy, range(1000))])
    verdicts = [oracle.verdict(pod, "ns0/pod0", "TCP", 1) for pod in ("ns0/pod1", "ns9/pod9")]
    assert [len(verdict.egress.isolated_by) for verdict in verdicts] == [10, 10]
    assert oracle.verdict("ns0/pod1", "ns0/pod0", "TCP", 80).ingress.allowed
