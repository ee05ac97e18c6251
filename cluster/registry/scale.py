"""The scale subresource: autoscaling/v1 Scale of what has replicas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.objects import Object
from cluster.registry import errors
from cluster.registry.errors import Cause
from cluster.resources import Resource

SCALE = "scale"
_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_OPERATORS = {"Exists": "{key}", "DoesNotExist": "!{key}"}


def resource() -> Resource:
    """The type of the subresource's body."""
    return Resource("autoscaling", "v1", "Scale", "scales", "scale", namespaced=True)


def of(obj: Mapping[str, Any]) -> Object:
    """The Scale of a workload."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    selector = selector_text(spec.get("selector") or {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: obj["metadata"][field] for field in _SHOWN if field in obj["metadata"]},
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": {"replicas": status.get("replicas", 0), **({"selector": selector} if selector else {})},
    }


def replicas(given: Mapping[str, Any], name: str) -> int:
    """Of a Scale that is to be written. Raises StatusError 422."""
    count: int = (given.get("spec") or {}).get("replicas") or 0
    if count < 0:
        message = f"Invalid value: {count}: must be greater than or equal to 0"
        raise errors.invalid(resource(), name, [Cause("FieldValueInvalid", message, "spec.replicas")])
    return count


def with_replicas(obj: Object, count: int) -> Object:
    return {**obj, "spec": {**obj["spec"], "replicas": count}}


def selector_text(selector: Mapping[str, Any]) -> str:
    """A selector as a query parameter has it; a ReplicationController's is a map of labels."""
    labelled = selector.keys() & {"matchLabels", "matchExpressions"}
    pairs = selector.get("matchLabels") or {} if labelled else selector
    terms = [f"{key}={value}" for key, value in sorted(pairs.items())]
    for requirement in (selector.get("matchExpressions") or ()) if labelled else ():
        key, operator = requirement["key"], requirement["operator"]
        listed = ",".join(sorted(requirement.get("values") or ()))
        terms.append(_OPERATORS.get(operator, f"{{key}} {operator.lower()} ({listed})").format(key=key))
    return ",".join(terms)
