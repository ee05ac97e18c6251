"""A tiny experiment, run for real: its steps, faults, samples and results. And `mininetes fault` in a testbed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from manifests import cluster, pod, tools
from testbeds import CALLER, PATIENCE_S, Testbed, able, started

from topo.waiting import wait_until

TINY = Path(__file__).parent / "experiments" / "tiny.yaml"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not able(CALLER):
        pytest.skip("this machine cannot have testbeds")
    root = tmp_path_factory.mktemp("results")
    command = ("experiment", "run", str(TINY), "--results", str(root))
    with CALLER.running(*command):
        wait_until(lambda: list(root.glob("tiny/*/runs/0001.json")), PATIENCE_S, "the first run to be finished")
    done = CALLER.mininetes(*command)
    assert done.status == 0, str(done)
    assert done.stderr.splitlines()[:2] == ["1 of 2 runs were finished before", "run 2 of 2: pod #1"], "the second was left"
    told: dict[str, Any] = json.loads(Path(done.output.splitlines()[-1]).with_name("results.json").read_text())
    return told


def test_steps_measure_and_faults_go_along(results: dict[str, Any]) -> None:
    for run in results["runs"]:
        steps = {step["name"]: step for step in run["steps"]}
        assert run["figures"]["load.requests"] == 75
        assert run["figures"]["load.failed"] == 0
        assert 0 < run["figures"]["ping.rtt"] < 0.1
        assert steps["crash"]["at_s"] >= steps["load"]["at_s"] + 0.3
        assert steps["ping"]["at_s"] >= steps["load"]["at_s"]
        assert steps["sure"]["at_s"] >= steps["load"]["at_s"] + 1.4
    by_arm = {run["arm"]: run["steps"][0]["tables"]["answers"] for run in results["runs"]}
    assert by_arm["pod"] == {"web-0": 75}
    assert by_arm["service"].keys() == {"web-0", "web-1"}


def test_what_was_decided_is_told(results: dict[str, Any]) -> None:
    planned = json.loads(CALLER.mininetes("experiment", "plan", str(TINY), "-o", "json").output)["runs"]
    assert [run["arm"] for run in results["runs"]] == [run["arm"] for run in planned]
    first, second = (run["placement"] for run in results["runs"])
    assert first == second
    assert first["default/web-0"] in ("worker", "control-plane")
    assert all(run["steps"][1]["note"] == "process controller kill" for run in results["runs"])


def test_every_run_says_how_far_it_is_to_be_trusted(results: dict[str, Any]) -> None:
    assert all(run["fidelity"]["verdict"] in ("valid", "degraded", "invalid") for run in results["runs"])
    assert all(run["fidelity"]["figures"]["cpu_busy"] > 0 for run in results["runs"])


def test_samples_are_taken_meanwhile(results: dict[str, Any]) -> None:
    for run in results["runs"]:
        assert len(run["samples"]["cpu/ovs-vswitchd"]) >= 3
        assert run["figures"]["cpu/ovs-vswitchd"] > 0
        assert run["figures"]["memory/controller"] > 1 << 20
        assert run["figures"]["flows"] > 50
        assert run["figures"]["packet_ins"] == 0
        assert run["figures"]["drops"] >= 0


def test_the_ratio_is_of_both_arms(results: dict[str, Any]) -> None:
    rates = {run["arm"]: run["figures"]["load.rate"] for run in results["runs"]}
    valid = all(run["fidelity"]["verdict"] != "invalid" for run in results["runs"])
    pairs = [ratio["pairs"] for ratio in results["ratios"]]
    assert pairs == ([[rates["service"] / rates["pod"]]] if valid else [])


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    pods = [pod(f"on-{node}", tools(), nodeName=node) for node in ("worker", "worker2")]
    with started(cluster(workers=2), *pods) as running:
        yield running


def fault(testbed: Testbed, *words: str) -> None:
    testbed.user.mininetes("fault", words[0], "--name", testbed.name, *words[1:]).output  # noqa: B018


def pings(testbed: Testbed, source: str, address: str) -> bool:
    return testbed.exec(source, "ping", "-c", "1", "-W", "1", address).status == 0


def test_links_and_partitions(testbed: Testbed) -> None:
    address = testbed.pods()["on-worker2"].ips[0]
    assert pings(testbed, "on-worker", address)
    for broken, mended in (
        (("link", "worker2", "s1", "down"), ("link", "worker2", "s1", "up")),
        (("partition", "worker", "worker2,control-plane"), ("partition", "worker", "worker2,control-plane", "--mend")),
        (("partition", "worker", "worker2"), ("mend",)),
    ):
        fault(testbed, *broken)
        assert not pings(testbed, "on-worker", address), broken
        fault(testbed, *mended)
        assert pings(testbed, "on-worker", address), mended


def test_a_shape_bounds_what_gets_through_and_is_taken_back(testbed: Testbed) -> None:
    def qdisc() -> str:
        return testbed.exec("node/worker", "tc", "class", "show", "dev", "eth0").output

    fault(testbed, "shape", "worker", "s1", "--bandwidth", "20Mbit")
    assert "rate 20Mbit" in qdisc()
    fault(testbed, "shape", "worker", "s1")
    assert qdisc() == ""


def test_processes_and_pods_come_back_or_not(testbed: Testbed) -> None:
    (old,) = testbed.process_ids("controller.app")
    fault(testbed, "process", "controller")
    testbed.wait_for_restart("controller.app", old)
    fault(testbed, "process", "api", "stop")
    fault(testbed, "process", "api", "continue")
    fault(testbed, "pod", "on-worker2")
    wait_until(lambda: "on-worker2" not in testbed.pods(), PATIENCE_S, "the pod to be gone")


def test_what_is_not_there_is_said_with_what_is(testbed: Testbed) -> None:
    done = testbed.user.mininetes("fault", "link", "--name", testbed.name, "worker", "worker2", "down")
    assert done.status == 2
    assert "there is no link worker - worker2 (have: control-plane - s1, worker - s1, worker2 - s1)" in done.stderr
