"""A named topology -> switches and links. Pure: the same options and names give the same graph.

Switches are s1, s2 …; nodes hang on them in the order of the document, external clients on the first one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from cluster.model import IPNetwork, Link, LinkShape, Underlay
from cluster.reading.quantities import shape

Ends = tuple[str, str]
Graph = tuple[tuple[str, ...], tuple[Ends, ...]]
"""Switches and the cables between any two of: switch, node, client."""

LISTED = "links"
"""The topology that is nothing but its list of links."""

DEFAULT_TOPOLOGY = "star"
DEFAULTS = {"leaves": 2, "spines": 2, "fanout": 2, "depth": 2}
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "star": (),
    "linear": ("switches",),
    "tree": ("depth", "fanout"),
    "leaf-spine": ("leaves", "spines"),
    LISTED: ("switches",),
}
"""Which options each topology has."""

_SWITCH = re.compile(r"s\d+")
END_NAMES = (("a", "from"), ("b", "to"))


def build(
    spec: Mapping[str, Any], nodes: Sequence[str], clients: Sequence[str], subnets: Sequence[IPNetwork]
) -> Underlay:
    """The underlay that the `underlay` part of a cluster document asks for; it has passed `underlay_findings`."""
    switches, cables = graph(spec, nodes, clients)
    default = shape(dict(spec))
    shapes = {frozenset(ends(entry)): _overridden(default, entry) for entry in spec.get("links", ())}
    links = tuple(Link(a, b, shapes.get(frozenset((a, b)), default)) for a, b in cables)
    return Underlay(topology(spec), switches, links, tuple(subnets))


def topology(spec: Mapping[str, Any]) -> str:
    """The topology's name; links alone mean exactly these links."""
    return str(spec.get("topology", LISTED if "links" in spec else DEFAULT_TOPOLOGY))


def ends(link: Mapping[str, Any]) -> Ends:
    """The two ends of a link as written: a and b, or from and to."""
    first, second = (next((str(link[name]) for name in names if name in link), "") for names in END_NAMES)
    return first, second


def graph(spec: Mapping[str, Any], nodes: Sequence[str], clients: Sequence[str]) -> Graph:
    name = topology(spec)
    if name == LISTED:
        return _listed(spec, (*nodes, *clients))
    switches, edges, cables = _SHAPES[name]({**DEFAULTS, **spec}, len(nodes))
    cables += [(node, edges[index % len(edges)]) for index, node in enumerate(nodes)]
    cables += [(client, switches[0]) for client in clients]
    return switches, tuple(cables)


Fabric = tuple[tuple[str, ...], Sequence[str], list[Ends]]
"""All switches; those that nodes hang on, in turn; the cables between switches."""


def _named(count: int) -> tuple[str, ...]:
    return tuple(f"s{number}" for number in range(1, count + 1))


def _star(options: Mapping[str, Any], node_count: int) -> Fabric:
    switches = _named(1)
    return switches, switches, []


def _linear(options: Mapping[str, Any], node_count: int) -> Fabric:
    """A chain; a switch per node unless `switches` says how many."""
    switches = _named(max(1, options.get("switches", node_count)))
    return switches, switches, list(pairwise(switches))


def _tree(options: Mapping[str, Any], node_count: int) -> Fabric:
    """`depth` layers of switches, each with `fanout` below it; nodes hang on the lowest layer."""
    depth, fanout = options["depth"], options["fanout"]
    layers = [fanout**layer for layer in range(depth)]
    switches = _named(sum(layers))
    cables = [(switches[(child - 1) // fanout], switches[child]) for child in range(1, len(switches))]
    return switches, switches[-layers[-1] :], cables


def _leaf_spine(options: Mapping[str, Any], node_count: int) -> Fabric:
    """Leaves first, then spines; every leaf is linked to every spine."""
    leaf_count = options["leaves"]
    switches = _named(leaf_count + options["spines"])
    leaves, spines = switches[:leaf_count], switches[leaf_count:]
    return switches, leaves, [(leaf, spine) for leaf in leaves for spine in spines]


_SHAPES: Mapping[str, Callable[[Mapping[str, Any], int], Fabric]] = {
    "star": _star,
    "linear": _linear,
    "tree": _tree,
    "leaf-spine": _leaf_spine,
}


def _listed(spec: Mapping[str, Any], hosts: Sequence[str]) -> Graph:
    """Just these links. Switches are those declared, else every end that is called s1, s2 … and is no host."""
    cables = tuple(ends(link) for link in spec.get("links", ()))
    declared = spec.get("switches")
    if isinstance(declared, list):
        return tuple(declared), cables
    if declared is not None:
        return _named(declared), cables
    named = dict.fromkeys(end for cable in cables for end in cable if _SWITCH.fullmatch(end) and end not in hosts)
    return tuple(sorted(named, key=lambda name: int(name[1:]))), cables


def _overridden(default: LinkShape, entry: Mapping[str, Any]) -> LinkShape:
    own = shape(dict(entry))
    values = {
        name: value
        for name in ("bandwidth_mbps", "delay_ms", "jitter_ms", "loss_percent")
        if (value := getattr(own, name)) is not None
    }
    return replace(default, **values)
