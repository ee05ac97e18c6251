"""What can be wrong with an underlay: its options, its links' ends and shapes, hosts that nothing reaches.

Paths are relative to the `underlay` part of the cluster document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.reading.findings import Finding, found, suggestion
from cluster.reading.quantities import FIELDS, PARSERS
from cluster.reading.syntax import DNS_LABEL_RULE, is_dns_label
from cluster.reading.underlay import (
    DEFAULTS,
    END_NAMES,
    LISTED,
    OPTIONS,
    Ends,
    ends,
    graph,
    topology,
)


def graph_findings(spec: Mapping[str, Any], nodes: Sequence[str], clients: Sequence[str]) -> Iterator[Finding]:
    """What is wrong with the graph, paths relative to `underlay`. The fields themselves have passed the schema."""
    switches, cables = graph(spec, nodes, clients)
    for name in switches:
        if not is_dns_label(name):
            yield Finding(("switches",), found(name, DNS_LABEL_RULE))
    shared = sorted(set(switches) & {*nodes, *clients})
    for name in shared:
        yield Finding(("switches",), f"found '{name}' as a switch and as a node or client; names must be unique")
    if shared:
        return
    known = {*switches, *nodes, *clients}
    faulty = list(_link_findings(spec, cables, known))
    yield from faulty
    if not faulty:
        yield from _reach_findings(cables, known, (*nodes, *clients))


def option_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Options that the chosen topology does not have, or cannot do without."""
    name = topology(spec)
    for option in ("switches", *DEFAULTS):
        if option in spec and option not in OPTIONS[name]:
            owners = " or ".join(owner for owner, options in OPTIONS.items() if option in options)
            yield Finding((option,), f"found in topology '{name}'; belongs to topology {owners}")
    if name != LISTED and isinstance(spec.get("switches"), list):
        yield Finding(("switches",), "found a list; must be a number in topology linear")
    if name == LISTED and "links" not in spec:
        yield Finding(("links",), "found nothing; topology 'links' must list its links")


def _link_findings(spec: Mapping[str, Any], cables: Sequence[Ends], known: set[str]) -> Iterator[Finding]:
    """Each entry of `links`: two different ends that exist, and (in a named topology) a cable that is there."""
    cable_set = {frozenset(cable) for cable in cables}
    seen: dict[frozenset[str], int] = {}
    for index, entry in enumerate(spec.get("links", ())):
        pair = ends(entry)
        if not all(pair):
            yield Finding(("links", index), "found a link with one end; must have a and b")
            continue
        unknown = [end for end in pair if end not in known]
        for end in unknown:
            near = suggestion(end, known) or "; must be a node, a client or a switch: " + ", ".join(sorted(known))
            yield Finding(("links", index, _key_of(entry, end)), f"unknown link end '{end}'{near}")
        if pair[0] == pair[1]:
            yield Finding(("links", index), f"found a link from '{pair[0]}' to itself; must have two different ends")
        elif frozenset(pair) in seen:
            first = seen[frozenset(pair)]
            yield Finding(("links", index), f"found a second link {pair[0]} - {pair[1]}; links[{first}] is one")
        elif not unknown and frozenset(pair) not in cable_set:
            message = f"found {pair[0]} - {pair[1]}; topology '{topology(spec)}' has no such link"
            yield Finding(("links", index), message)
        seen.setdefault(frozenset(pair), index)


def _key_of(entry: Mapping[str, Any], end: str) -> str:
    return next(name for names in END_NAMES for name in names if str(entry.get(name)) == end)


def _reach_findings(cables: Sequence[Ends], known: set[str], hosts: Sequence[str]) -> Iterator[Finding]:
    """Every host has one uplink, and from the first host every other one is reached."""
    neighbours: dict[str, list[str]] = {name: [] for name in known}
    for a, b in cables:
        neighbours[a].append(b)
        neighbours[b].append(a)
    loose = [host for host in hosts if not neighbours[host]]
    for host in hosts:
        if len(neighbours[host]) > 1:
            others = ", ".join(neighbours[host])
            yield Finding(("links",), f"found '{host}' linked to {others}; a node or client has one uplink")
    for host in loose:
        yield Finding(("links",), f"no link reaches '{host}'; add one")
    attached = [host for host in hosts if host not in loose]
    if attached:
        reached = _reached(neighbours, attached[0])
        apart = [host for host in attached if host not in reached]
        if apart:
            message = f"no way from '{attached[0]}' to {', '.join(apart)}; the underlay must be connected"
            yield Finding(("links",), message)


def _reached(neighbours: Mapping[str, Sequence[str]], start: str) -> set[str]:
    reached, open_ends = {start}, [start]
    while open_ends:
        for other in neighbours[open_ends.pop()]:
            if other not in reached:
                reached.add(other)
                open_ends.append(other)
    return reached


def shape_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Bandwidth, delay, jitter and loss, by default and per link; paths relative to `underlay`."""
    places = [((), spec), *((("links", index), entry) for index, entry in enumerate(spec.get("links", ())))]
    for place, fields in places:
        for name in FIELDS:
            if name in fields:
                try:
                    PARSERS[name](fields[name])
                except ValueError as rule:
                    yield Finding((*place, name), found(fields[name], str(rule)))
        if "jitter" in fields and "delay" not in fields and "delay" not in spec:
            yield Finding((*place, "jitter"), "found jitter without delay; must have a delay to vary")
