"""A Service's port and its EndpointSlices -> where requests can go: to the pods themselves, as ingress-nginx does.

"Endpoint choice for Cluster traffic: endpoints with Ready; if there are none, Serving+Terminating" (KEP-1669).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from topo.ingress.site import Backend, External, Upstream
from topo.ingress.world import World


def backend(world: World, space: str, service_backend: Mapping[str, Any]) -> tuple[Backend, str]:
    """Of an IngressServiceBackend {"name", "port": {"name" | "number"}}, and why it has no endpoints if that is odd.

    A Service or port that is not there has none, so requests get 503.
    """
    called, wanted = service_backend["name"], service_backend.get("port") or {}
    # Neither a namespace nor a Service's name has a dot in it, so no two have one name.
    name = f"{space}.{called}.{wanted.get('name') or wanted.get('number', '')}"
    service = world.get("Service", space, called)
    if service is None:
        return Upstream(name, ()), f"Service {space}/{called} does not exist"
    spec = service["spec"]
    port = _port(spec.get("ports") or (), wanted)
    if spec.get("type") == "ExternalName":
        number = port["port"] if port else wanted.get("number")
        if number is None:
            return Upstream(name, ()), f"Service {space}/{called} has no port {wanted.get('name')!r}"
        return External(name, spec["externalName"].rstrip("."), number), ""
    if port is None:
        text = repr(wanted["name"]) if wanted.get("name") else str(wanted.get("number"))
        return Upstream(name, ()), f"Service {space}/{called} has no port {text}"
    return Upstream(name, _endpoints(world, space, called, port.get("name", ""))), ""


def _port(ports: Iterable[Mapping[str, Any]], wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for port in ports:
        if port.get("protocol", "TCP") != "TCP":
            continue
        if wanted.get("name"):
            if port.get("name") == wanted["name"]:
                return port
        elif port["port"] == wanted.get("number"):
            return port
    return None


def _endpoints(world: World, space: str, service: str, port_name: str) -> tuple[str, ...]:
    """Each once, in the order of their addresses' text: the same endpoints are the same configuration."""
    ready: set[str] = set()
    leaving: set[str] = set()
    for piece in world.slices(space, service):
        numbers = [each["port"] for each in piece.get("ports") or () if (each.get("name") or "") == port_name]
        for endpoint in piece.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            found = {_text(address, number) for number in numbers for address in endpoint["addresses"][:1]}
            if conditions.get("ready") is not False:
                ready |= found
            elif conditions.get("serving") and conditions.get("terminating"):
                leaving |= found
    return tuple(sorted(ready or leaving))


def _text(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
