"""bench dns: figures out of samples, and what its program in the pod asks (experiments/dns_bench.py, dns_asking.py)."""

from __future__ import annotations

import dns.message

from cluster.client import Batch, Event
from cluster.dns_index import Index
from cluster.dns_state import DnsState
from experiments import dns_asking, dns_bench
from experiments.statistics import Samples


def rates(ours: float, first: float) -> dict[str, Samples]:
    found = {"ours_again_per_s": ours, "ours_first_per_s": first, "dnsmasq_again_per_s": 20e3, "dnsmasq_first_per_s": 20e3}
    return {arm: Samples((value,)) for arm, value in found.items()}


def times_ms(lag: float = 20.0, idle: float = 0.2) -> dict[str, list[float]]:
    return {"lag_ms": [lag] * 100, "idle_ms": [idle] * 100, "full_ms": [idle] * 100}


def test_every_figure_has_a_goal() -> None:
    assert dns_bench.report(10_000, times_ms(), rates(15e3, 12e3)).holds
    for slow in (times_ms(lag=200), times_ms(idle=6)):
        assert not dns_bench.report(10_000, slow, rates(15e3, 12e3)).holds
    for few in (rates(1e3, 12e3), rates(15e3, 1e3), rates(9e3, 12e3)):
        assert not dns_bench.report(10_000, times_ms(), few).holds


def test_a_change_is_one_that_a_record_follows() -> None:
    state, index = DnsState(), Index()
    names = []
    for made, name, address in dns_bench._changes(4):
        names.append(name)
        if made["kind"] == "Service":
            made["spec"]["clusterIPs"] = [made["spec"]["clusterIP"]]  # as the API server fills it in
        index = take(state, made, *(dns_bench._headless(number) for number in range(2)))
        assert [record.data for record in index.find(f"{name}.", "A")] == [address]
    assert names == [
        f"{name}.many.svc.cluster.local" for name in ("peers-0", "fresh-1", "peers-1", "fresh-3")
    ], "endpoints and Services take turns"


def take(state: DnsState, *objects: dns_bench.Object) -> Index:
    return state.take(Batch(1, tuple(Event("ADDED", obj) for obj in objects)))


def test_a_question() -> None:
    asked = dns.message.from_wire(dns_asking.question(70_000, "web.default.svc.cluster.local"))
    assert asked.id == 70_000 - 65_536
    assert str(asked.question[0]) == "web.default.svc.cluster.local. IN A"
