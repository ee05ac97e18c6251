"""What a shaped link should show, and what is made of what it shows."""

from __future__ import annotations

import pytest

from experiments import iperf, shaping_bench
from experiments.shaping_bench import RATES_MBPS
from experiments.statistics import Samples


def test_payload_of_a_full_frame() -> None:
    # 1,448 bytes of 1,514; with VXLAN 50 bytes of it are headers, too (RFC 7348).
    assert shaping_bench.payload_share("direct") == pytest.approx(1448 / 1514)
    assert shaping_bench.payload_share("overlay") == pytest.approx(1398 / 1514)


def test_one_worker_for_each_rate() -> None:
    cluster, deployment = shaping_bench.documents("overlay")
    links = cluster["underlay"]["links"]
    assert [link["bandwidth"] for link in links] == [f"{rate}Mbit" for rate in RATES_MBPS]
    assert links[0]["a"] == "worker2", "the sender's link has no limit"
    workers = next(node["count"] for node in cluster["nodes"] if node["role"] == "worker")
    assert deployment["spec"]["replicas"] == workers == len(links) + 1


@pytest.mark.parametrize(("measured", "holds"), [(1.0, True), (0.951, True), (1.049, True), (0.94, False), (1.06, False)])
def test_within_five_percent(measured: float, holds: bool) -> None:
    arms = {f"wire_{rate}": Samples((measured,)) for rate in RATES_MBPS}
    assert shaping_bench.report({"overlay": arms}, []).holds is holds


def test_the_beginning_is_left_out() -> None:
    assert iperf.Options(omit_seconds=1).arguments()[-2:] == ["--omit", "1"]
    assert "--omit" not in iperf.Options().arguments()
