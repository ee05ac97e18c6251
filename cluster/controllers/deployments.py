"""Deployment: a ReplicaSet per version of its template, and the way from one version to the next.

As pkg/controller/deployment: the newest ReplicaSet grows and the old ones shrink, one safe step at a time; every step
is decided from what is there, so an update can be paused, scaled, undone or interrupted anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cluster.context import Context
from cluster.controllers import deployment_status
from cluster.controllers.adoption import claim_replica_sets
from cluster.controllers.revisions import (
    DESIRED_REPLICAS,
    REVISION,
    annotations_of_new,
    new_replica_set,
    next_revision,
    replica_set_of,
    revision,
    sized_annotations,
)
from cluster.controllers.rollouts import (
    Sizes,
    available,
    bounds,
    proportional,
    size,
    size_of_new,
    sizes_of_old,
)
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.objects import Object, annotation, name, namespace
from cluster.ownership import is_finished

COMPONENT = "deployment-controller"
DEFAULT_HISTORY_LIMIT = 10


def look(context: Context, key: Key) -> None:
    deployment = context.get(key)
    if deployment is None:
        return
    replica_sets = [rs for rs in claim_replica_sets(context, deployment) if not is_deleting(rs)]
    new = replica_set_of(deployment, replica_sets)
    old = [rs for rs in replica_sets if rs is not new]
    if is_deleting(deployment):
        deployment_status.write(context, key, new, old)
        return
    deployment = deployment_status.note_pause(context, deployment)
    paused = bool(deployment["spec"].get("paused"))
    if new is not None or not paused:
        new = _newest(context, key, new, old, create=not paused and not _waits(context, deployment, new, old))
    deployment = context.get(key) or deployment
    if paused or _was_scaled(deployment, new, old):
        _scale(context, deployment, new, old)
    elif (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        _recreate(context, deployment, new, old)
    else:
        _roll(context, deployment, new, old)
    new, old = _again(context, new), [rs for one in old if (rs := _again(context, one)) is not None]
    if paused or deployment_status.is_complete(context.get(key) or deployment, new, old):
        _forget(context, deployment, old)
    deployment_status.write(context, key, new, old)


def _newest(context: Context, key: Key, new: Object | None, old: Sequence[Object], create: bool) -> Object | None:
    """The ReplicaSet of the present template, made if it is missing and may be, with its revision noted."""
    deployment = context.get(key)
    assert deployment is not None
    number = next_revision(old)
    annotations = annotations_of_new(deployment, new, number)
    if new is not None:
        spec = {**new["spec"]}
        if deployment["spec"].get("minReadySeconds", 0) != spec.get("minReadySeconds", 0):
            spec["minReadySeconds"] = deployment["spec"].get("minReadySeconds", 0)
        new = context.draft.put({**new, "metadata": {**new["metadata"], "annotations": dict(annotations)}, "spec": spec})
        deployment_status.note_found(context, key, new)
    elif create:
        new = _created(context, deployment, old, annotations)
    if new is not None:
        _note_revision(context, key, revision(new))
    return new


def _created(context: Context, deployment: Object, old: Sequence[Object], annotations: Mapping[str, str]) -> Object:
    replicas = size_of_new(deployment, 0, sum(map(size, old)))
    sized = {**annotations, **sized_annotations(deployment, bounds(deployment).surge)}
    collisions = deployment.get("status", {}).get("collisionCount", 0)
    while (made := context.create(new_replica_set(deployment, replicas, collisions, sized))) is None:
        collisions += 1
    deployment_status.note_created(context, deployment, made, collisions)
    if replicas:
        context.event(deployment, "Normal", "ScalingReplicaSet", _scaled_message(made, 0, replicas), COMPONENT)
    return made


def _note_revision(context: Context, key: Key, number: int) -> None:
    deployment = context.get(key)
    if deployment is not None and annotation(deployment, REVISION) != str(number):
        annotations = {**(deployment["metadata"].get("annotations") or {}), REVISION: str(number)}
        context.draft.put({**deployment, "metadata": {**deployment["metadata"], "annotations": annotations}})


def _was_scaled(deployment: Object, new: Object | None, old: Sequence[Object]) -> bool:
    wanted = str(deployment["spec"]["replicas"])
    active = [rs for rs in (*old, *([new] if new else [])) if size(rs)]
    return any(annotation(rs, DESIRED_REPLICAS) not in (None, wanted) for rs in active)


def _scale(context: Context, deployment: Object, new: Object | None, old: Sequence[Object]) -> None:
    """Nothing but the number of replicas changes: keep the versions as they are (sync.go, scale)."""
    everything = [*old, *([new] if new else [])]
    active = [rs for rs in everything if size(rs)]
    wanted = deployment["spec"]["replicas"]
    if len(active) <= 1:
        # The only one there is, or the newest: the latest revision of all.
        latest = active or [new or max(old, key=revision)] if everything else []
        _resize(context, deployment, latest, {name(rs): wanted for rs in latest})
    elif new is not None and _is_saturated(deployment, new):
        _resize(context, deployment, old, {name(rs): 0 for rs in old})
    elif (deployment["spec"].get("strategy") or {}).get("type") != "Recreate":
        _resize(context, deployment, active, proportional(deployment, active))


def _is_saturated(deployment: Object, new: Object) -> bool:
    wanted = deployment["spec"]["replicas"]
    return size(new) == wanted == available(new) and annotation(new, DESIRED_REPLICAS) == str(wanted)


def _roll(context: Context, deployment: Object, new: Object | None, old: Sequence[Object]) -> None:
    if new is None:
        return
    grown = size_of_new(deployment, size(new), sum(size(rs) for rs in (*old, new)))
    if grown != size(new):
        _resize(context, deployment, [new], {name(new): grown})
        return
    _resize(context, deployment, old, sizes_of_old(deployment, new, old))


def _waits(context: Context, deployment: Object, new: Object | None, old: Sequence[Object]) -> bool:
    """Whether a Recreate has pods of an old version to wait for, those that terminate included."""
    if (deployment["spec"].get("strategy") or {}).get("type") != "Recreate" or new is not None:
        return False
    return _has_pods(context, old)


def _recreate(context: Context, deployment: Object, new: Object | None, old: Sequence[Object]) -> None:
    if any(map(size, old)):
        _resize(context, deployment, old, {name(rs): 0 for rs in old})
    elif new is not None and not _has_pods(context, old):
        _resize(context, deployment, [new], {name(new): deployment["spec"]["replicas"]})


def _has_pods(context: Context, replica_sets: Sequence[Object]) -> bool:
    if any(map(size, replica_sets)):
        return True
    return any(not is_finished(pod) for rs in replica_sets for pod in context.owned(rs, "Pod"))


def _resize(context: Context, deployment: Object, replica_sets: Sequence[Object], sizes: Sizes) -> None:
    """Give ReplicaSets their sizes, and note what the Deployment wanted when it did."""
    sized = sized_annotations(deployment, bounds(deployment).surge)
    for rs in replica_sets:
        if name(rs) not in sizes:
            continue
        before, after = size(rs), sizes[name(rs)]
        annotations = {**(rs["metadata"].get("annotations") or {}), **sized}
        spec = {**rs["spec"], "replicas": after}
        context.draft.put({**rs, "metadata": {**rs["metadata"], "annotations": annotations}, "spec": spec})
        if before != after:
            context.event(
                deployment, "Normal", "ScalingReplicaSet", _scaled_message(rs, before, after), COMPONENT
            )


def _scaled_message(rs: Object, before: int, after: int) -> str:
    return f"Scaled {'up' if after > before else 'down'} replica set {name(rs)} from {before} to {after}"


def _forget(context: Context, deployment: Object, old: Sequence[Object]) -> None:
    """Delete the oldest revisions beyond the limit, if nothing of them runs."""
    limit = deployment["spec"].get("revisionHistoryLimit", DEFAULT_HISTORY_LIMIT)
    idle = [rs for rs in old if not size(rs) and not rs.get("status", {}).get("replicas")]
    for rs in sorted(idle, key=revision)[: max(0, len(idle) - limit)]:
        context.delete(rs)


def _again(context: Context, replica_set: Object | None) -> Object | None:
    """As it is by now."""
    if replica_set is None:
        return None
    return context.live(("ReplicaSet", namespace(replica_set), name(replica_set)))


