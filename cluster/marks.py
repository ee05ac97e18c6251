"""Which loops have to look at which objects, since this one changed.

The counterpart of the informers' event handlers in kube-controller-manager. Conservative: to look without need costs
little, to miss something leaves it undone until the next restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.controllers import load_balancers
from cluster.controllers.namespaces import ROOT_CA
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.index import SELECTING_KINDS, Index, selects
from cluster.objects import Object, labels, ready
from cluster.ownership import controller_reference, controller_uid, is_finished, owner_uids
from cluster.well_known import SERVICE_NAME_LABEL, ZONE_LABEL

Mark = tuple[str, Key]
"""The name of a loop, and what it is to look at."""

WORKLOADS = frozenset((*SELECTING_KINDS, "Deployment", "CronJob"))
"""Kinds with a loop of their name."""

ALL_UNBOUND: Key = ("Pod", "", "")
"""Stands for every pod that waits for a node: one mark for all of them, however many."""


def marks(index: Index, draft: Mapping[Key, Object] | Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    """`draft` has a `get`; `index` already knows of the change."""
    kind = key[0]
    yield from _lifecycle(index, draft, key, old, new)
    if kind in WORKLOADS:
        yield kind, key
    for obj in (old, new):
        if obj is not None and (reference := controller_reference(obj)) and reference["kind"] in WORKLOADS:
            yield reference["kind"], (reference["kind"], key[1], reference["name"])
    if handler := _BY_KIND.get(kind):
        yield from handler(index, draft, key, old, new)


def _lifecycle(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    """Garbage collection and the end of namespaces, which concern every kind."""
    if new is not None and (is_deleting(new) or owner_uids(new) != (() if old is None else owner_uids(old))):
        yield "collector", key
    if old is not None and (new is None or old["metadata"]["uid"] != new["metadata"]["uid"]):
        for dependent in index.owned(old["metadata"]["uid"]):
            yield "collector", dependent
        for uid in owner_uids(old):
            if uid in index.key_of_uid:
                yield "collector", index.key_of_uid[uid]
    if key[1]:
        space = draft.get(("Namespace", "", key[1]))
        if space is not None and is_deleting(space):
            yield "Namespace", ("Namespace", "", key[1])


def _pod(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    if new is not None:
        yield from _own_pod(key, old, new)
    if old is not None and (new is None or is_finished(new)):
        yield from _waiting_for_its_end(draft, key, old)
    if any(obj is not None and controller_uid(obj) is None for obj in (old, new)):
        for kind in SELECTING_KINDS:
            for owner in index.in_namespace(key[1], kind):
                if new is not None and selects(draft.get(owner), new):
                    yield kind, owner
    if index.unbound and _room(old) != _room(new):
        yield "scheduler", ALL_UNBOUND
    if _seen_by_services(old) != _seen_by_services(new):
        yield from _services_of(index, key, old, new)
        for budget in index.in_namespace(key[1], "PodDisruptionBudget"):
            yield "PodDisruptionBudget", budget


def _waiting_for_its_end(draft: Any, key: Key, gone: Object) -> Iterator[Mark]:
    """A StatefulSet may wait for the pod's name, whoever's it was; a Deployment for the last pod of its old version,
    since no ReplicaSet counts those that terminate."""
    yield "StatefulSet", ("StatefulSet", key[1], key[2].rpartition("-")[0])
    reference = controller_reference(gone)
    owner = draft.get(("ReplicaSet", key[1], reference["name"])) if reference else None
    above = controller_reference(owner) if owner else None
    if above is not None and above["kind"] == "Deployment":
        yield "Deployment", ("Deployment", key[1], above["name"])


def _own_pod(key: Key, old: Object | None, new: Object) -> Iterator[Mark]:
    node = new["spec"].get("nodeName")
    if not node and not is_finished(new) and not is_deleting(new):
        yield "scheduler", key
    if node and not new.get("status", {}).get("podIPs"):
        yield "addresses", key
    if node and (old is None or _evictable(old) != _evictable(new)):
        yield "evictions", key


def _evictable(pod: Mapping[str, Any]) -> tuple[Any, ...]:
    return pod["spec"].get("nodeName"), pod["spec"].get("tolerations"), is_deleting(pod), is_finished(pod)


def _room(pod: Mapping[str, Any] | None) -> Any:
    """What a pod takes from those that wait for a node, or gives them."""
    if pod is None or is_finished(pod) or not pod["spec"].get("nodeName"):
        return None
    return pod["spec"]["nodeName"], labels(pod), is_deleting(pod)


def _seen_by_services(pod: Mapping[str, Any] | None) -> Any:
    """What endpoints and disruption budgets read of a pod."""
    if pod is None:
        return None
    spec, status = pod["spec"], pod.get("status", {})
    where = (spec.get("nodeName"), spec.get("hostname"), spec.get("subdomain"), status.get("podIPs"))
    return labels(pod), ready(pod), is_finished(pod), is_deleting(pod), where


def _services_of(index: Index, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    for pod in (old, new):
        if pod is not None:
            for service in index.services_that_may_select(pod):
                yield "endpointslices", service
                yield "endpoints", service


def _node(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    yield "Node", key
    if old is None or new is None or _seen_by_pods(old) != _seen_by_pods(new):
        yield "scheduler", ALL_UNBOUND
        for daemon_set in draft_keys(draft, "DaemonSet"):
            yield "DaemonSet", daemon_set
        for pod in index.pods_on(key[2]):
            yield "evictions", pod
            if new is not None and old is None:
                yield "addresses", pod
    if (old and labels(old).get(ZONE_LABEL)) != (new and labels(new).get(ZONE_LABEL)):
        for service in draft_keys(draft, "Service"):
            yield "endpointslices", service
    yield "kubernetes", ("Service", "default", "kubernetes")


def _seen_by_pods(node: Mapping[str, Any]) -> Any:
    spec = node["spec"]
    return labels(node), spec.get("taints"), spec.get("unschedulable"), node.get("status", {}).get("allocatable")


def draft_keys(draft: Any, kind: str) -> list[Key]:
    return [(kind, str(obj["metadata"].get("namespace", "")), str(obj["metadata"]["name"])) for obj in draft.objects(kind)]


def _service(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    yield "Service", key
    yield "load balancers", key
    if old is not None and (new is None or load_balancers.addresses(old) != load_balancers.addresses(new)):
        # Somebody may wait for what was given back.
        yield from (
            ("load balancers", other) for other in draft_keys(draft, "Service")
            if load_balancers.is_wanted(draft.get(other)) and not load_balancers.addresses(draft.get(other))
        )
    yield "endpointslices", key
    yield "endpoints", key
    yield "mirroring", ("Endpoints", *key[1:])
    if new is None:
        yield "endpoints without Service", ("Endpoints", *key[1:])
    yield from _of_kubernetes(key)


def _endpoints(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    yield "mirroring", key
    yield "endpoints", ("Service", *key[1:])
    yield from _of_kubernetes(key)


def _endpoint_slice(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    for obj in (old, new):
        if obj is not None and (service := labels(obj).get(SERVICE_NAME_LABEL)):
            yield "endpointslices", ("Service", key[1], service)
            yield "mirroring", ("Endpoints", key[1], service)
    yield from _of_kubernetes(key)


def _of_kubernetes(key: Key) -> Iterator[Mark]:
    if key[1:] == ("default", "kubernetes"):
        yield "kubernetes", ("Service", "default", "kubernetes")


def _namespace(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    yield "Namespace", key
    if new is not None and (old is None or labels(old) != labels(new)):
        yield "scheduler", ALL_UNBOUND


def _namespace_object(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    yield "Namespace", ("Namespace", "", key[1])
    if key == ("ConfigMap", "kube-system", ROOT_CA):
        for space in draft_keys(draft, "Namespace"):
            yield "Namespace", space


def _budget(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    yield "PodDisruptionBudget", key


def _event(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    yield "Event", key


def _ingress(index: Index, draft: Any, key: Key, old: Object | None, new: Object | None) -> Iterator[Mark]:
    if old is None:
        yield "ingress controllers", key


_BY_KIND = {
    "Pod": _pod,
    "Node": _node,
    "Service": _service,
    "Endpoints": _endpoints,
    "EndpointSlice": _endpoint_slice,
    "Namespace": _namespace,
    "ServiceAccount": _namespace_object,
    "ConfigMap": _namespace_object,
    "PodDisruptionBudget": _budget,
    "Event": _event,
    "Ingress": _ingress,
    "IngressClass": _ingress,
}
