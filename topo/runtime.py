"""The container runtime's interface: what init does for the agent, as messages on a Unix socket.

JSON lines. The agent asks:

    {"op": "start", "id": ID, "place": {...}, "argv": [...], "env": {...}, "log": PATH, "cwd": PATH,
     "stdin": false, "stdin_once": false, "tty": false}
    {"op": "signal", "id": ID, "signal": 15}
    {"op": "forget", "id": ID}
    {"op": "attach", "id": ID}

and init tells, first of all what it has (so that an agent that was killed takes up where it was):

    {"event": "state", "processes": [{"id", "pid", "exit_code", "finished_at"}, ...]}
    {"event": "started", "id": ID, "pid": N}
    {"event": "exited", "id": ID, "exit_code": N, "finished_at": seconds}

Whoever asked to attach is answered, with the descriptor of the process's input beside the line (SCM_RIGHTS) where
it has one: a pipe, or the terminal. Its output is in the log.

    {"event": "attached", "id": ID, "input": true}

Exit codes as a shell gives them: 128 + the signal's number, 126 and 127 for a program that could not be started
(the reason is in the log).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from topo import confine, container_stdio, limits
from topo.confine import Place
from topo.container_stdio import Ends, Stdio
from topo.exit_codes import CANNOT_EXECUTE, NOT_FOUND, exit_code


@dataclass(slots=True)
class Process:
    """A process that init started for the agent. `exit_code` is None while it runs; `finished_at` in epoch seconds."""

    id: str
    pid: int
    exit_code: int | None = None
    finished_at: float | None = None


def start_request(
    id: str, place: Place, argv: Sequence[str], env: Mapping[str, str], log: str, cwd: str = "/",
    container: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The message that starts a process; `container` says which streams it wants."""
    described = asdict(place) | {"granted": sorted(place.granted)}
    wanted = container or {}
    return {
        "op": "start", "id": id, "place": described, "argv": list(argv), "env": dict(env), "log": log, "cwd": cwd,
        "stdin": bool(wanted.get("stdin")), "stdin_once": bool(wanted.get("stdinOnce")), "tty": bool(wanted.get("tty")),
    }  # fmt: skip


def place_of(request: Mapping[str, Any]) -> Place:
    fields = dict(request["place"])
    return Place(**(fields | {"granted": frozenset(fields["granted"])}))


class Processes:
    """The processes of the agent's requests, children of the caller, whose selector tells of their output."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._by_id: dict[str, Process] = {}
        self._by_pid: dict[int, Process] = {}
        self._stdio: dict[int, Stdio] = {}

    def state(self) -> dict[str, Any]:
        return {"event": "state", "processes": [asdict(process) for process in self._by_id.values()]}

    def handle(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Do what the agent asks; the answer, if there is one. Asking twice for the same is harmless."""
        operation, id = request["op"], request["id"]
        process = self._by_id.get(id)
        if operation == "start" and process is None:
            process = self._start(request)
            return {"event": "started", "id": id, "pid": process.pid}
        if operation == "signal" and process is not None and process.exit_code is None:
            _signal(process.pid, request["signal"])
        if operation == "forget" and process is not None and process.exit_code is not None:
            del self._by_id[id]
        return None

    def input_of(self, id: str) -> int | None:
        """A descriptor to write a running process's input to, for the caller to close; None where it takes none."""
        process = self._by_id.get(id)
        stdio = self._stdio.get(process.pid) if process is not None else None
        return stdio.hand_out_input() if stdio is not None else None

    def ending(self, pid: int) -> None:
        """A child has ended but is not reaped, so its number is still its own: what it leaves behind ends with it, as
        a container's processes do."""
        if pid in self._by_pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def reaped(self, pid: int, status: int) -> dict[str, Any] | None:
        """What to tell the agent about a child that ended; None for one that it did not ask for."""
        process = self._by_pid.pop(pid, None)
        if process is None:
            return None
        self._stdio.pop(pid).end(self._selector)
        process.exit_code = exit_code(status)
        process.finished_at = time.time()
        return {
            "event": "exited", "id": process.id, "exit_code": process.exit_code, "finished_at": process.finished_at
        }  # fmt: skip

    def _start(self, request: Mapping[str, Any]) -> Process:
        stdio, ends = container_stdio.prepare(request)
        pid = os.fork()
        if pid == 0:
            _become(request, ends)
        ends.close()
        if not ends.terminal:
            # Both sides do this, since either may be first: the group must be there before anyone signals it.
            # It may even be past its exec, or have ended. (Who is to lead a session must not lead a group before.)
            with contextlib.suppress(PermissionError, ProcessLookupError):
                os.setpgid(pid, pid)
        process = Process(request["id"], pid)
        self._by_id[process.id] = self._by_pid[pid] = process
        self._stdio[pid] = stdio
        stdio.watch(self._selector)
        return process


def _signal(pid: int, number: int) -> None:
    """To a process and its group."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        os.kill(pid, number)  # it leads no group yet


def _become(request: Mapping[str, Any], ends: Ends) -> NoReturn:
    """In a child of init: turn into the requested program."""
    code = CANNOT_EXECUTE
    try:
        ends.take()
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        limits.restore()
        confine.enter(place_of(request))
        os.chdir(request["cwd"])
        os.execvpe(request["argv"][0], request["argv"], request["env"])
    except FileNotFoundError as error:
        code = NOT_FOUND
        print(f"cannot start {request['argv'][0]!r}: {error.strerror}", file=sys.stderr)
    except OSError as error:
        print(f"cannot start {request['argv'][0]!r}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
