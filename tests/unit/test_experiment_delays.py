"""Which delays a run is held to."""

from __future__ import annotations

from samples import cluster_document

from cluster.reading.config import resolve
from experiments.scripted.delays import delayed_links
from experiments.testbed import Testbed


def test_a_cable_with_a_delay_is_pinged_across_it_and_the_other_ends() -> None:
    document = cluster_document(workers=2)
    links = [{"a": "worker", "b": "s1", "delay": "5ms"}, {"a": "worker2", "b": "s1", "delay": "20ms"}]
    document["underlay"] = {"topology": "star", "links": links}
    cluster = resolve(document)
    first, second = delayed_links(Testbed("t"), cluster)
    assert (first.name, first.round_trip_ms) == ("node/worker:delay", 10)
    assert (second.name, second.round_trip_ms) == ("node/worker2:delay", 40)
    assert first.ping[-1] == second.ping[-1] == str(cluster.nodes[0].addresses[0])
    assert "node/worker2" in second.ping


def test_the_delay_of_the_other_cable_counts_too() -> None:
    document = cluster_document(workers=1)
    document["underlay"] = {"topology": "star", "links": [{"a": node, "b": "s1", "delay": "5ms"}
                                                          for node in ("control-plane", "worker")]}  # fmt: skip
    assert [link.round_trip_ms for link in delayed_links(Testbed("t"), resolve(document))] == [20, 20]


def test_without_delays_nobody_is_pinged() -> None:
    assert delayed_links(Testbed("t"), resolve(cluster_document(workers=2))) == ()
