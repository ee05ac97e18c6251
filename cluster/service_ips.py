"""Services -> cluster addresses and node ports, as Kubernetes allocates them, but in order and not at random."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from itertools import chain
from typing import Any

from cluster import node_ports
from cluster.model import IPAddress, IPNetwork
from cluster.objects import Object, subject
from cluster.problems import Problem, SpecError
from cluster.well_known import HEADLESS

FAMILY_NAMES: Mapping[int, str] = {4: "IPv4", 6: "IPv6"}


def explicit_band(subnet: IPNetwork) -> int:
    """How many addresses at the start are left for manifests that name theirs: min(max(16, size/16), 256).

    (Kubernetes, "Avoiding Collisions when allocating ClusterIPs to Services".)
    """
    return min(max(16, subnet.num_addresses // 16), 256)


def allocate(services: Sequence[Object], subnets: Sequence[IPNetwork]) -> Sequence[Object]:
    """The Services among `services` (all of the cluster, oldest first) whose addresses or ports had to be completed.

    `subnets` holds one range per IP family, the primary family first. Raises SpecError with one Problem for every
    Service that wants what it cannot have.
    """
    problems: list[Problem] = []
    open_services = [one for one in services if not is_complete(one)]
    if not open_services:
        return []
    holders = node_ports.taken(services, problems)
    by_family = {FAMILY_NAMES[subnet.version]: subnet for subnet in subnets}
    taken = _taken(services, problems)
    allocated = []
    for service in open_services:
        try:
            complete = service if _has_addresses(service) else _with_addresses(service, by_family, taken)
            allocated.append(node_ports.with_ports(complete, holders))
        except node_ports.ExhaustedError as error:
            problems.append(Problem("", 0, subject(service), "spec.ports", str(error)))
        except _Refused as refused:
            problems.append(Problem("", 0, subject(service), refused.field, str(refused)))
    if problems:
        raise SpecError(problems)
    return allocated


class _Refused(Exception):
    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


def is_complete(service: Mapping[str, Any]) -> bool:
    """Whether a Service has all addresses and node ports that it is to have."""
    return _has_addresses(service) and node_ports.is_complete(service)


def _has_addresses(service: Mapping[str, Any]) -> bool:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return True
    ips, families = spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    return bool(ips) and (ips[0] == HEADLESS or len(ips) == len(families)) and bool(spec.get("ipFamilyPolicy"))


def _wanted(service: Mapping[str, Any]) -> Sequence[str]:
    """The addresses that the manifest names, or "None"."""
    spec = service["spec"]
    if spec.get("clusterIPs"):
        return list(spec["clusterIPs"])
    return [spec["clusterIP"]] if spec.get("clusterIP") else []


@lru_cache(maxsize=1 << 17)
def _number(text: str) -> int:
    """An address as a number, which no address of the other family has. With ten thousand Services, comparing
    addresses as objects would take the most of a write's time."""
    return _number_of(ip_address(text))


def _number_of(address: IPAddress) -> int:
    return address.version << 128 | int(address)


def _taken(services: Iterable[Object], problems: list[Problem]) -> set[int]:
    """Every address that a Service has or names: these come before any that is handed out."""
    holders: dict[int, Object] = {}
    for service in services:
        if service["spec"].get("type") == "ExternalName":
            continue
        for text in _wanted(service):
            if text == HEADLESS:
                continue
            holder = holders.setdefault(_number(text), service)
            if holder is not service:
                message = f"found {text}; {subject(holder)} has that address"
                problems.append(Problem("", 0, subject(service), "spec.clusterIP", message))
    return set(holders)


def _with_addresses(service: Object, by_family: Mapping[str, IPNetwork], taken: set[int]) -> Object:
    wanted = _wanted(service)
    policy, families = _families(service["spec"], wanted, list(by_family))
    if wanted == [HEADLESS]:
        ips = [HEADLESS]
    else:
        for text, family in zip(wanted, families, strict=False):
            if ip_address(text) not in by_family[family]:
                raise _Refused("spec.clusterIP", f"found {text}; must be in the service range {by_family[family]}")
        ips = [*wanted, *(_next_free(by_family[family], taken) for family in families[len(wanted) :])]
    spec = {
        **service["spec"],
        "clusterIP": ips[0],
        "clusterIPs": ips,
        "ipFamilies": families,
        "ipFamilyPolicy": policy,
    }
    return {**service, "spec": spec}


def _families(
    spec: Mapping[str, Any], wanted: Sequence[str], available: Sequence[str]
) -> tuple[str, Sequence[str]]:
    """ipFamilyPolicy and ipFamilies: what the manifest says, completed from the cluster's families."""
    named = [FAMILY_NAMES[ip_address(text).version] for text in wanted if text != HEADLESS]
    families = list(spec.get("ipFamilies") or named or available[:1])
    if named != families[: len(named)]:
        raise _Refused("spec.clusterIP", f"found {', '.join(wanted)}; must be of the families {', '.join(families)}")
    two = len(families) > 1 or len(named) > 1
    policy = str(spec.get("ipFamilyPolicy") or ("RequireDualStack" if two else "SingleStack"))
    if policy == "SingleStack" and two:
        raise _Refused("spec.ipFamilyPolicy", "found SingleStack; two IP families need a dual-stack policy")
    missing = [family for family in families if family not in available]
    if policy == "RequireDualStack" and len(available) < 2:
        raise _Refused("spec.ipFamilyPolicy", f"found RequireDualStack; this cluster has {available[0]} only")
    if missing:
        raise _Refused("spec.ipFamilies", f"found {missing[0]}; this cluster has {', '.join(available)} only")
    if policy != "SingleStack":
        families += [family for family in available if family not in families]
    return policy, families


def _next_free(subnet: IPNetwork, taken: set[int]) -> str:
    """The first free address above the explicit band, or within it when all others are taken."""
    first = _number_of(subnet.network_address)
    for offset in _offsets(subnet):
        if first + offset not in taken:
            taken.add(first + offset)
            return str(subnet.network_address + offset)
    raise _Refused("spec.clusterIP", f"the service range {subnet} is used up")


def _offsets(subnet: IPNetwork) -> Iterator[int]:
    band = explicit_band(subnet)
    # Without the network's own address and, in IPv4, the broadcast address.
    last = subnet.num_addresses - (1 if subnet.version == 4 else 0)
    yield from chain(range(band + 1, last), range(1, min(band + 1, last)))


def family_of(ip: str) -> str:
    """ "IPv4" or "IPv6"."""
    return FAMILY_NAMES[ip_address(ip).version]
