"""Services -> node ports (pkg/registry/core/service/storage/alloc.go), in order and not at random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from cluster.objects import Object, subject
from cluster.problems import Problem
from cluster.reading.syntax import NODE_PORTS

STATIC_BAND = min(max(16, len(NODE_PORTS) // 32), 128)
"""So many ports at the start are left for manifests that name theirs ("Avoid Collisions Assigning Ports to NodePort
Services")."""

_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


def wants_ports(spec: Mapping[str, Any]) -> bool:
    """ "LoadBalancer … allocateLoadBalancerNodePorts may be set to false if the load-balancer does not rely on
    NodePorts"."""
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def wants_health_check(spec: Mapping[str, Any]) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def is_complete(service: Mapping[str, Any]) -> bool:
    spec = service["spec"]
    ports_done = not wants_ports(spec) or all(port.get("nodePort") for port in spec.get("ports") or ())
    return ports_done and (not wants_health_check(spec) or bool(spec.get("healthCheckNodePort")))


def kept(given: Mapping[str, Any], stored: Mapping[str, Any]) -> Object:
    """The spec with the node ports that the stored one has where `given` names none, and without those that its type
    does not have."""
    spec = dict(given)
    unchanged = spec.get("externalTrafficPolicy") == stored.get("externalTrafficPolicy")
    if _is_external(stored) and not _is_external(spec) and unchanged:
        # "If a user is switching to a type that doesn't need ExternalTrafficPolicy AND they did not change this field,
        # it is safe to drop it" (pkg/registry/core/service/strategy.go, dropTypeDependentFields).
        spec.pop("externalTrafficPolicy", None)
    if not wants_health_check(spec):
        spec.pop("healthCheckNodePort", None)
    elif "healthCheckNodePort" in stored:
        spec.setdefault("healthCheckNodePort", stored["healthCheckNodePort"])
    if not spec.get("ports"):
        return spec
    before = {_identity(port): port["nodePort"] for port in stored.get("ports") or () if port.get("nodePort")}
    if given.get("type") in _WITH_NODE_PORTS:
        named = {port.get("nodePort") for port in spec["ports"]}
        spec["ports"] = [
            {**port, "nodePort": before[_identity(port)]}
            if not port.get("nodePort") and before.get(_identity(port), 0) not in (0, *named)
            else port
            for port in spec["ports"]
        ]
    elif stored.get("type") in _WITH_NODE_PORTS:
        spec["ports"] = [
            {field: value for field, value in port.items() if field != "nodePort"}
            if port.get("nodePort") == before.get(_identity(port))
            else port
            for port in spec["ports"]
        ]
    return spec


def _is_external(spec: Mapping[str, Any]) -> bool:
    return spec.get("type") in _WITH_NODE_PORTS or bool(spec.get("type") == "ClusterIP" and spec.get("externalIPs"))


def taken(services: Sequence[Object], problems: list[Problem]) -> dict[tuple[int, str], Object]:
    """Every node port that a Service has or names; two Services that name the same are a problem of the later one."""
    holders: dict[tuple[int, str], Object] = {}
    for service in services:
        for field, key in _named(service):
            holder = holders.setdefault(key, service)
            if holder is not service:
                message = f"found {key[0]}; {subject(holder)} has that port"
                problems.append(Problem("", 0, subject(service), field, message))
    return holders


def with_ports(service: Object, holders: dict[tuple[int, str], Object]) -> Object:
    """The Service with all node ports; new ones are entered in `holders`."""
    spec = dict(service["spec"])
    if wants_ports(spec):
        ports: list[Object] = []
        for port in spec.get("ports") or ():
            number = port.get("nodePort") or _shared(port, ports) or _free(holders)
            holders[number, port.get("protocol", "TCP")] = service
            ports.append({**port, "nodePort": number})
        spec["ports"] = ports
    if wants_health_check(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = _free(holders)
        holders[spec["healthCheckNodePort"], "TCP"] = service
    return {**service, "spec": spec}


def _shared(port: Mapping[str, Any], ports: Sequence[Object]) -> int:
    """ "If the same port number is used for TCP and UDP, both get the same node port" (alloc.go, tryAllocateNodePorts)."""
    same = (other["nodePort"] for other in ports if other["port"] == port["port"])
    return next(same, 0)


def _named(service: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, str]]]:
    spec = service["spec"]
    if spec.get("type") not in _WITH_NODE_PORTS:
        return
    for index, port in enumerate(spec.get("ports") or ()):
        if port.get("nodePort"):
            yield f"spec.ports[{index}].nodePort", (port["nodePort"], port.get("protocol", "TCP"))
    if spec.get("healthCheckNodePort"):
        yield "spec.healthCheckNodePort", (spec["healthCheckNodePort"], "TCP")


def _free(holders: Mapping[tuple[int, str], Object]) -> int:
    used = {number for number, _ in holders}
    for number in chain(NODE_PORTS[STATIC_BAND:], NODE_PORTS[:STATIC_BAND]):
        if number not in used:
            return number
    raise ExhaustedError(f"all node ports of {NODE_PORTS[0]}-{NODE_PORTS[-1]} are allocated")


class ExhaustedError(Exception):
    """No node port is left."""


def _identity(port: Mapping[str, Any]) -> tuple[int, str]:
    return port["port"], port.get("protocol", "TCP")
