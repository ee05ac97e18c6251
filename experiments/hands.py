"""A hand in a machine: it stays there, so that what is measured is not the way into the machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any

from experiments.testbed import CommandError


class Hand:
    """Tells the program in the machine what to do. Not safe to use from several threads."""

    def __init__(self, machine: str, process: subprocess.Popen[str]) -> None:
        self._machine, self._process = machine, process
        self._answer()

    def do(self, action: str, **how: Any) -> dict[str, Any]:
        """What it answers (`hand`). Raises CommandError where it fails."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": action, **how}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise CommandError(f"{self._machine}: {action}: {answer['error']}")
        return answer

    def start(self, *argv: str, said: str) -> None:
        """Start a program that ends with this one, and wait until it prints a line with that. Raises CommandError."""
        self.do("start", argv=argv, said=said)

    def output(self, *argv: str, timeout_s: float = 60.0) -> str:
        """What a program prints. Raises CommandError where it does not end well."""
        done = self.do("run", argv=argv, timeout=timeout_s)
        if done["status"]:
            raise CommandError(f"{self._machine}: {argv[0]} ended with {done['status']}: {done['err'].strip()}")
        return str(done["out"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise CommandError(f"{self._machine}: its program has ended, status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def in_machine(name: str, prefix: Sequence[str]) -> Iterator[Hand]:
    """Raises CommandError when there can be none."""
    text = resources.files(__package__ or "").joinpath("hand.py").read_text()
    argv = (*prefix, "python3", "-c", text)
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Hand(name, process)
    finally:
        process.communicate()
