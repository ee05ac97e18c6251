"""NetworkPolicy (kubernetes/pkg/apis/networking/validation, ValidateNetworkPolicySpec)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from cluster.reading.findings import Finding, Path, found
from cluster.reading.syntax import CIDR_RULE, PORT_RULE, PORTS, is_cidr
from cluster.rules.metadata import selector_findings
from cluster.rules.pods import port_reference_findings

_DIRECTIONS = (("ingress", "from"), ("egress", "to"))
_MAX_POLICY_TYPES = 2


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    spec: Mapping[str, Any] = data.get("spec", {})
    yield from selector_findings(spec.get("podSelector", {}), ("spec", "podSelector"))
    types = spec.get("policyTypes", ())
    if len(types) > _MAX_POLICY_TYPES:
        yield Finding(("spec", "policyTypes"), f"found {len(types)}; may not specify more than two policyTypes")
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction, ())):
            path: Path = ("spec", direction, index)
            for place, port in enumerate(rule.get("ports", ())):
                yield from _port_findings(port, (*path, "ports", place))
            for place, peer in enumerate(rule.get(peers, ())):
                yield from _peer_findings(peer, (*path, peers, place))


def _port_findings(entry: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    port, end_port = entry.get("port"), entry.get("endPort")
    if port is not None:
        yield from port_reference_findings((*path, "port"), port)
    if end_port is None:
        return
    here = (*path, "endPort")
    if port is None:
        yield Finding(here, found(end_port, "may not be specified when `port` is not specified"))
    elif isinstance(port, str):
        yield Finding(here, found(end_port, "may not be specified when `port` is non-numeric"))
    elif end_port < port:
        yield Finding(here, found(end_port, f"must be greater than or equal to `port`, which is {port}"))
    if end_port not in PORTS:
        yield Finding(here, found(end_port, PORT_RULE))


def _peer_findings(peer: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if not peer:
        yield Finding(path, "found an empty map; must specify a peer: podSelector, namespaceSelector or ipBlock")
    for name in ("podSelector", "namespaceSelector"):
        if name in peer:
            yield from selector_findings(peer[name], (*path, name))
    if "ipBlock" in peer:
        if len(peer) > 1:
            yield Finding((*path, "ipBlock"), "may not specify both ipBlock and another peer")
        yield from _ip_block_findings(peer["ipBlock"], (*path, "ipBlock"))


def _ip_block_findings(block: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    cidr = block.get("cidr")
    if cidr is None:
        return
    if not is_cidr(cidr):
        yield Finding((*path, "cidr"), found(cidr, CIDR_RULE))
    for index, hole in enumerate(block.get("except", ())):
        here = (*path, "except", index)
        if not is_cidr(hole):
            yield Finding(here, found(hole, CIDR_RULE))
        elif is_cidr(cidr) and not _strict_subset(hole, cidr):
            yield Finding(here, found(hole, f"must be a strict subset of `cidr`, which is {cidr}"))


def _strict_subset(inner: str, outer: str) -> bool:
    a, b = ip_network(inner, strict=False), ip_network(outer, strict=False)
    return a.version == b.version and a.prefixlen > b.prefixlen and a.overlaps(b)
