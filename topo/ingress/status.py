"""Where Ingresses are reached, for their status.loadBalancer (ingress-nginx, internal/ingress/status)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from topo.ingress import classes
from topo.ingress.options import Options
from topo.ingress.world import Object, World, name, namespace

Addresses = list[dict[str, Any]]


def addresses(world: World, options: Options) -> Addresses:
    """What --publish-status-address says, else those of the Service that --publish-service names: a load balancer's,
    external addresses, or the cluster address where it has no others."""
    if options.publish_status_address:
        return [_entry(each.strip()) for each in options.publish_status_address.split(",")]
    space, _, service_name = options.publish_service.partition("/")
    service = world.get("Service", space, service_name)
    if service is None:
        return []
    spec, kind = service["spec"], service["spec"].get("type", "ClusterIP")
    if kind == "ExternalName":
        return [{"hostname": spec["externalName"]}]
    external = [_entry(each) for each in spec.get("externalIPs") or ()]
    if kind == "LoadBalancer":
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        kept = [{key: each[key] for key in ("ip", "hostname") if key in each} for each in given]
        return sorted((*kept, *external), key=str)
    if external:
        return external
    return [_entry(each) for each in spec.get("clusterIPs") or () if each != "None"]


def changes(world: World, options: Options) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and merge patch for every Ingress of this controller whose status says something else."""
    wanted = addresses(world, options)
    for ingress in world.ingresses():
        if classes.is_ours(ingress, world, options) and _shown(ingress) != wanted:
            path = f"/apis/networking.k8s.io/v1/namespaces/{namespace(ingress)}/ingresses/{name(ingress)}/status"
            yield path, {"status": {"loadBalancer": {"ingress": wanted}}}


def _shown(ingress: Object) -> Addresses:
    return list(((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ())


def _entry(text: str) -> dict[str, Any]:
    return {"ip": text} if text.replace(".", "").isdigit() or ":" in text else {"hostname": text}
