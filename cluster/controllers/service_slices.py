"""The EndpointSlices of one Service, kept as `endpoints.py` plans them (pkg/controller/endpointslice)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cluster.context import Context
from cluster.controllers.endpoints import is_managed, planned_slices
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.index import match_labels, selects
from cluster.objects import Object, labels, name, namespace
from cluster.well_known import ZONE_LABEL


def look(context: Context, key: Key) -> None:
    service = context.get(key)
    if service is None or is_deleting(service):
        return
    existing = [one for one in context.owned(service, "EndpointSlice") if is_managed(one)]
    wanted = _wanted(context, service, existing)
    names = {name(one) for one in wanted}
    for one in existing:
        if name(one) not in names:
            context.delete(one)
    for one in wanted:
        if not name(one):
            fresh = context.fresh_name("EndpointSlice", key[1], f"{key[2]}-")
            one = {**one, "metadata": {**one["metadata"], "name": fresh}}
        context.draft.put(one)


def selected_pods(context: Context, service: Object) -> Sequence[Object]:
    """The pods behind a Service, oldest first, ready or not."""
    keys = context.index.candidates(namespace(service), match_labels(service))
    return [pod for pod in context.get_all(keys) if selects(service, pod)]


def _wanted(context: Context, service: Object, existing: Sequence[Object]) -> Sequence[Object]:
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or not spec.get("selector") or not spec.get("ipFamilies"):
        return []
    pods = selected_pods(context, service)
    return planned_slices(service, pods, _zones(context, pods), existing)


def _zones(context: Context, pods: Sequence[Object]) -> Mapping[str, str]:
    names = {str(pod["spec"].get("nodeName", "")) for pod in pods}
    nodes = context.get_all([("Node", "", node) for node in names])
    return {name(node): labels(node)[ZONE_LABEL] for node in nodes if ZONE_LABEL in labels(node)}
