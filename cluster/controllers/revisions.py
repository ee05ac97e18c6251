"""ReplicaSets as the revisions of a Deployment: templates, hashes, annotations, history.

What `kubectl rollout history` and `undo` read (deployment_util.go, kubectl/pkg/polymorphichelpers/history.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cluster.names import template_hash
from cluster.objects import Object, annotation, name, namespace
from cluster.ownership import reference
from cluster.well_known import LAST_APPLIED_ANNOTATION

POD_TEMPLATE_HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"

_NOT_COPIED = frozenset((
    LAST_APPLIED_ANNOTATION, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
))  # fmt: skip


def replica_set_of(deployment: Mapping[str, Any], replica_sets: Iterable[Object]) -> Object | None:
    """The oldest ReplicaSet with the Deployment's present template."""
    wanted = _without_hash(deployment["spec"]["template"])
    return next((rs for rs in replica_sets if _without_hash(rs["spec"]["template"]) == wanted), None)


def new_replica_set(deployment: Object, replicas: int, collisions: int, annotations: Mapping[str, str]) -> Object:
    """The ReplicaSet for the Deployment's template; `collisions` tells names apart that would be the same."""
    spec = deployment["spec"]
    version = template_hash(spec["template"] if not collisions else [spec["template"], collisions])
    hashed = {POD_TEMPLATE_HASH: version}
    meta = spec["template"].get("metadata") or {}
    template_labels = {**(meta.get("labels") or {}), **hashed}
    selector = spec["selector"]
    rs_spec: Object = {
        "replicas": replicas,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **hashed}},
        "template": {**spec["template"], "metadata": {**meta, "labels": template_labels}},
    }
    if spec.get("minReadySeconds"):
        rs_spec["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name(deployment)}-{version}",
            "namespace": namespace(deployment),
            "labels": template_labels,
            "annotations": dict(annotations),
            "ownerReferences": [reference(deployment)],
        },
        "spec": rs_spec,
    }


def revision(obj: Mapping[str, Any]) -> int:
    """Its revision number; 0 when it has none."""
    text = annotation(obj, REVISION) or "0"
    return int(text) if text.isdigit() else 0


def next_revision(old: Sequence[Object]) -> int:
    return max(map(revision, old), default=0) + 1


def annotations_of_new(deployment: Object, replica_set: Mapping[str, Any] | None, number: int) -> Mapping[str, str]:
    """What the newest ReplicaSet says: the Deployment's annotations, and the highest revision number of all.

    A template that comes back gets a new number; the ones that it had before stay on record.
    """
    before = (replica_set or {"metadata": {}})["metadata"].get("annotations") or {}
    given = deployment["metadata"].get("annotations") or {}
    copied = {key: value for key, value in given.items() if key not in _NOT_COPIED}
    result = {**before, **copied}
    had = before.get(REVISION)
    if replica_set is None or revision(replica_set) < number:
        result[REVISION] = str(number)
        if had:
            result[REVISION_HISTORY] = ",".join(filter(None, (before.get(REVISION_HISTORY), had)))
    return result


def sized_annotations(deployment: Mapping[str, Any], surge: int) -> Mapping[str, str]:
    """What the Deployment wanted when a ReplicaSet was given its size: a change of it is a scaling."""
    replicas = deployment["spec"]["replicas"]
    return {DESIRED_REPLICAS: str(replicas), MAX_REPLICAS: str(replicas + surge)}


def _without_hash(template: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = template.get("metadata") or {}
    left = {key: value for key, value in (meta.get("labels") or {}).items() if key != POD_TEMPLATE_HASH}
    return {**template, "metadata": {**_without_nulls(meta), "labels": left}}


def _without_nulls(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """A template's creationTimestamp: null, as kubectl create writes it, means nothing."""
    return {key: value for key, value in meta.items() if value is not None}
