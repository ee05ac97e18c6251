"""NetworkPolicies by the thousand: around one pair of pods, or in a cluster of small namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from experiments.bulk import Object

NAMESPACES, APPS = 10, 10
"""A cluster of so many namespaces, with one pod of each app in each."""
_TEAM = 2
"""Namespaces with one team label."""
_OTHER_PORTS = 10_000
_PAUSE = "registry.k8s.io/pause:3.9"


def _policy(namespace: str, name: str, app: str, peers: Sequence[Object], ports: Sequence[Object]) -> Object:
    """Both directions alike: it isolates the pods of an app, and allows these peers on these ports."""
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": {"app": app}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": list(peers), "ports": list(ports)}],
            "egress": [{"to": list(peers), "ports": list(ports)}],
        },
    }  # fmt: skip


def around(app: str, count: int, ports: range) -> Iterator[Object]:
    """All of them isolate the pods of `app` in the default namespace; one allows them `ports` among themselves."""
    peers = [{"podSelector": {"matchLabels": {"app": app}}}]
    for number in range(count):
        allowed: Object = {"port": ports[0], "endPort": ports[-1]} if number == 0 else {"port": _OTHER_PORTS + number}
        yield _policy("default", f"around-{number}", app, peers, [allowed])


def namespace(number: int) -> Object:
    labels = {"team": f"team{number // _TEAM}"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"ns{number}", "labels": labels}}


def pod(number: int) -> Object:
    space, app = divmod(number, APPS)
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": f"pod{app}", "namespace": f"ns{space}", "labels": {"app": f"app{app}"}},
        "spec": {"containers": [{"name": "main", "image": _PAUSE}]},
    }  # fmt: skip


def policy(number: int, port: int | None = None) -> Object:
    """One app of a namespace, with two others of its own namespace and of its team's, on two ports."""
    space, app = number % NAMESPACES, number // NAMESPACES % APPS
    peers: list[dict[str, Any]] = [
        {"podSelector": {"matchLabels": {"app": f"app{(app + 1) % APPS}"}}},
        {
            "podSelector": {"matchLabels": {"app": f"app{(app + 2) % APPS}"}},
            "namespaceSelector": {"matchLabels": {"team": f"team{space // _TEAM}"}},
        },
    ]
    ports = [{"port": 80}, {"port": port or _OTHER_PORTS + number}]
    return _policy(f"ns{space}", f"policy{number}", f"app{app}", peers, ports)
