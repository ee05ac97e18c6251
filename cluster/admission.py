"""The tolerations that the admission plugin DefaultTolerationSeconds adds to every Pod, however it is created."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.model import Cluster
from cluster.objects import Object
from cluster.well_known import NOT_READY_TAINT, UNREACHABLE_TAINT


def admit_pod(pod: Object, cluster: Cluster) -> Object:
    """A Pod to be created, with what DefaultTolerationSeconds adds; again, and nothing changes."""
    spec = pod["spec"]
    given = spec.get("tolerations") or []
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": cluster.toleration_s}
        for key in (NOT_READY_TAINT, UNREACHABLE_TAINT)
        if not any(_covers(toleration, key) for toleration in given)
    ]
    if not added:
        return pod
    return {**pod, "spec": {**spec, "tolerations": [*given, *added]}}


def _covers(toleration: Mapping[str, Any], key: str) -> bool:
    """As plugin/pkg/admission/defaulttolerationseconds: the key, or all keys, with NoExecute or all effects."""
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in ("NoExecute", "")
