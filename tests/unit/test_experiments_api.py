"""bench api: what it reads, what it counts, and its figures out of samples."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from experiments import api_bench, api_floor
from experiments.api_client import Access, parse_resident, read_access
from experiments.statistics import Samples


def test_a_kubeconfig_says_where_and_who(tmp_path: Path) -> None:
    authority = base64.b64encode(b"PEM").decode()
    cluster = {"server": "https://[::1]:6443", "certificate-authority-data": authority}
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps({"clusters": [{"cluster": cluster}], "users": [{"user": {"token": "secret"}}]}))
    assert read_access(file) == Access("::1", 6443, "PEM", "secret")


def test_resident_memory_is_in_bytes() -> None:
    assert parse_resident("VmHWM:\t9 kB\nVmRSS:\t  120 kB\n") == 122880
    with pytest.raises(ValueError, match="VmRSS"):
        parse_resident("")


def test_a_quantile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert api_bench.quantile(values, 0.99) == 100.0
    assert api_bench.quantile(values, 0.5) == 51.0
    assert api_bench.quantile([3.0], 0.99) == 3.0


def test_the_floor_does_the_work(tmp_path: Path) -> None:
    times = api_floor.measure(tmp_path / "floor.sqlite", [api_bench.pod("a"), api_bench.pod("b")], watchers=2)
    assert times.keys() == {"create_s", "list_s", "watch_s"}
    assert all(value > 0 for value in times.values())


def test_the_report_compares_with_the_goals() -> None:
    arms = {
        "create_s": 2.0, "list_s": 0.1, "delivery_p50_s": 0.005, "delivery_p99_s": 0.06, "writes_per_s": 700.0,
        "memory_bytes": 120e6, "floor_create_s": 0.1, "floor_list_s": 0.01, "floor_watch_s": 0.1,
    }  # fmt: skip
    samples = {name: Samples((value,)) for name, value in arms.items()}
    report = api_bench.report(samples, 10_000, {"boot_s": 4.0, "scale_s": 10.0})
    assert {goal.id: goal.holds for goal in report.goals} == {
        "sustained writes": True,
        "pods created with 20 watchers": True,
        "watch delivery p99": False,
        "memory at 10000 objects": True,
        "scale 10 to 500 over boot of 490": False,
    }
    assert report.raw["create_over_floor"]["median"] == 20.0
    assert len(api_bench.report(samples, 10_000, None).goals) == 4
