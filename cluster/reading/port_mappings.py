"""kind's extraPortMappings: a port of the host leads to a port of a node.

By default only this machine reaches it, as with the API server; kind's default is all of the host's addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from cluster.model import IPFamily, PortMapping
from cluster.reading.findings import Finding, found
from cluster.reading.syntax import is_ip

MAX_PORT = 65535
_CHOSEN = (-1, 0)
"""Host ports that stand for any free one: kind lets Docker choose, or chooses itself."""
_NO_SCTP = "must be TCP or UDP: an association of SCTP cannot be passed on by a process between two networks"
NamedNode = tuple[int, Mapping[str, Any], str]
"""Place in the document, entry, name."""


def port_mappings(nodes: Iterable[NamedNode], family: IPFamily) -> Iterator[PortMapping]:
    """Those of all nodes, in the order of the document, which is right."""
    local = "::1" if family == "ipv6" else "127.0.0.1"
    for _, entry, name in nodes:
        for mapping in entry.get("extraPortMappings", ()):
            address = ip_address(mapping.get("listenAddress") or local)
            host_port = max(mapping.get("hostPort", 0), 0)
            yield PortMapping(name, mapping["containerPort"], address, host_port, mapping.get("protocol", "TCP"))


def findings(nodes: Iterable[NamedNode]) -> Iterator[Finding]:
    taken: dict[tuple[str, int, str], str] = {}
    for place, entry, name in nodes:
        for index, mapping in enumerate(entry.get("extraPortMappings", ())):
            here = ("nodes", place, "extraPortMappings", index)
            yield from _findings(mapping, here)
            key = (mapping.get("listenAddress") or "", mapping.get("hostPort", 0), mapping.get("protocol", "TCP"))
            if key[1] not in _CHOSEN and key in taken:
                yield Finding((*here, "hostPort"), found(key[1], f"node {taken[key]} has it; must be another for {name}"))
            taken.setdefault(key, name)


def _findings(mapping: Mapping[str, Any], here: tuple[str | int, ...]) -> Iterator[Finding]:
    port = mapping.get("containerPort")
    if port is None:
        yield Finding((*here, "containerPort"), "found nothing; must be a port of the node")
    elif not 1 <= port <= MAX_PORT:
        yield Finding((*here, "containerPort"), found(port, f"must be between 1 and {MAX_PORT}"))
    host_port = mapping.get("hostPort", 0)
    if not min(_CHOSEN) <= host_port <= MAX_PORT:
        rule = f"must be between 1 and {MAX_PORT}, or 0 for any free port"
        yield Finding((*here, "hostPort"), found(host_port, rule))
    if (address := mapping.get("listenAddress")) and not is_ip(address):
        yield Finding((*here, "listenAddress"), found(address, "must be an IP address of this machine"))
    if mapping.get("protocol") == "SCTP":
        yield Finding((*here, "protocol"), found("SCTP", _NO_SCTP))
