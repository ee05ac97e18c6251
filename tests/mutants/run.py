"""Does the suite notice a wrong engine? `python tests/mutants/run.py [FIRST [LAST]]`, or `make mutants` for all.

Each mutant is a copy of the sources with one place changed; the tests of policies must fail on it. Ends with 1 if one
lives, or if a mutant's place is not there (any more) exactly once. A mutant that runs for longer, or grows larger, than
the tests of the right engine ever would is noticed, too, and ended.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("cluster", "controller", "tests")
TESTS = ("tests/unit/test_controller_policies.py", "tests/ovs/test_policy_cases.py", "tests/ovs/test_policy_random.py")
TIMEOUT_S = 600.0
"""The right engine takes 150 s."""
MEMORY_BYTES = 4 << 30
"""Of addresses, for each process: the right engine's pytest has 1 GB, its switch 1 GB."""
Mutant = tuple[str, str, str]


def mutants() -> list[Mutant]:
    return [tuple(each) for each in yaml.safe_load(Path(__file__).with_name("mutants.yaml").read_text())]


def misplaced() -> list[Mutant]:
    """Those whose place does not stand in the file exactly once."""
    return [each for each in mutants() if (ROOT / "controller" / each[0]).read_text().count(each[1]) != 1]


def noticed_by(mutant: Mutant | None) -> str | None:
    """What noticed it: the test that failed first, the clock, the memory; None: nothing did. No mutant: the engine."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        for room in ROOMS:
            shutil.copytree(ROOT / room, Path(directory) / room, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "setup.cfg", directory)
        if mutant is not None:
            file, before, after = mutant
            path = Path(directory) / "controller" / file
            path.write_text(path.read_text().replace(before, after))
        thorough = {"MININETES_ALL_CASES": "1", "MININETES_NO_SHRINKING": "1"}
        environment = {**os.environ, **thorough, "PYTHONPATH": directory}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS]
        status, said = _limited(command, directory, environment)
    if status == 0:
        return None
    failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if status == 1 and failed:
        return failed[0].split(" - ")[0]
    if status is None:
        return f"not done after {TIMEOUT_S:g} s"
    if "MemoryError" in said or "Cannot allocate memory" in said:
        return f"more than {MEMORY_BYTES >> 30} GB"
    raise RuntimeError(f"{mutant}: pytest ended with {status}:\n{said[-4000:]}")


def _limited(command: Sequence[str], directory: str, environment: dict[str, str]) -> tuple[int | None, str]:
    """The status of a command (None: it took too long), and what it printed. Nothing of it is left running."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=_limit_memory,
        )  # fmt: skip
        try:
            status: int | None = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end_group(process.pid)
            process.wait()
        output.seek(0)
        return status, output.read()


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _end_group(number: int) -> None:
    try:
        os.killpg(number, signal.SIGKILL)
    except ProcessLookupError:
        return  # All have ended.


def main() -> None:
    lost = misplaced()
    for each in lost:
        print("not there exactly once:", each)
    first, last = [*map(int, sys.argv[1:]), *(0, None)[len(sys.argv) - 1 :]]
    chosen, living = mutants()[first:last], []
    for number, each in enumerate(chosen, first):
        began = time.monotonic()
        what = noticed_by(each)
        print(f"{number} {time.monotonic() - began:.0f} s {each}: {what or 'LIVES'}", flush=True)
        living += [each] if what is None else []
    print(f"{len(chosen) - len(living)} of {len(chosen)} wrong engines were noticed")
    sys.exit(1 if living or lost else 0)


if __name__ == "__main__":
    main()
