"""Pod template -> Pod, as a controller makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.objects import Object, labels, namespace
from cluster.ownership import reference

CONTROLLER_REVISION_HASH = "controller-revision-hash"


def pod(owner: Object, pod_name: str, extra_labels: Mapping[str, str], spec: Mapping[str, Any] | None = None) -> Object:
    """A new Pod of `owner` (anything with spec.template); `spec` adds to the template's pod spec."""
    template = owner["spec"]["template"]
    meta = template.get("metadata") or {}
    metadata: Object = {
        "name": pod_name,
        "namespace": namespace(owner),
        "labels": {**(meta.get("labels") or {}), **extra_labels},
        "ownerReferences": [reference(owner)],
    }
    if meta.get("annotations"):
        metadata["annotations"] = meta["annotations"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {**template["spec"], **(spec or {})},
    }


def revision(a_pod: Mapping[str, Any]) -> str | None:
    """The hash of the template that this pod was made from."""
    return labels(a_pod).get(CONTROLLER_REVISION_HASH)
