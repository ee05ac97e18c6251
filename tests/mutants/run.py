"""Does the suite notice a wrong engine? `python tests/mutants/run.py [FIRST [LAST]]`.

Each mutant is a copy of the sources with one place changed; the tests of policies must fail on it. Ends with 1 if one
lives, or if a mutant's place is not there (any more) exactly once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("cluster", "controller", "tests")
TESTS = ("tests/unit/test_controller_policies.py", "tests/ovs/test_policy_cases.py", "tests/ovs/test_policy_random.py")
Mutant = tuple[str, str, str]


def mutants() -> list[Mutant]:
    return [tuple(each) for each in yaml.safe_load(Path(__file__).with_name("mutants.yaml").read_text())]


def misplaced() -> list[Mutant]:
    """Those whose place does not stand in the file exactly once."""
    return [each for each in mutants() if (ROOT / "controller" / each[0]).read_text().count(each[1]) != 1]


def is_noticed(mutant: Mutant) -> bool:
    file, before, after = mutant
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        for room in ROOMS:
            shutil.copytree(ROOT / room, Path(directory) / room, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "setup.cfg", directory)
        path = Path(directory) / "controller" / file
        path.write_text(path.read_text().replace(before, after))
        environment = {**os.environ, "PYTHONPATH": directory, "MININETES_ALL_CASES": "1"}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS]
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True)
        return done.returncode == 1


def main() -> None:
    lost = misplaced()
    for each in lost:
        print("not there exactly once:", each)
    first, last = [*map(int, sys.argv[1:]), *(0, None)[len(sys.argv) - 1 :]]
    chosen = mutants()[first:last]
    living = [each for each in chosen if not is_noticed(each)]
    for each in living:
        print("lives:", each)
    print(f"{len(chosen) - len(living)} of {len(chosen)} wrong engines were noticed")
    sys.exit(1 if living or lost else 0)


if __name__ == "__main__":
    main()
