"""Where the pods of a workload are described: the path to the pod template, by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.reading.findings import Path

_TEMPLATE = ("spec", "template")
_WORKLOADS = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "ReplicationController")

TEMPLATE_PATHS: Mapping[str, Path] = {
    "Pod": (),
    **dict.fromkeys(_WORKLOADS, _TEMPLATE),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    "PodTemplate": ("template",),
}
"""kind -> path of what has the pod's metadata and spec. A Pod is its own template."""


def template_path(kind: str) -> Path | None:
    return TEMPLATE_PATHS.get(kind)


def pod_spec_path(kind: str) -> Path | None:
    path = TEMPLATE_PATHS.get(kind)
    return None if path is None else (*path, "spec")


def value_at(data: Any, path: Path) -> Any:
    """What stands at this path, or None where the path ends early."""
    for step in path:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and step < len(data) else None
        else:
            data = data.get(step) if isinstance(data, Mapping) else None
    return data
