"""What of a StatefulSet's pod outlives it: its volume claims. They are stored and bind to nothing here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.objects import Object, namespace


def claims(stateful_set: Mapping[str, Any], pod_name: str) -> Sequence[Object]:
    """The PersistentVolumeClaims of one pod; existing ones are kept, whatever they hold."""
    selector = stateful_set["spec"].get("selector") or {}
    result = []
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        meta = template.get("metadata") or {}
        metadata: Object = {
            **meta,
            "name": f"{meta['name']}-{pod_name}",
            "namespace": namespace(stateful_set),
            "labels": {**(meta.get("labels") or {}), **(selector.get("matchLabels") or {})},
        }
        spec = template.get("spec") or {}
        result.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    return result


def volumes(spec: Mapping[str, Any], templates: Sequence[Mapping[str, Any]], pod_name: str) -> Sequence[Object]:
    """The pod's volumes, where a claim takes the place of a volume of its name."""
    names = [template["metadata"]["name"] for template in templates]
    claimed = [
        {"name": one, "persistentVolumeClaim": {"claimName": f"{one}-{pod_name}"}} for one in names
    ]
    return [*claimed, *(volume for volume in spec.get("volumes") or () if volume["name"] not in names)]
