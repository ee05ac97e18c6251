"""Topologies: their switches and links."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.model import LinkShape
from cluster.reading.quantities import bandwidth_mbps, loss_percent, time_ms
from cluster.reading.underlay import build
from cluster.reading.underlay_findings import graph_findings, option_findings, shape_findings

NODES = ("n1", "n2", "n3", "n4")


def cables(spec: dict[str, Any], clients: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    assert not list(graph_findings(spec, NODES, clients))
    return [(link.a, link.b) for link in build(spec, NODES, clients, ()).links]


def test_star() -> None:
    assert cables({}, ("c",)) == [("n1", "s1"), ("n2", "s1"), ("n3", "s1"), ("n4", "s1"), ("c", "s1")]


def test_linear_has_a_switch_per_node() -> None:
    assert cables({"topology": "linear"}) == [
        *(("s1", "s2"), ("s2", "s3"), ("s3", "s4")),
        *(("n1", "s1"), ("n2", "s2"), ("n3", "s3"), ("n4", "s4")),
    ]


def test_linear_with_fewer_switches_deals_the_nodes_out() -> None:
    links = cables({"topology": "linear", "switches": 2})
    assert links == [("s1", "s2"), ("n1", "s1"), ("n2", "s2"), ("n3", "s1"), ("n4", "s2")]


def test_tree() -> None:
    links = cables({"topology": "tree", "depth": 3, "fanout": 2})
    assert links[:6] == [("s1", "s2"), ("s1", "s3"), ("s2", "s4"), ("s2", "s5"), ("s3", "s6"), ("s3", "s7")]
    assert links[6:] == [("n1", "s4"), ("n2", "s5"), ("n3", "s6"), ("n4", "s7")]


def test_leaf_spine_links_every_leaf_to_every_spine() -> None:
    links = cables({"topology": "leaf-spine", "leaves": 2, "spines": 3})
    assert links[:6] == [(leaf, spine) for leaf in ("s1", "s2") for spine in ("s3", "s4", "s5")]
    assert links[6:] == [("n1", "s1"), ("n2", "s2"), ("n3", "s1"), ("n4", "s2")]


def test_listed_links_name_their_own_switches() -> None:
    spec = {"links": [{"from": name, "to": "core"} for name in NODES], "switches": ["core"]}
    assert build(spec, NODES, (), ()).switches == ("core",)
    assert cables(spec) == [(name, "core") for name in NODES]


def test_listed_switches_are_found_by_their_names() -> None:
    ends = zip(NODES, ("s1", "s1", "s10", "s2"), strict=True)
    spec = {"links": [*({"a": a, "b": b} for a, b in ends), {"a": "s1", "b": "s2"}, {"a": "s2", "b": "s10"}]}
    assert build(spec, NODES, (), ()).switches == ("s1", "s2", "s10")


def test_a_links_own_shape_goes_before_the_default() -> None:
    spec = {"bandwidth": "1Gbit", "delay": "5ms", "links": [{"a": "s1", "b": "n2", "delay": 0.5}], "topology": "star"}
    shapes = {link.a: link.shape for link in build(spec, NODES, (), ()).links}
    assert shapes["n1"] == LinkShape(bandwidth_mbps=1000, delay_ms=5)
    assert shapes["n2"] == LinkShape(bandwidth_mbps=1000, delay_ms=0.5)
    assert shapes["n1"].needs_netem


def test_bandwidth_alone_needs_no_netem() -> None:
    assert not build({"bandwidth": 10}, NODES, (), ()).links[0].shape.needs_netem


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"topology": "linear", "switches": ["a"]}, "found a list; must be a number in topology linear"),
        ({"topology": "links"}, "found nothing; topology 'links' must list its links"),
        ({"topology": "star", "switches": 2}, "found in topology 'star'; belongs to topology linear or links"),
    ],
)
def test_wrong_options(spec: dict[str, Any], message: str) -> None:
    assert [finding.message for finding in option_findings(spec)] == [message]


def test_jitter_of_a_link_may_vary_the_default_delay() -> None:
    assert not list(shape_findings({"delay": 5, "links": [{"a": "n1", "b": "s1", "jitter": 1}]}))


@pytest.mark.parametrize(
    ("text", "mbps"), [(10, 10), (2.5, 2.5), ("100Mbit", 100), ("10Gbit", 10000), ("500kbit", 0.5), ("7", 7)]
)
def test_bandwidth(text: Any, mbps: float) -> None:
    assert bandwidth_mbps(text) == mbps


@pytest.mark.parametrize(("text", "ms"), [(5, 5), ("5ms", 5), ("200us", 0.2), ("1s", 1000), ("0", 0)])
def test_time(text: Any, ms: float) -> None:
    assert time_ms(text) == ms


@pytest.mark.parametrize(("text", "percent"), [(1, 1), ("1%", 1), ("0.5 %", 0.5), (100, 100)])
def test_loss(text: Any, percent: float) -> None:
    assert loss_percent(text) == percent


@pytest.mark.parametrize("wrong", ["fast", "10MB", "-1", "", "1e3", True])
def test_what_is_no_bandwidth(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be greater than 0"):
        bandwidth_mbps(wrong)
