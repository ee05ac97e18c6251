"""One kind in several group versions: how the stored object reads in another one, and back.

A kind is stored once (`resources.stored`). Where the versions have the same fields only the apiVersion differs; the two kinds
whose versions do not are converted here (pkg/apis/events/v1/conversion.go, pkg/apis/autoscaling/v1/conversion.go).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cluster import resources
from cluster.objects import Object
from cluster.resources import Resource

Conversion = Callable[[Object], Object]

_EVENT_FIELDS: Mapping[str, str] = {
    "involvedObject": "regarding", "message": "note", "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp", "lastTimestamp": "deprecatedLastTimestamp", "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}  # fmt: skip
"""core/v1 -> events.k8s.io/v1."""


def stored_form(resource: Resource) -> Resource:
    """The resource under which the objects of this one are stored."""
    return resources.stored(resource.kind) if resource.is_stored else resource


def served(obj: Object, resource: Resource) -> Object:
    """A stored object as this resource shows it; itself where that is how it is stored."""
    if obj.get("apiVersion") == resource.api_version:
        return obj
    convert = _TO.get(resource.api_version + "/" + resource.kind, _same)
    return {**convert(obj), "apiVersion": resource.api_version}


def to_stored(obj: Object, resource: Resource) -> Object:
    """An object of this resource as it is stored."""
    target = stored_form(resource)
    if target.api_version == resource.api_version:
        return obj
    convert = _FROM.get(resource.api_version + "/" + resource.kind, _same)
    return {**convert(obj), "apiVersion": target.api_version}


def _same(obj: Object) -> Object:
    return obj


def _renamed(obj: Object, names: Mapping[str, str]) -> Object:
    return {names.get(field, field): value for field, value in obj.items()}


def _event_to_core(obj: Object) -> Object:
    return _renamed(obj, {new: old for old, new in _EVENT_FIELDS.items()})


def _scaler_to_v1(obj: Object) -> Object:
    """Only the CPU target has a field in v1; the other metrics are not shown there."""
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    for metric in spec.pop("metrics", ()):
        target = _cpu(metric, "target")
        if target is not None:
            spec["targetCPUUtilizationPercentage"] = target
    spec.pop("behavior", None)
    for metric in status.pop("currentMetrics", None) or ():
        current = _cpu(metric, "current")
        if current is not None:
            status["currentCPUUtilizationPercentage"] = current
    status.pop("conditions", None)
    return {**obj, "spec": spec, **({"status": status} if status else {})}


def _scaler_from_v1(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        wanted = {"type": "Utilization", "averageUtilization": target}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": wanted}}]
    status.pop("currentCPUUtilizationPercentage", None)
    return {**obj, "spec": spec, **({"status": status} if status else {})}


def _cpu(metric: Mapping[str, Any], field: str) -> Any:
    source = metric.get("resource") or {}
    return (source.get(field) or {}).get("averageUtilization") if source.get("name") == "cpu" else None


_TO: Mapping[str, Conversion] = {
    "events.k8s.io/v1/Event": lambda obj: _renamed(obj, _EVENT_FIELDS),
    "autoscaling/v1/HorizontalPodAutoscaler": _scaler_to_v1,
}
_FROM: Mapping[str, Conversion] = {
    "events.k8s.io/v1/Event": _event_to_core,
    "autoscaling/v1/HorizontalPodAutoscaler": _scaler_from_v1,
}
