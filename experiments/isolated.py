"""Run a module of this room in namespaces of its own (unshare(1)), so that nothing of it is left on the host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.testbed import CommandError

READY = "ready"


def _unshare() -> tuple[str, ...]:
    own_user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return ("unshare", *own_user, "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True, slots=True)
class Isolated:
    """A module that said that it is ready. `pid` is its process as the host numbers it."""

    pid: int

    def prefix(self, netns: str) -> tuple[str, ...]:
        """What to put before a command so that it runs in one of its pinned network namespaces."""
        own_user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        enter = ("nsenter", f"--target={self.pid}", *own_user, "--mount", "--net", "--pid")
        return (*enter, "ip", "netns", "exec", netns)


def argv(module: str, *arguments: str) -> tuple[str, ...]:
    return (*_unshare(), sys.executable, "-m", f"experiments.{module}", *arguments)


@contextmanager
def ready(module: str, *arguments: str) -> Iterator[Isolated]:
    """Start `experiments.<module>` and wait for its "ready"; it ends with the context.

    Raises CommandError with what it said if it ends before.
    """
    process = subprocess.Popen(
        argv(module, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() != READY:
            _, said = process.communicate()
            raise CommandError(f"experiments.{module}: {said.strip() or 'ended without a word'}")
        yield Isolated(_only_child(process.pid))
    finally:
        # Its PID 1 ends when its standard input does; the kernel then ends everything else in there.
        process.communicate()


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def report_ready() -> None:
    """In the module: say so, and stay until the caller lets go."""
    print(READY, flush=True)
    sys.stdin.read()
