"""The suite, from the first network to results.json."""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from experiments import environment
from experiments.fidelity import Monitor
from experiments.iperf import IperfError
from experiments.suite import arms, cells, loads, record, usage
from experiments.suite.arms import ARMS, Arm
from experiments.suite.cells import Cell
from experiments.suite.record import Run
from experiments.testbed import CommandError

RESULTS_FILE = "results.json"
_IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` of each measurement: short, and all the more of them, since what disturbs one lasts as long as it does."""

    quick: bool = False
    repetitions: int = 6
    seconds: float = 0.5
    seed: int = 1

    @property
    def cells(self) -> tuple[Cell, ...]:
        return (cells.IDLE[0], *cells.QUICK) if self.quick else (*cells.IDLE, *cells.ALL)


def order(options: Options) -> list[tuple[int, Cell, str]]:
    """Repetition, cell and arm.

    Loads and paths come in an order of chance, and so do the cells of each, which are compared; both arms of a cell one
    after the other, in turn first.
    """
    chance = random.Random(options.seed)
    found = []
    for repetition in range(options.repetitions):
        for number, cell in enumerate(_shuffled(options.cells, chance)):
            found += [(repetition, cell, arm) for arm in ARMS[:: 1 if (number + repetition) % 2 == 0 else -1]]
    return found


def _shuffled(some: Sequence[Cell], chance: random.Random) -> Iterator[Cell]:
    together = list(dict.fromkeys((cell.load, cell.path) for cell in some))
    chance.shuffle(together)
    for load, path in together:
        compared = [cell for cell in some if (cell.load, cell.path) == (load, path)]
        yield from chance.sample(compared, len(compared))


def run(options: Options, progress: Callable[[str], None]) -> dict[str, Any]:
    """The document of results.json. Raises CommandError when a network does not come up."""
    began, started = time.monotonic(), _now()
    progress("networks: mininetes and plain, overlay and direct")
    with tempfile.TemporaryDirectory(prefix="mininetes-suite-") as directory, \
            arms.up(cells.MODES, Path(directory)) as networks:  # fmt: skip
        spec = (Path(directory) / f"{cells.MODES[0]}.yaml").read_text()
        runs = list(_runs(networks, options, progress))
    found = record.ratios(runs)
    return {
        "version": 1, "name": "perf", "title": "What SDN costs, and what it gives",
        "question": "How much of the kernel's own data plane is left when Open vSwitch and a controller do its work?",
        "method": _method(options), "seed": options.seed, "started": started, "seconds": time.monotonic() - began,
        "versions": environment.versions(), "machine": environment.machine(), "file": spec,
        "arms": list(ARMS), "parameters": _parameters(runs), "figures": record.figures(),
        "reported": list(cells.REPORTED),
        "runs": [one.to_json() for one in runs], "ratios": [ratio.to_json() for ratio in record.reported(found)],
        "expectations": record.expectations(found, runs), "claims": record.claims(found, runs),
    }  # fmt: skip


def _runs(networks: Sequence[Arm], options: Options, progress: Callable[[str], None]) -> Iterator[Run]:
    planned = order(options)
    by_name = {(arm.name, arm.mode): arm for arm in networks}
    roots = {os.getpid(), *(arm.process_id for arm in networks)}
    began = time.monotonic()
    for number, (repetition, cell, arm) in enumerate(planned):
        done = _once(number, by_name[arm, cell.mode], cell, repetition, options, roots)
        yield done
        left_s = (time.monotonic() - began) / (number + 1) * (len(planned) - number - 1)
        progress(f"{number + 1}/{len(planned)}, {left_s:.0f} s left: {_said(done)}")


def _once(number: int, arm: Arm, cell: Cell, repetition: int, options: Options, roots: set[int]) -> Run:
    began, error, figures = _now(), None, {}
    # A sender of datagrams that sends as fast as it can loses most of them: that is what is measured.
    with Monitor(roots, drops_planned=cell.load == "udp") as monitor:
        spent = usage.Usage(arm.process_id)
        try:
            if cell.load == "idle":
                time.sleep(_IDLE_S)
            else:
                figures = loads.measure(arm, cell, options.seconds)
        except (IperfError, CommandError) as failure:
            error = str(failure)
        own = spent.processors()
    fidelity = monitor.report()
    used = fidelity.figures["cpu_busy"] * (os.cpu_count() or 1)
    figures |= {"network_processors": own, "processors": own if cell.load == "idle" else used}
    figures["memory"] = usage.memory_bytes(arm.process_id)
    seconds = fidelity.figures["seconds"]
    return Run(number, arm.name, cell, repetition, began, seconds, figures, fidelity, error)


def _said(done: Run) -> str:
    figure = cells.MAIN_FIGURE[done.cell.load]
    found = done.error or f"{figure} {done.figures[figure]:.4g}"
    return f"{done.arm} {' '.join(done.cell.parameters.values())}: {found}, {done.fidelity.verdict}"


def _method(options: Options) -> str:
    return (
        f"The same spec, two workers and three pods, in overlay and direct mode, as Mininetes runs it and on the "
        f"kernel's own data plane (routes, VXLAN, nftables), all up at the same time. Every cell {options.repetitions} "
        f"times for {options.seconds:g} s (UDP for whole seconds), cells in an order drawn from the seed, those that are compared near each "
        f"other, both arms of a cell one after the other. Ratios are "
        f"of runs of one repetition; absolute figures are medians. Runs whose fidelity is invalid are in no figure."
    )


def _parameters(runs: Sequence[Run]) -> dict[str, list[str]]:
    names = runs[0].cell.parameters if runs else {}
    return {name: list(dict.fromkeys(run.cell.parameters[name] for run in runs)) for name in names}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def write(document: dict[str, Any], results: Path) -> Path:
    """Into a directory of its own below `results`, named by when it began; that directory."""
    stamp = document["started"].replace(":", "").replace("-", "").split(".")[0]
    directory = results / str(document["name"]) / str(stamp)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / RESULTS_FILE).write_text(json.dumps(document, indent=1) + "\n")
    return directory
