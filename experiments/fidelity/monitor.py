"""Watch a run from beside it, and judge it.

    with Monitor({testbed_pid, os.getpid()}, links) as monitor:
        …
    monitor.report()

What it costs is in proportion to the time that passes: however many processes there are, looking at them takes at most
a hundredth of a processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from importlib import resources
from types import TracebackType
from typing import Any

from experiments.fidelity import crossing, machine, processes
from experiments.fidelity.crossing import Pings
from experiments.fidelity.figures import LinkSeen, Seen
from experiments.fidelity.links import Link
from experiments.fidelity.machine import Machine
from experiments.fidelity.processes import Accounts
from experiments.fidelity.verdict import Fidelity, judge

_INTERVAL_S = 1.0
_COST = 0.01
_READY = "ready"
_PING_S = 60.0


class Monitor:
    """`process_ids`: the run's own roots: this process, PID 1 of each testbed. All that descend from them are the run.

    The interfaces of their sandboxes are watched, too. What they shape is found and held to its shaper's word; `links`
    says more about some: what they should be, how to measure their delay. `drops_planned`: the run loses packets on purpose,
    so that says nothing against it.
    """

    def __init__(self, process_ids: Iterable[int], links: Sequence[Link] = (), drops_planned: bool = False) -> None:
        self._roots = frozenset(process_ids)
        self._links, self._drops_planned = tuple(links), drops_planned
        self._accounts = Accounts(self._roots)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fidelity", daemon=True)
        self._blind: list[str] = []
        self._programs: dict[str, subprocess.Popen[str]] = {}
        self._began: Machine | None = None
        self._seen: Seen | None = None

    def __enter__(self) -> Monitor:
        self._crossed = [self._cross()]
        with ExitStack() as stack:
            stack.callback(self._end_programs)
            self._start_programs()
            self._accounts.begin(processes.look())
            self._began = machine.look()
            self._thread.start()
            stack.pop_all()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._began is not None
        self._stop.set()
        self._thread.join()
        self._accounts.look(processes.look())
        ended = machine.look()
        said = self._end_programs()
        self._seen = self._all_seen(self._began, ended, said)

    def report(self) -> Fidelity:
        """Once the context has ended."""
        if self._seen is None:
            raise RuntimeError("the run has not ended yet")
        return judge(self._seen)

    def _cross(self) -> dict[str, dict[str, float]]:
        """What pings across each link found: where many are needed, one link after the other; of the others, all together."""
        some = [link for link in self._links if link.ping]
        bare = _pinged({link.ping_bare for link in some if link.ping_bare})
        alone = [link for link in some if crossing.takes_many(link.cables)]
        together = [link for link in some if link not in alone]
        said = _pinged([link.ping for link in together])
        for link in alone:
            said |= _pinged([link.ping])
        found = {}
        for link in some:
            pings = said[link.ping]
            if pings is None:
                self._blind.append(f"link {link.name}: its pings are not answered")
                continue
            if link.ping_bare and bare[link.ping_bare] is None:
                self._blind.append(f"link {link.name}: what its way takes without a delay could not be measured")
            found[link.name] = crossing.figures(pings, link.cables, bare.get(link.ping_bare))
        return found

    def _watch(self) -> None:
        pause_s = _INTERVAL_S
        while not self._stop.wait(pause_s):
            began_s = time.thread_time()
            self._accounts.look(processes.look())
            pause_s = max(_INTERVAL_S, (time.thread_time() - began_s) / _COST)

    def _start_programs(self) -> None:
        programs = {"the canary": _program("canary")}
        own = processes.network_namespace(os.getpid())
        for pid in sorted(self._roots):
            there_in = processes.network_namespace(pid)
            if there_in is None:
                self._blind.append(f"{_watcher(pid)}: it has ended, or belongs to another user")
            elif there_in != own:
                there = [[link.name, link.netns, link.interface] for link in self._links if link.sandbox == pid]
                programs[_watcher(pid)] = (*_enter(pid), *_program("sandbox_watch"), json.dumps(there))
        for name, argv in programs.items():
            self._programs[name] = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        for name, program in self._programs.items():
            assert program.stdout is not None
            if program.stdout.readline().strip() != _READY:
                self._blind.append(f"{name}: {_last_line(program)}")

    def _end_programs(self) -> dict[str, Any]:
        """What each of them says at the end; nothing from those that could not watch."""
        said = {}
        for name, program in self._programs.items():
            answer, errors = program.communicate()
            if answer.startswith("{"):
                said[name] = json.loads(answer)
            elif not any(reason.startswith(f"{name}: ") for reason in self._blind):
                self._blind.append(f"{name}: {_last_of(errors)}")
        self._programs = {}
        return said

    def _all_seen(self, began: Machine, ended: Machine, said: dict[str, Any]) -> Seen:
        watchers = [answer for name, answer in said.items() if name != "the canary"]
        drops: Counter[str] = Counter()
        for answer in watchers:
            drops.update(answer["drops"])
        self._crossed.append(self._cross())
        seen = [_link_seen(link, said.get(_watcher(link.sandbox), {}), [once[link.name] for once in self._crossed if link.name in once])
                for link in self._links]  # fmt: skip
        known = {link.name for link in self._links}
        seen += [LinkSeen(name, **carried) for answer in watchers
                 for name, carried in answer["links"].items() if name not in known]  # fmt: skip
        return Seen(
            processors=os.cpu_count() or 1, began=began, ended=ended, accounts=self._accounts,
            timers=said.get("the canary", {}), packets=sum(answer["packets"] for answer in watchers), drops=drops,
            links=tuple(seen), drops_planned=self._drops_planned, blind=tuple(self._blind),
        )  # fmt: skip


def _watcher(pid: int) -> str:
    return f"the sandbox of process {pid}"


def _link_seen(link: Link, said: dict[str, Any], crossed: Sequence[Mapping[str, float]]) -> LinkSeen:
    looked_at = said.get("links", {}).get(link.name)
    carried = looked_at or {"rate_bps": 0.0, "waited_s": 0.0, "sent_bits": 0, "could_bits": 0.0}
    return LinkSeen(
        name=link.name, **carried, crossed=crossing.mean(crossed),
        configured_bps=None if link.bandwidth_mbps is None or not looked_at else link.bandwidth_mbps * 1e6,
    )  # fmt: skip


def _pinged(commands: Collection[tuple[str, ...]]) -> dict[tuple[str, ...], Pings | None]:
    """What each of these found, all at the same time."""
    running = {argv: subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) for argv in commands}
    return {argv: crossing.parse(process.communicate(timeout=_PING_S)[0]) for argv, process in running.items()}


def _program(module: str) -> tuple[str, ...]:
    """A program of this folder as text: in a sandbox its file may not be seen. Without site: it starts in 10 ms."""
    return sys.executable, "-I", "-S", "-c", resources.files(__package__ or "").joinpath(f"{module}.py").read_text()


def _enter(pid: int) -> tuple[str, ...]:
    own_user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
    return ("nsenter", f"--target={pid}", *own_user, "--mount", "--net", "--pid")


def _last_line(program: subprocess.Popen[str]) -> str:
    return _last_of(program.communicate()[1])


def _last_of(errors: str) -> str:
    return (errors.strip().splitlines() or ["ended without a word"])[-1]
