"""What admission plugins add to new objects, however they are created: tolerations of a Pod (DefaultTolerationSeconds),
the class of an Ingress (DefaultIngressClass)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from cluster import ingress_annotations
from cluster.model import Cluster
from cluster.objects import Object, name
from cluster.well_known import NOT_READY_TAINT, UNREACHABLE_TAINT


def admit_pod(pod: Object, cluster: Cluster) -> Object:
    """A Pod to be created, with what DefaultTolerationSeconds adds; again, and nothing changes."""
    spec = pod["spec"]
    given = spec.get("tolerations") or []
    added = [
        _toleration(key, cluster.toleration_s)
        for key in (NOT_READY_TAINT, UNREACHABLE_TAINT)
        if not any(_covers(toleration, key) for toleration in given)
    ]
    if not added:
        return pod
    return {**pod, "spec": {**spec, "tolerations": [*given, *added]}}


@cache
def _toleration(key: str, seconds: int) -> Object:
    """One object for all pods: they make up a good part of the store."""
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}


def admit_ingress(ingress: Object, classes: Iterable[Object]) -> Object:
    """An Ingress to be created, with the default class if it says nothing of one: of several default classes the
    youngest, of these the first by name (plugin/pkg/admission/network/defaultingressclass)."""
    annotations = ingress["metadata"].get("annotations") or {}
    if ingress["spec"].get("ingressClassName") is not None or ingress_annotations.CLASS in annotations:
        return ingress
    defaults = sorted((each for each in classes if _is_default(each)), key=name)
    if not defaults:
        return ingress
    youngest = max(defaults, key=lambda each: str(each["metadata"].get("creationTimestamp", "")))
    return {**ingress, "spec": {**ingress["spec"], "ingressClassName": name(youngest)}}


def _is_default(ingress_class: Object) -> bool:
    annotations = ingress_class["metadata"].get("annotations") or {}
    return bool(annotations.get(ingress_annotations.DEFAULT_CLASS) == "true")


def _covers(toleration: Mapping[str, Any], key: str) -> bool:
    """As plugin/pkg/admission/defaulttolerationseconds: the key, or all keys, with NoExecute or all effects."""
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in ("NoExecute", "")
