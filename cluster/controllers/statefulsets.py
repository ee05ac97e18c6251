"""StatefulSet: pods with stable names, web-0, web-1 …, made, updated and removed in order.

As pkg/controller/statefulset: with `OrderedReady` nothing happens to a pod while one before it is not ready; an
update goes from the highest ordinal down to the partition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.context import Context
from cluster.controllers import controller_revisions as revisions
from cluster.controllers.adoption import claim_pods, is_active
from cluster.controllers.availability import available
from cluster.controllers.pod_template import CONTROLLER_REVISION_HASH, pod, revision
from cluster.controllers.replicasets import to_create
from cluster.controllers.stateful_identity import claims, volumes
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.objects import Object, name, namespace, ready
from cluster.ownership import is_finished

COMPONENT = "statefulset-controller"
REVISION_LABEL = "controller.kubernetes.io/hash"

_ORDINAL = re.compile(r"(.*)-([0-9]+)")


@dataclass(frozen=True, slots=True)
class _Set:
    """A StatefulSet with its pods by ordinal, and its present and its wanted revision."""

    obj: Object
    key: Key
    pods: Mapping[int, Object]
    current: Object
    update: Object

    @property
    def start(self) -> int:
        return int((self.obj["spec"].get("ordinals") or {}).get("start", 0))

    @property
    def wanted(self) -> range:
        return range(self.start, self.start + self.obj["spec"]["replicas"])

    @property
    def condemned(self) -> Sequence[int]:
        """The ordinals that are too many, the highest first."""
        return sorted((ordinal for ordinal in self.pods if ordinal not in self.wanted), reverse=True)

    @property
    def ordered(self) -> bool:
        return bool(self.obj["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady")

    @property
    def partition(self) -> int | None:
        """None when the spec names no rolling update."""
        rolling = self.strategy.get("rollingUpdate")
        return None if rolling is None else int(rolling.get("partition", 0))

    @property
    def strategy(self) -> Mapping[str, Any]:
        return self.obj["spec"].get("updateStrategy") or {"type": "RollingUpdate"}


def look(context: Context, key: Key) -> None:
    obj = context.get(key)
    if obj is None:
        return
    if is_deleting(obj):
        return
    stateful_set = _read(context, key, obj)
    _step(context, stateful_set)
    stateful_set = _read(context, key, obj)
    _write_status(context, stateful_set)
    used = {str(revision(a_pod)) for a_pod in stateful_set.pods.values()}
    revisions.forget(context, obj, used | {name(stateful_set.current), name(stateful_set.update)})


def _read(context: Context, key: Key, obj: Object) -> _Set:
    update = revisions.current(context, obj, REVISION_LABEL)
    known = {name(one): one for one in revisions.history(context, obj)}
    current = known.get((obj.get("status") or {}).get("currentRevision", ""), update)
    pods: dict[int, Object] = {}
    for a_pod in claim_pods(context, obj):
        match = _ORDINAL.fullmatch(name(a_pod))
        if match and match[1] == name(obj):
            pods[int(match[2])] = a_pod
    return _Set(obj, key, pods, current, update)


def _step(context: Context, the: _Set) -> None:
    """Make, remove and replace pods, as far as the order lets it."""
    room = 1 if the.ordered else _room(context, the)
    for ordinal in the.wanted:
        if ordinal not in the.pods and not room:
            break
        room -= ordinal not in the.pods
        if not _has_pod(context, the, ordinal) and the.ordered:
            return
    for ordinal in the.condemned:
        a_pod = the.pods[ordinal]
        if is_deleting(a_pod):
            if the.ordered:
                return
            continue
        if the.ordered and not _is_healthy(context, the, a_pod) and ordinal != _first_unhealthy(context, the):
            return
        _delete(context, the, a_pod)
        if the.ordered:
            return
    if the.strategy.get("type") != "OnDelete":
        _roll(context, the)


def _room(context: Context, the: _Set) -> int:
    """How many of the missing pods to make in this look."""
    kept = [a_pod for ordinal, a_pod in the.pods.items() if ordinal in the.wanted]
    return to_create(context, the.key, len(the.wanted) - len(kept), kept)


def _has_pod(context: Context, the: _Set, ordinal: int) -> bool:
    """Make the pod with this ordinal if it is missing. False while it is not ready, or goes."""
    a_pod = the.pods.get(ordinal)
    if a_pod is not None and is_finished(a_pod) and not is_deleting(a_pod):
        context.event(the.obj, "Warning", "RecreatingFailedPod", _about(the, a_pod, "is recreating failed"), COMPONENT)
        context.delete(a_pod)
        a_pod = context.get(("Pod", namespace(a_pod), name(a_pod)))
    if a_pod is None:
        made = context.create(_pod(the, ordinal))
        if made is not None:
            message = f"create Pod {name(made)} in StatefulSet {name(the.obj)} successful"
            context.event(the.obj, "Normal", "SuccessfulCreate", message, COMPONENT)
            for claim in claims(the.obj, name(made)):
                context.create(claim)
        return False
    return _is_healthy(context, the, a_pod)


def _roll(context: Context, the: _Set) -> None:
    """Replace one pod of another revision, from the highest ordinal down; wait for each to be ready again."""
    for ordinal in reversed(the.wanted):
        a_pod = context.get(("Pod", namespace(the.obj), f"{name(the.obj)}-{ordinal}"))
        if a_pod is None or ordinal < the.start + (the.partition or 0):
            return
        if revision(a_pod) != name(the.update) and not is_deleting(a_pod):
            _delete(context, the, a_pod)
            return
        if not _is_healthy(context, the, a_pod):
            return


def _is_healthy(context: Context, the: _Set, a_pod: Object) -> bool:
    """Running, ready for long enough, and not about to go."""
    running = (a_pod.get("status") or {}).get("phase") == "Running" and is_active(a_pod)
    return running and bool(available([a_pod], the.obj["spec"].get("minReadySeconds") or 0, context, the.key))


def _first_unhealthy(context: Context, the: _Set) -> int | None:
    """The lowest wanted ordinal that is not healthy, else the highest such one of those too many."""
    ordinals = [*sorted(ordinal for ordinal in the.pods if ordinal in the.wanted), *the.condemned]
    return next((ordinal for ordinal in ordinals if not _is_healthy(context, the, the.pods[ordinal])), None)


def _delete(context: Context, the: _Set, a_pod: Object) -> None:
    message = f"delete Pod {name(a_pod)} in StatefulSet {name(the.obj)} successful"
    context.event(the.obj, "Normal", "SuccessfulDelete", message, COMPONENT)
    context.delete(a_pod)


def _about(the: _Set, a_pod: Object, what: str) -> str:
    return f"StatefulSet {namespace(the.obj)}/{name(the.obj)} {what} Pod {name(a_pod)}"


def _pod(the: _Set, ordinal: int) -> Object:
    pod_name = f"{name(the.obj)}-{ordinal}"
    version = _version(the, ordinal)
    template = revisions.template_of(version)
    owner = {**the.obj, "spec": {**the.obj["spec"], "template": template}}
    labels = {
        CONTROLLER_REVISION_HASH: name(version),
        "apps.kubernetes.io/pod-index": str(ordinal),
        "statefulset.kubernetes.io/pod-name": pod_name,
    }
    spec: Object = {"hostname": pod_name}
    if service_name := the.obj["spec"].get("serviceName"):
        spec["subdomain"] = service_name
    if templates := the.obj["spec"].get("volumeClaimTemplates"):
        spec["volumes"] = volumes(template["spec"], templates, pod_name)
    return pod(owner, pod_name, labels, spec)


def _version(the: _Set, ordinal: int) -> Object:
    """Which revision a pod with this ordinal is made of: below the partition, and not yet updated, the present one."""
    if the.strategy.get("type") == "OnDelete":
        return the.update
    of_current = (the.obj.get("status") or {}).get("currentReplicas", 0)
    limit = of_current if the.partition is None else the.partition
    return the.current if ordinal < the.start + limit else the.update


def _write_status(context: Context, the: _Set) -> None:
    pods = list(the.pods.values())
    min_ready_s = the.obj["spec"].get("minReadySeconds") or 0
    running = [a_pod for a_pod in pods if (a_pod.get("status") or {}).get("phase") == "Running"]
    kept = [a_pod for a_pod in pods if is_active(a_pod)]
    updated = sum(revision(a_pod) == name(the.update) for a_pod in kept)
    counts = {
        "readyReplicas": sum(map(ready, running)),
        "currentReplicas": sum(revision(a_pod) == name(the.current) for a_pod in kept),
        "updatedReplicas": updated,
    }
    current = name(the.current)
    wanted: int = the.obj["spec"]["replicas"]
    if updated == wanted == counts["readyReplicas"] == len(pods) and the.strategy.get("type") != "OnDelete":
        # The update is complete: what was wanted is what there is.
        current, counts["currentReplicas"] = name(the.update), updated
    status = {
        "observedGeneration": the.obj["metadata"].get("generation", 1),
        "replicas": len(pods),
        "availableReplicas": len(available(running, min_ready_s, context, the.key)),
        **{field: count for field, count in counts.items() if count},
        "currentRevision": current,
        "updateRevision": name(the.update),
        "collisionCount": (the.obj.get("status") or {}).get("collisionCount", 0),
    }
    context.update_status(context.get(the.key) or the.obj, status)
