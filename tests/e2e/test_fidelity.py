"""Runs that are overloaded on purpose are flagged, clean ones are not; and watching costs next to nothing.

Slow (five minutes, and the machine has to be idle): MININETES_FIDELITY_RUNS=20 runs it so many times. Without it one
overloaded run, since that needs no idle machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from threading import Thread

import pytest

from experiments import generated, iperf, paths, testbed
from experiments.fidelity import Fidelity, Monitor
from experiments.testbed import Testbed

RUNS = int(os.environ.get("MININETES_FIDELITY_RUNS", "0"))
LOAD_S = 30
SPIN = "while :; do :; done"
TURN_S, INTERVAL_S = 0.8, 0.1


@dataclass(frozen=True)
class Bench:
    running: Testbed
    between: tuple[paths.Path, ...]

    def gbps(self, number: int) -> float:
        path = self.between[number % len(self.between)]
        server, client = (self.running.prefix(machine.target) for machine in (path.server, path.client))
        return iperf.measure(server, client, path.server.address(None), iperf.Options(seconds=2)).gbps

    def watched(self, number: int) -> Fidelity:
        with Monitor({os.getpid(), self.running.process_id()}) as monitor:
            self.gbps(number)
        return monitor.report()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    spec = generated.write(generated.for_throughput("overlay"), tmp_path_factory.mktemp("fidelity") / "spec.yaml")
    with testbed.running(spec, "fidelity") as running:
        yield Bench(running, tuple(paths.quick_look(running.inventory(), None)))


@contextmanager
def strangers(count: int) -> Iterator[None]:
    """Processes that take all they can get, and that are nobody's: their parents have ended."""
    script = f"timeout {LOAD_S} sh -c '{SPIN}' >/dev/null 2>&1 </dev/null & echo $!"
    pids = [int(subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout)
            for _ in range(count)]  # fmt: skip
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, 15)


@contextmanager
def inside(bench: Bench, count: int) -> Iterator[None]:
    """The same in a pod: the run's own, and too much of it."""
    prefix = bench.running.prefix(bench.between[0].client.target)
    argv = (*prefix, "timeout", str(LOAD_S), "sh", "-c", SPIN)
    with ExitStack() as stack:
        for _ in range(count):
            program = stack.enter_context(subprocess.Popen(argv, stdin=subprocess.DEVNULL))
            stack.callback(program.terminate)
        time.sleep(1)  # so long a program takes to be in the pod; a load that comes later is a smaller one
        yield


KINDS = ("one stranger", "four strangers", "eight in a pod")


@contextmanager
def overload(bench: Bench, kind: str) -> Iterator[None]:
    with inside(bench, 8) if kind == KINDS[2] else strangers(1 if kind == KINDS[0] else 4):
        yield


def test_an_overloaded_run_is_flagged(bench: Bench) -> None:
    with strangers(4):
        fidelity = bench.watched(0)
    assert fidelity.verdict != "valid", fidelity.figures
    assert any("sh" in culprit for culprit in fidelity.culprits), fidelity.culprits


@pytest.mark.skipif(RUNS == 0, reason="slow, and wants an idle machine: set MININETES_FIDELITY_RUNS=20")
def test_of_many_overloaded_runs_nearly_all_are_flagged(bench: Bench) -> None:
    missed = []
    for number, kind in enumerate(islice(cycle(KINDS), RUNS)):
        with overload(bench, kind):
            fidelity = bench.watched(number)
        print(f"overloaded by {kind}: {fidelity.verdict} {fidelity.culprits}", flush=True)
        if fidelity.verdict == "valid":
            missed.append((kind, fidelity.figures))
    assert len(missed) <= RUNS // 20, missed


@pytest.mark.skipif(RUNS == 0, reason="slow, and wants an idle machine: set MININETES_FIDELITY_RUNS=20")
def test_of_many_clean_runs_hardly_any_is_flagged(bench: Bench) -> None:
    found = [bench.watched(number) for number in range(RUNS)]
    flagged = [(fidelity.verdict, fidelity.culprits) for fidelity in found if fidelity.verdict != "valid"]
    print(f"clean: {len(flagged)} of {RUNS} flagged: {flagged}")
    assert len(flagged) <= RUNS // 20, flagged


@pytest.mark.skipif(RUNS == 0, reason="slow, and wants an idle machine: set MININETES_FIDELITY_RUNS=20")
def test_watching_costs_next_to_nothing(bench: Bench) -> None:
    """Of one connection, watched and unwatched in turn: two connections differ by more than is to be seen here."""
    path = bench.between[0]
    server, client = (bench.running.prefix(machine.target) for machine in (path.server, path.client))
    address, roots = str(path.server.address(None)), {os.getpid(), bench.running.process_id()}
    with rates((*server, "iperf3", "-s", "-1"), (*client, "iperf3", "-c", address)) as measured:
        measured.during(TURN_S)
        ratios = []
        for number in range(3 * RUNS):
            arms = {}
            for watched in (True, False) if number % 2 else (False, True):
                with Monitor(roots) if watched else nullcontext():
                    arms[watched] = measured.during(TURN_S)
            ratios.append(arms[True] / arms[False])
    print(f"watched over unwatched: median {median(ratios):.4f}, of {sorted(ratios)}")
    assert median(ratios) >= 0.98, sorted(ratios)


class Rates:
    """What one iperf3 connection carries, told ten times a second."""

    def __init__(self, client: subprocess.Popen[str]) -> None:
        self._client = client
        self._told: list[tuple[float, float]] = []
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._client.stdout or ():
            if found := re.search(r"([\d.]+) Mbits/sec", line):
                self._told.append((time.monotonic(), float(found[1])))

    def during(self, seconds: float) -> float:
        """Mbit/s, the median from now on, less what began before."""
        began = time.monotonic() + 2 * INTERVAL_S
        time.sleep(seconds)
        return median(rate for at, rate in self._told if at >= began)


@contextmanager
def rates(serve: tuple[str, ...], ask: tuple[str, ...]) -> Iterator[Rates]:
    with subprocess.Popen((*serve, "--forceflush"), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        while "listening" not in server.stdout.readline():
            pass
        argv = (*ask, "-t", "600", "-i", str(INTERVAL_S), "-f", "m", "--forceflush")
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as client:
            try:
                yield Rates(client)
            finally:
                client.terminate()
                server.terminate()
