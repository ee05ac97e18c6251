"""Many commands in one pod: a process that stays there and runs them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbeds import Testbed

_PROBER = Path(__file__).with_name("shell_prober.py")


class Shell:
    """`process` runs shell_prober."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *command: str) -> tuple[int, str]:
        """Exit status and output; with the output, what it said on standard error if it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        status, output, errors = json.loads(self._process.stdout.readline())
        return status, output if status == 0 else f"{output}{errors}"

    def output(self, *command: str) -> str:
        """The output of a command that must succeed."""
        status, output = self.run(*command)
        assert status == 0, f"{' '.join(command)}: {output}"
        return output

    def dig(self, *question: str) -> list[str]:
        """The data of the records that answer it, sorted."""
        return sorted(self.output("dig", "+short", "+tries=1", "+time=2", *question).splitlines())


@contextmanager
def shell(testbed: Testbed, target: str) -> Iterator[Shell]:
    """A shell in a pod ("client", "shop/client") or on a node ("node/worker"). Its source goes along, since what is
    in /tmp is hidden from pods."""
    argv = testbed.user.argv("exec", "--name", testbed.name, target, "--", "python3", "-c", _PROBER.read_text())
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Shell(process)
        finally:
            process.terminate()
