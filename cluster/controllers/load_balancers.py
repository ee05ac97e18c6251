"""The load balancer of the testbed, as a cloud's service controller: Services of that type get an address of the pool
(pkg/controller in k8s.io/cloud-provider, controllers/service).

Addresses are given in order, each to one Service. What sends their packets to nodes is `controller/edge.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from cluster.context import Context
from cluster.deletion import is_deleting, release
from cluster.draft import Key
from cluster.model import IPAddress, IPNetwork
from cluster.objects import Object

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
CLASS = "mininetes.dev/edge"
"""The spec.loadBalancerClass that is this one; none is, too."""
_COMPONENT = "service-controller"


def look(context: Context, key: Key) -> None:
    service = context.get(key)
    if service is None:
        return
    if not is_wanted(service):
        _clean_up(context, service)
        return
    given = addresses(service)
    wanted = list(_wanted(context, service, given))
    if FINALIZER not in (service["metadata"].get("finalizers") or ()):
        finalizers = [*(service["metadata"].get("finalizers") or ()), FINALIZER]
        service = context.draft.put({**service, "metadata": {**service["metadata"], "finalizers": finalizers}})
    if wanted != given:
        _write(context, service, wanted)
        context.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer", _COMPONENT)


def is_wanted(service: Mapping[str, Any]) -> bool:
    """"Once set, [loadBalancerClass] … implementations that do not … must ignore Services that set this field"."""
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") in (None, CLASS) and not is_deleting(service)


def addresses(service: Mapping[str, Any]) -> list[IPAddress]:
    """Those that a Service has been given, by whomever."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return [ip_address(each["ip"]) for each in ingress if each.get("ip")]


def _wanted(context: Context, service: Object, given: Iterable[IPAddress]) -> Iterator[IPAddress]:
    """One address for each of its IP families: the one that it has, asks for, or the first that is free."""
    taken = {
        address for other in context.draft.objects("Service")
        if other["metadata"]["uid"] != service["metadata"]["uid"] for address in addresses(other)
    }  # fmt: skip
    asked = service["spec"].get("loadBalancerIP")
    for pool in context.cluster.load_balancer_pools:
        if f"IPv{pool.version}" not in (service["spec"].get("ipFamilies") or ()):
            continue
        kept = next((address for address in given if address in pool and address not in taken), None)
        named = ip_address(asked) if asked and ip_address(asked).version == pool.version else None
        if named is not None and (named not in pool or named in taken):
            _refuse(context, service, f"{named} is not free in {pool}")
        elif (found := named or kept or _free(pool, taken)) is not None:
            yield found
        else:
            _refuse(context, service, f"all addresses of {pool} are given")


def _refuse(context: Context, service: Object, why: str) -> None:
    message = f"Error syncing load balancer: {why}"
    context.event(service, "Warning", "SyncLoadBalancerFailed", message, _COMPONENT)


def _free(pool: IPNetwork, taken: set[IPAddress]) -> IPAddress | None:
    return next((address for address in pool.hosts() if address not in taken), None)


def _clean_up(context: Context, service: Object) -> None:
    """What was a load balancer's is given back; a Service that is being deleted may go."""
    if FINALIZER not in (service["metadata"].get("finalizers") or ()):
        return
    if addresses(service):
        service = _write(context, service, ())
        context.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer", _COMPONENT)
    release(context.draft, service, FINALIZER)


def _write(context: Context, service: Object, given: Iterable[IPAddress]) -> Object:
    ingress = [{"ip": str(address), "ipMode": "VIP"} for address in given]
    status = {**service.get("status", {}), "loadBalancer": {"ingress": ingress} if ingress else {}}
    return context.update_status(service, status)
