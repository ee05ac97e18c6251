"""Results of experiments as runs would write them, made up from a seed: the same on every call."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from statistics import median
from typing import Any

from experiments.reports.result import Result, parse

Document = dict[str, Any]
VALID: Document = {"verdict": "valid", "culprits": [], "figures": {"cpu_busy_ratio": 0.62, "timer_late_p99_s": 0.0008}}
DEGRADED: Document = {
    "verdict": "degraded", "culprits": ["other processes took 8 % of the processors (at most 5 % is clean)"],
    "figures": {"cpu_busy_ratio": 0.93, "timer_late_p99_s": 0.004},
}  # fmt: skip
INVALID: Document = {
    "verdict": "invalid", "culprits": ["the processors were busy 99 % of the time: ovs-vswitchd of worker waited for one"],
    "figures": {"cpu_busy_ratio": 0.99, "timer_late_p99_s": 0.06},
}  # fmt: skip


def comparison(seed: int = 7, slower: float = 1.0) -> Document:
    """Overlay and direct, two parameters of words, three repetitions; one run degraded and one invalid."""
    draw = random.Random(seed)
    parameters = {"path": ["same node", "across nodes"], "streams": ["1", "8"]}
    runs = []
    for repetition in range(3):
        for path in parameters["path"]:
            for streams in parameters["streams"]:
                for arm in ("overlay", "direct"):
                    rate = (5.2e9 if path == "same node" else 2.4e9) * (1.12 if streams == "8" else 1) / slower
                    rate *= 0.88 if arm == "overlay" and path == "across nodes" else 1
                    figures = {"tcp": rate * draw.uniform(0.97, 1.03), "cpu": 1.4 * draw.uniform(0.97, 1.03)}
                    runs.append(run(len(runs), arm, {"path": path, "streams": streams}, repetition, figures))
    runs[5]["fidelity"] = {**DEGRADED}
    runs[6] |= {"fidelity": {**INVALID}, "figures": {"tcp": 0.7e9, "cpu": 1.9}}
    figures = [figure("tcp", "bit/s", "higher", "What iperf3 receives over TCP."),
               figure("cpu", "s", "lower", "Processor seconds of all switches for one second of traffic.")]  # fmt: skip
    by = {"path": "across nodes", "streams": "1"}
    expectations = [
        {"text": "overlay reaches at least 0.8 of direct", "holds": True, "found": "0.88"},
        {"text": "eight streams are no slower than one", "holds": None, "found": "1 of the runs is invalid"},
    ]
    return document("overlay-direct", "Overlay or direct routing", "What does VXLAN cost?", runs, figures, parameters,
                    ratios=[ratio(runs, "tcp", "overlay", "direct", by)], expectations=expectations)  # fmt: skip


def sweep(seed: int = 7) -> Document:
    """One numeric parameter over three decades: one arm grows with it, the other does not."""
    draw = random.Random(seed)
    sizes, runs = [10, 100, 1000, 10_000], []
    for repetition in range(5):
        for size in sizes:
            for arm, slope in (("pipeline", 0.0), ("iptables style", 2.4e-7)):
                latency = (4.1e-4 + slope * size) * draw.uniform(0.94, 1.08)
                runs.append(run(len(runs), arm, {"services": size}, repetition, {"first_packet": latency}))
    figures = [figure("first_packet", "s", "lower", "From a connection's first packet until it is accepted, p50.")]
    ratios = [ratio(runs, "first_packet", "pipeline", "iptables style", {"services": size}) for size in sizes]
    return document("services", "Growing Services", "Do many Services slow down a connection?", runs, figures,
                    {"services": sizes}, ratios=ratios)  # fmt: skip


def failover(seed: int = 7) -> Document:
    """A load over time with two faults, one arm, five repetitions of which one is invalid."""
    draw = random.Random(seed)
    runs = []
    for repetition in range(5):
        back = 3.0 + draw.uniform(0.9, 1.6)
        rate = [[t / 10, 0.0 if 3.0 < t / 10 < back else 400 * draw.uniform(0.95, 1.05)] for t in range(100)]
        waits = [[t / 10, (0.9 if 3.0 < t / 10 < back else 0.004) * draw.uniform(0.8, 1.3)] for t in range(100)]
        busy = [[t / 2, 35 + 20 * math.sin(t / 3) + draw.uniform(-5, 5)] for t in range(20)]
        one = run(repetition, "two workers", {}, repetition, {"gap": back - 3.0, "failed": float(draw.randrange(3, 9))})
        one["steps"] = [
            step("load", "request", 0.0, 10.0, {"requests_per_s": rate, "latency_s": waits}),
            step("worker2 off", "fault", 3.0, 0.1), step("worker2 on", "fault", 7.0, 0.1),
        ]  # fmt: skip
        one["samples"] = {
            "cpu_percent/ovs-vswitchd": busy, "cpu_percent/controller": [[t, value / 3] for t, value in busy],
            "memory_bytes": [[t, 2.0e8 + 1e6 * t] for t, _ in busy],
        }  # fmt: skip
        runs.append(one)
    runs[3]["fidelity"] = {**INVALID}
    figures = [figure("gap", "s", "lower", "The longest time without an answer."),
               figure("failed", "count", "lower", "Requests that were not answered.")]  # fmt: skip
    expectations = [{"text": "gap is at most 2 s", "holds": True, "found": "1.2 s"},
                    {"text": "failed is 0", "holds": False, "found": "6"}]  # fmt: skip
    return document("failover", "When a node is lost", "How long do clients notice?", runs, figures, {},
                    expectations=expectations)  # fmt: skip


def ruined() -> Document:
    """Not one run can be used: one is invalid, the other failed."""
    runs = [run(0, "alone", {}, 0, {"gap": 1.0}), run(1, "alone", {}, 1, {})]
    runs[0]["fidelity"] = {**INVALID}
    runs[1] |= {"error": "the step 'load' failed: <curl> & its exit status 7", "fidelity": {**VALID}}
    return document("ruined", "Nothing to be had", "What if all fails?", runs, [figure("gap", "s", None, "A gap.")], {})


def figure(name: str, unit: str, better: str | None, text: str) -> Document:
    return {"name": name, "unit": unit, "better": better, "text": text}


def step(name: str, kind: str, at_s: float, seconds: float, series: Document | None = None) -> Document:
    return {"name": name, "kind": kind, "at_s": at_s, "seconds": seconds, "figures": {}, "series": series or {},
            "error": None}  # fmt: skip


def run(order: int, arm: str, parameters: Document, repetition: int, figures: Document) -> Document:
    return {
        "order": order, "arm": arm, "parameters": parameters, "repetition": repetition,
        "began": f"2026-03-01T12:{order:02d}:00Z", "seconds": 10.0, "steps": [step("measure", "iperf3", 1.0, 8.0)],
        "samples": {}, "figures": figures, "fidelity": {**VALID}, "error": None,
    }  # fmt: skip


def ratio(runs: list[Document], name: str, over: str, of: str, by: Document) -> Document:
    pairs = [
        upper["figures"][name] / lower["figures"][name] for upper in runs for lower in runs
        if (upper["arm"], lower["arm"]) == (over, of) and upper["repetition"] == lower["repetition"]
        and upper["parameters"] == lower["parameters"] == by
        and "invalid" not in (upper["fidelity"]["verdict"], lower["fidelity"]["verdict"])
    ]  # fmt: skip
    return {"name": f"{over} / {of}", "figure": name, "over": over, "of": of, "by": by, "pairs": pairs,
            "median": median(pairs) if pairs else None}  # fmt: skip


def document(
    name: str, title: str, question: str, runs: list[Document], figures: list[Document], parameters: Document,
    ratios: list[Document] | None = None, expectations: list[Document] | None = None,
) -> Document:  # fmt: skip
    return {
        "version": 1, "name": name, "title": title, "question": question, "seed": 7, "started": "2026-03-01T12:00:00Z",
        "method": "Both arms run on the same testbed, one after the other. The arms take turns.", "seconds": 164.0,
        "versions": {"mininetes": "0.1.0", "open_vswitch": "3.1.0", "ryu": "4.34", "python": "3.11.2",
                     "kernel": "6.1.0", "iperf3": "3.12"},
        "machine": {"processors": 2, "model": "A processor", "memory_bytes": 8 * 2**30, "datapath": "netdev"},
        "file": f"kind: Experiment\nname: {name}\n# <as it was>\n", "arms": list(dict.fromkeys(one["arm"] for one in runs)),
        "parameters": parameters, "figures": figures, "runs": runs, "ratios": ratios or [],
        "expectations": expectations or [], "claims": [],
    }  # fmt: skip


def result(made: Document) -> Result:
    """Through JSON, as it comes from a file."""
    return parse(json.loads(json.dumps(made)))


def save(made: Document, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(made))
    return directory
