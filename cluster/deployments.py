"""Deployment: one ReplicaSet per version of its template, the current one at full size.

A new version replaces the old one at once; the old ReplicaSets stay, at size 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from cluster.names import template_hash
from cluster.objects import Object, labels, name, namespace
from cluster.owned import Changes
from cluster.ownership import reference

POD_TEMPLATE_HASH = "pod-template-hash"


def changes(deployment: Object, replica_sets: Sequence[Object]) -> Changes:
    """`replica_sets` are those it owns."""
    version = template_hash(deployment["spec"]["template"])
    current = [rs for rs in replica_sets if labels(rs).get(POD_TEMPLATE_HASH) == version]
    old = [rs for rs in replica_sets if labels(rs).get(POD_TEMPLATE_HASH) != version]
    replicas = deployment["spec"]["replicas"]
    puts = [_scaled(rs, replicas) for rs in current] if current else [_replica_set(deployment, version)]
    puts += [_scaled(rs, 0) for rs in old]
    before = {name(rs): rs for rs in replica_sets}
    return Changes(puts=[rs for rs in puts if rs != before.get(name(rs))])


def _scaled(replica_set: Object, replicas: int) -> Object:
    return {**replica_set, "spec": {**replica_set["spec"], "replicas": replicas}}


def _replica_set(deployment: Object, version: str) -> Object:
    spec = deployment["spec"]
    hashed = {POD_TEMPLATE_HASH: version}
    meta = spec["template"].get("metadata") or {}
    template_labels = {**(meta.get("labels") or {}), **hashed}
    selector = spec["selector"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name(deployment)}-{version}",
            "namespace": namespace(deployment),
            "labels": template_labels,
            "ownerReferences": [reference(deployment)],
        },
        "spec": {
            "replicas": spec["replicas"],
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **hashed}},
            "template": {**spec["template"], "metadata": {**meta, "labels": template_labels}},
        },
    }
