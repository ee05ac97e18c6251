"""Endpoints that somebody made by hand -> EndpointSlices, for a Service without a selector.

As pkg/controller/endpointslicemirroring: everything that reads endpoints reads slices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.context import Context
from cluster.controllers.endpoints import MANAGED_BY_LABEL
from cluster.deletion import is_deleting
from cluster.draft import Key
from cluster.objects import Object, annotation, labels, name, namespace
from cluster.ownership import reference
from cluster.service_ips import FAMILY_NAMES, family_of
from cluster.well_known import LAST_APPLIED_ANNOTATION, SERVICE_NAME_LABEL

MANAGED_BY = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"
LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader"
MAX_ADDRESSES_PER_SUBSET = 1000
"""--mirroring-max-endpoints-per-subset; what is beyond it is left out."""

_NOT_COPIED = frozenset((LAST_APPLIED_ANNOTATION, "endpoints.kubernetes.io/last-change-trigger-time"))


def look(context: Context, key: Key) -> None:
    endpoints = context.get(("Endpoints", *key[1:]))
    service = context.get(("Service", *key[1:]))
    if endpoints is None:
        return  # its slices go with their owner
    wanted = list(_slices(endpoints)) if service and _is_mirrored(endpoints, service) else []
    existing = [one for one in context.owned(endpoints, "EndpointSlice") if _is_ours(one, key)]
    for one in wanted:
        same = next((old for old in existing if _kind_of(old) == _kind_of(one)), None)
        if same is not None:
            existing.remove(same)
            one_name = name(same)
        else:
            one_name = context.fresh_name("EndpointSlice", key[1], f"{key[2]}-")
        context.draft.put({**one, "metadata": {**one["metadata"], "name": one_name}})
    for one in existing:
        context.delete(one)


def _is_mirrored(endpoints: Mapping[str, Any], service: Mapping[str, Any]) -> bool:
    if labels(endpoints).get(SKIP_LABEL) == "true" or annotation(endpoints, LEADER_ANNOTATION) is not None:
        return False
    # "Service resources with selectors … are not mirrored."
    return not service["spec"].get("selector") and not is_deleting(endpoints)


def _is_ours(endpoint_slice: Mapping[str, Any], key: Key) -> bool:
    own = labels(endpoint_slice)
    return own.get(MANAGED_BY_LABEL) == MANAGED_BY and own.get(SERVICE_NAME_LABEL) == key[2]


def _kind_of(endpoint_slice: Mapping[str, Any]) -> Any:
    """What tells the slices of one Endpoints object apart."""
    return endpoint_slice["addressType"], endpoint_slice.get("ports")


def _slices(endpoints: Object) -> Iterator[Object]:
    """One per subset and family."""
    for subset in endpoints.get("subsets") or ():
        for family in FAMILY_NAMES.values():
            members = [
                _endpoint(address, is_ready)
                for field, is_ready in (("addresses", True), ("notReadyAddresses", False))
                for address in (subset.get(field) or ())[:MAX_ADDRESSES_PER_SUBSET]
                if family_of(address["ip"]) == family
            ]
            if members:
                yield _slice(endpoints, subset, family, members)


def _endpoint(address: Mapping[str, Any], is_ready: bool) -> Object:
    endpoint: Object = {"addresses": [address["ip"]], "conditions": {"ready": is_ready}}
    return endpoint | {field: address[field] for field in ("hostname", "nodeName", "targetRef") if field in address}


def _slice(endpoints: Object, subset: Mapping[str, Any], family: str, members: list[Object]) -> Object:
    annotations = endpoints["metadata"].get("annotations") or {}
    copied = {key: value for key, value in annotations.items() if key not in _NOT_COPIED}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "",
            "namespace": namespace(endpoints),
            "labels": {**labels(endpoints), SERVICE_NAME_LABEL: name(endpoints), MANAGED_BY_LABEL: MANAGED_BY},
            **({"annotations": copied} if copied else {}),
            "ownerReferences": [reference(endpoints)],
        },
        "addressType": family,
        "endpoints": members,
        "ports": [_port(port) for port in subset.get("ports") or ()],
    }


def _port(port: Mapping[str, Any]) -> Object:
    return {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), **port}
