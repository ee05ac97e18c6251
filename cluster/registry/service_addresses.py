"""Admission of a Service: what it keeps of its allocation when it is updated, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster import node_ports
from cluster.defaults import kept_addresses
from cluster.model import IPNetwork
from cluster.objects import Object, name, namespace
from cluster.problems import Problem, SpecError
from cluster.registry.errors import Cause
from cluster.registry.field_errors import forbidden, invalid_value
from cluster.service_ips import allocate
from cluster.well_known import HEADLESS

_ADDRESS_FIELDS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
_HAS_IT = (" has that address", " has that port")


class RefusedError(Exception):
    """What a Service asks for and cannot have."""

    def __init__(self, causes: Sequence[Cause]) -> None:
        super().__init__("; ".join(cause.message for cause in causes))
        self.causes = causes


def admit(given: Object, stored: Object | None, services: Sequence[Object], subnets: Sequence[IPNetwork]) -> Object:
    """The Service with its addresses and node ports. Raises RefusedError.

    `services` are all of the cluster, the stored one among them.
    """
    spec = dict(given["spec"])
    if spec.get("clusterIP") == "":
        del spec["clusterIP"]
    before: Mapping[str, Any] = stored["spec"] if stored else {}
    spec = node_ports.kept(spec, before)
    if spec.get("type") == "ExternalName":
        return {**given, "spec": _without_addresses(spec, before, creates=stored is None)}
    _check_pair(spec)
    if stored is not None and before.get("type") != "ExternalName":
        spec = {**kept_addresses(spec, before), **spec}
    service = {**given, "spec": spec}
    me = (namespace(given), name(given))
    others = [one for one in services if (namespace(one), name(one)) != me]
    try:
        # Only this one may be incomplete; a Service of another writer that is, is completed by that writer.
        found = {(namespace(one), name(one)): one for one in allocate([*others, service], subnets)}
    except SpecError as error:
        raise RefusedError([_cause(problem, service) for problem in error.problems]) from error
    return found.get(me, service)


def _without_addresses(spec: Object, before: Mapping[str, Any], *, creates: bool) -> Object:
    """ "This field will be wiped when updating a Service to type ExternalName."""
    if creates and (spec.get("clusterIP") or spec.get("clusterIPs")):
        field = "spec.clusterIPs"
        raise RefusedError([forbidden(field, "may not be set when `type` is 'ExternalName'")])
    return {field: value for field, value in spec.items() if field not in _ADDRESS_FIELDS}


def _check_pair(spec: Mapping[str, Any]) -> None:
    ips, first = spec.get("clusterIPs") or [], spec.get("clusterIP")
    if first and ips and ips[0] != first:
        raise RefusedError([invalid_value("spec.clusterIPs", ips, "first value must match `clusterIP`")])
    if HEADLESS in ips[1:]:
        raise RefusedError([invalid_value("spec.clusterIPs", ips, "'None' must be the first and only value")])


def _cause(problem: Problem, service: Object) -> Cause:
    """In the words of Kubernetes' allocators."""
    said, _, rule = problem.message.partition("; ")
    value = said.removeprefix("found ")
    if problem.field.startswith("spec.ports["):
        return invalid_value(problem.field, int(value), "provided port is already allocated")
    ips = service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP")]
    if rule.endswith(_HAS_IT):
        return invalid_value("spec.clusterIPs", ips, f"failed to allocate IP {value}: provided IP is already allocated")
    _, in_range, subnet = rule.partition("must be in the service range ")
    if in_range:
        why = f"the provided IP ({value}) is not in the valid range. The range of valid IPs is {subnet}"
        return invalid_value("spec.clusterIPs", ips, f"failed to allocate IP {value}: {why}")
    return invalid_value(problem.field, value, rule or problem.message)
