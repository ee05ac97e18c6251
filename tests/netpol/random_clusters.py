"""Random small clusters with random policies, for hypothesis: few names and labels, so that they meet each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from cluster.model import Cluster

Object = dict[str, Any]
NAMESPACES = ("one", "two", "three")
QUESTIONS = (("TCP", 80), ("TCP", 8080), ("TCP", 8443), ("UDP", 53), ("SCTP", 80), ("ICMP", 0))
_KEYS: Mapping[str, tuple[str, ...]] = {"app": ("web", "db", "job"), "tier": ("front", "back"), "empty": ("",)}
_NAMED = ("http", "dns", "alt")


def _labels(least: int = 0) -> st.SearchStrategy[dict[str, str]]:
    pairs = st.sampled_from([(key, value) for key, values in _KEYS.items() for value in values])
    return st.lists(pairs, min_size=least, max_size=2).map(dict)


def _requirement() -> st.SearchStrategy[Object]:
    def of(key: str) -> st.SearchStrategy[Object]:
        values = st.lists(st.sampled_from([*_KEYS[key], "other"]), min_size=1, max_size=2, unique=True)
        some = st.builds(
            lambda op, chosen: {"key": key, "operator": op, "values": chosen}, st.sampled_from(["In", "NotIn"]), values
        )
        return st.one_of(some, st.sampled_from(["Exists", "DoesNotExist"]).map(lambda op: {"key": key, "operator": op}))

    return st.sampled_from(list(_KEYS)).flatmap(of)


def _selector() -> st.SearchStrategy[Object]:
    return st.one_of(
        st.just({}),
        _labels(1).map(lambda labels: {"matchLabels": labels}),
        st.lists(_requirement(), min_size=1, max_size=2).map(lambda some: {"matchExpressions": some}),
        st.builds(lambda labels, one: {"matchLabels": labels, "matchExpressions": [one]}, _labels(1), _requirement()),
    )


def _blocks(cluster: Cluster) -> st.SearchStrategy[Object]:
    """Ranges of the pod network, with holes in them."""
    choices = []
    for family, subnet in enumerate(cluster.pod_subnets):
        ranges = [node.pod_cidrs[family] for node in cluster.nodes]
        some = [ranges[0].network_address + number for number in range(2, 5)]
        single = [f"{address}/{subnet.max_prefixlen}" for address in some]
        everything = "0.0.0.0/0" if subnet.version == 4 else "::/0"
        choices += [(everything, []), (everything, [str(ranges[1])]), (everything, single[:2]), (str(subnet), single)]
        choices += [(str(ranges[0]), []), (str(ranges[0]), single[1:]), (single[0], []), (single[2], [])]
    return st.sampled_from(choices).map(
        lambda chosen: {"ipBlock": {"cidr": chosen[0], **({"except": chosen[1]} if chosen[1] else {})}}
    )


def _peer(cluster: Cluster) -> st.SearchStrategy[Object]:
    namespaces = st.one_of(
        _selector(), st.sampled_from(NAMESPACES).map(lambda ns: {"matchLabels": {"kubernetes.io/metadata.name": ns}})
    )
    return st.one_of(
        _selector().map(lambda pods: {"podSelector": pods}),
        namespaces.map(lambda some: {"namespaceSelector": some}),
        st.builds(lambda pods, some: {"podSelector": pods, "namespaceSelector": some}, _selector(), namespaces),
        _blocks(cluster),
    )


def _port() -> st.SearchStrategy[Object]:
    protocols = st.sampled_from([{}, {"protocol": "TCP"}, {"protocol": "UDP"}, {"protocol": "SCTP"}])
    numbers = st.sampled_from([53, 79, 80, 8080, 8443])
    bounds = st.tuples(st.sampled_from([1, 53, 80, 8000]), st.sampled_from([80, 8080, 8442, 65535])).filter(
        lambda both: both[0] <= both[1]
    )
    which = st.one_of(
        st.just({}),
        numbers.map(lambda number: {"port": number}),
        st.sampled_from(_NAMED).map(lambda name: {"port": name}),
        bounds.map(lambda both: {"port": both[0], "endPort": both[1]}),
    )
    return st.builds(lambda protocol, port: {**protocol, **port}, protocols, which)


def _rule(cluster: Cluster, peers: str) -> st.SearchStrategy[Object]:
    return st.fixed_dictionaries(
        {}, optional={peers: st.lists(_peer(cluster), max_size=3), "ports": st.lists(_port(), max_size=3)}
    )


def _policy(cluster: Cluster, number: int) -> st.SearchStrategy[Object]:
    spec = st.fixed_dictionaries(
        {"podSelector": _selector()},
        optional={
            "policyTypes": st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
            "ingress": st.lists(_rule(cluster, "from"), max_size=2),
            "egress": st.lists(_rule(cluster, "to"), max_size=2),
        },
    )

    def made(namespace: str, chosen: Object) -> Object:
        return {
            "kind": "NetworkPolicy",
            "metadata": {"namespace": namespace, "name": f"policy{number}"},
            "spec": chosen,
        }

    return st.builds(made, st.sampled_from(NAMESPACES), spec)


def _named_ports() -> st.SearchStrategy[list[Object]]:
    port = st.builds(
        lambda name, number, protocol: {"name": name, "containerPort": number, "protocol": protocol},
        st.sampled_from(_NAMED), st.sampled_from([53, 80, 8080]), st.sampled_from(["TCP", "UDP"]),
    )  # fmt: skip
    return st.lists(port, max_size=2, unique_by=lambda one: one["name"])


def _pod(cluster: Cluster, number: int) -> st.SearchStrategy[Object]:
    def made(namespace: str, node_index: int, labels: dict[str, str], ports: list[Object]) -> Object:
        node = cluster.nodes[node_index]
        return {
            "kind": "Pod",
            "metadata": {"namespace": namespace, "name": f"pod{number}", "uid": f"pod{number}", "labels": labels},
            "spec": {"nodeName": node.name, "containers": [{"name": "main", "ports": ports}]},
            "status": {"podIPs": [{"ip": str(cidr.network_address + 2 + number)} for cidr in node.pod_cidrs]},
        }

    nodes = st.integers(0, len(cluster.nodes) - 1)
    return st.builds(made, st.sampled_from(NAMESPACES), nodes, _labels(), _named_ports())


def clusters(cluster: Cluster, most_pods: int = 6, most_policies: int = 4) -> st.SearchStrategy[list[Object]]:
    """Namespaces, Pods with addresses on the nodes of this cluster, and NetworkPolicies."""
    namespaces = st.tuples(*(_labels() for _ in NAMESPACES)).map(
        lambda all_labels: [
            {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            for name, labels in zip(NAMESPACES, all_labels, strict=True)
        ]
    )
    pods = st.integers(2, most_pods).flatmap(lambda count: st.tuples(*(_pod(cluster, each) for each in range(count))))
    policies = st.integers(1, most_policies).flatmap(
        lambda count: st.tuples(*(_policy(cluster, each) for each in range(count)))
    )
    return st.builds(lambda *parts: [obj for part in parts for obj in part], namespaces, pods, policies)
