"""ReplicaSet and ReplicationController: so many pods of one template, whichever they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.objects import Object, name, ready
from cluster.owned import Changes, NameSource
from cluster.ownership import is_finished
from cluster.pod_template import pod


def changes(owner: Object, pods: Sequence[Object], names: NameSource) -> Changes:
    """`pods` are those it owns, oldest first. A finished pod does not count and is left for the record."""
    active = [a_pod for a_pod in pods if not is_finished(a_pod)]
    missing = owner["spec"]["replicas"] - len(active)
    if missing >= 0:
        return Changes(puts=[pod(owner, names.generate(f"{name(owner)}-"), {}) for _ in range(missing)])
    return Changes(deletions=first_to_go(active)[:-missing])


def first_to_go(pods: Sequence[Object]) -> Sequence[Object]:
    """In the order of the ReplicaSet controller: unbound before bound, not ready before ready, youngest first."""

    def rank(a_pod: Mapping[str, Any]) -> tuple[bool, bool]:
        return bool(a_pod["spec"].get("nodeName")), ready(a_pod)

    return sorted(reversed(pods), key=rank)
