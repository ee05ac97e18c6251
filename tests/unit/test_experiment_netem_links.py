"""Which delays, jitters and losses a run is held to."""

from __future__ import annotations

from typing import Any

from samples import cluster_document

from cluster.model import Cluster
from cluster.reading.config import resolve
from experiments.fidelity import Cable
from experiments.scripted.netem_links import netem_links
from experiments.testbed import Testbed


def star(workers: int, *links: dict[str, Any]) -> Cluster:
    document = cluster_document(workers=workers)
    document["underlay"] = {"topology": "star", "links": [{"b": "s1", **link} for link in links]}
    return resolve(document)


def test_a_cable_with_a_delay_is_pinged_across_it_and_the_other_ends() -> None:
    cluster = star(2, {"a": "worker", "delay": "5ms"}, {"a": "worker2", "delay": "20ms"})
    first, second = netem_links(Testbed("t"), cluster)
    assert (first.name, first.cables) == ("worker:cable", (Cable(5.0), Cable()))
    assert (second.name, second.cables) == ("worker2:cable", (Cable(20.0), Cable()))
    assert first.ping[-1] == second.ping[-1] == str(cluster.nodes[0].addresses[0])
    assert "node/worker2" in second.ping


def test_the_other_cable_counts_too_if_all_have_something() -> None:
    cluster = star(1, *({"a": node, "delay": "5ms", "jitter": "1ms"} for node in ("control-plane", "worker")))
    assert [link.cables for link in netem_links(Testbed("t"), cluster)] == [(Cable(5.0, 1.0),) * 2] * 2


def test_the_other_end_is_one_whose_cable_has_nothing() -> None:
    cluster = star(2, {"a": "control-plane", "loss": 1}, {"a": "worker", "loss": 20})
    assert [link.cables for link in netem_links(Testbed("t"), cluster)] == [
        (Cable(loss=0.01), Cable()), (Cable(loss=0.2), Cable()),
    ]  # fmt: skip


def test_jitter_and_loss_take_many_pings() -> None:
    counts = [
        link.ping[link.ping.index("-c") + 1]
        for shape in ({"delay": "5ms"}, {"delay": "5ms", "jitter": "1ms"}, {"loss": 1})
        for link in netem_links(Testbed("t"), star(1, {"a": "worker", **shape}))
    ]
    assert int(counts[0]) * 50 < int(counts[1]) == int(counts[2])


def test_without_any_nobody_is_pinged() -> None:
    assert netem_links(Testbed("t"), star(2, {"a": "worker", "bandwidth": "10Mbit"})) == ()


def test_what_a_way_takes_anyway_is_asked_once_for_all() -> None:
    cluster = star(2, {"a": "worker", "delay": "5ms"}, {"a": "worker2", "loss": 1})
    assert len({link.ping_bare for link in netem_links(Testbed("t"), cluster)}) == 1
