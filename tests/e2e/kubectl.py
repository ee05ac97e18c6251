"""kubectl on a testbed: run it, run it in the background, run it on a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbeds import COMMAND_TIMEOUT_S, Done

PROGRAM_VARIABLE = "MININETES_KUBECTL"
"""Another kubectl than the one in PATH."""


def program() -> str | None:
    return os.environ.get(PROGRAM_VARIABLE) or shutil.which("kubectl")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """All commands are in one namespace, if they do not name another."""

    program: str
    kubeconfig: Path
    namespace: str = "default"

    def __call__(self, *arguments: str, text: str | None = None, **environment: str) -> Done:
        argv = self.argv(*arguments)
        done = subprocess.run(
            argv, input=text, stdin=None if text is not None else subprocess.DEVNULL, capture_output=True, text=True,
            timeout=COMMAND_TIMEOUT_S, env={**self.environment, **environment},
        )  # fmt: skip
        return Done(("kubectl", *arguments), done.returncode, done.stdout, done.stderr)

    def argv(self, *arguments: str) -> list[str]:
        return [self.program, "--namespace", self.namespace, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def apply(self, *objects: Any) -> Done:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self("apply", "-f", "-", text=json.dumps(listed))

    def json(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` tells."""
        return json.loads(self("get", *arguments, "-o", "json").output)

    def wait(self, condition: str, *what: str, timeout: str = "60s") -> None:
        """Fails the test when it does not come about."""
        self("wait", f"--for={condition}", f"--timeout={timeout}", *what).output  # noqa: B018

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command in the background, ended at the end."""
        process = subprocess.Popen(
            self.argv(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=self.environment,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=COMMAND_TIMEOUT_S)

    def on_terminal(self, *arguments: str, typed: Sequence[str]) -> str:
        """All that a command shows on a terminal of 100 × 30, with these lines typed, one after each prompt."""
        child, terminal = pty.fork()
        if child == 0:
            os.environ["KUBECONFIG"] = str(self.kubeconfig)
            os.execv(self.program, self.argv(*arguments))
        deadline = time.monotonic() + COMMAND_TIMEOUT_S
        shown, lines = b"", list(typed)
        while time.monotonic() < deadline:
            if lines and shown.rstrip(b" ").endswith((b"$", b"#")):
                os.write(terminal, lines.pop(0).encode() + b"\n")
                shown += b"\n"
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    data = os.read(terminal, 4096)
                except OSError:  # the other side of the terminal is closed
                    break
                if not data:
                    break
                shown += data
        os.close(terminal)
        os.waitpid(child, 0)
        return shown.decode(errors="replace").replace("\r\n", "\n")


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The next lines that a process in the background writes."""
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]
