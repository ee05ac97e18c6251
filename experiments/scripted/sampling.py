"""Samples while a run goes: processor time and memory of each process, flows, flow-mods, packet-ins, drops.

A thread looks from outside: at /proc, at the API server's socket, at the switch's control socket. Who does not answer, since a
fault has hit it, is left out of that look.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType

from cluster.client import BROKEN, ApiError, Client, NotInSyncError
from cluster.service_processes import CONTAINERS, SERVICES, Process, children
from experiments import bulk
from experiments.scripted import ovs_control
from experiments.scripted.steps.step import Figure, Series
from experiments.testbed import Testbed

_PATIENCE_S = 0.2
_NAMES = (*SERVICES, CONTAINERS)


def figures() -> tuple[Figure, ...]:
    """What a run's samples come to."""
    return (
        *(Figure(f"cpu/{name}", "ratio", "lower", f"processor time of {name} while something was measured: 1 is one processor") for name in _NAMES),
        *(Figure(f"memory/{name}", "bytes", "lower", f"resident memory of {name}, most") for name in _NAMES),
        Figure("flows", "count", None, "OpenFlow flows in all switches, most"),
        Figure("datapath_flows", "count", None, "flows that the datapath made of them, most"),
        Figure("flow_mods", "count", None, "changes of flows that the controller sent during the run"),
        Figure("packet_ins", "count", None, "packets that switches sent to the controller during the run"),
        Figure("drops", "count", "lower", "packets that the switch dropped during the run, those among them that it was told to"),
    )


class Sampler:
    """`with Sampler(…) as sampler: …`, then `samples` and `figures`. Times count from the beginning."""

    def __init__(self, testbed: Testbed, interval_s: float) -> None:
        self._interval_s = interval_s
        self._init_pid = testbed.process_id()
        self._api = Client(bulk.kubeconfig_of(testbed).with_name("api.sock"), _PATIENCE_S)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="samples", daemon=True)
        self._series: dict[str, Series] = {}
        self._before: dict[int, Process] = {}
        self._began = self._looked = 0.0

    @property
    def init_pid(self) -> int:
        """PID 1 of the testbed."""
        return self._init_pid

    def __enter__(self) -> Sampler:
        self._began = time.monotonic()
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    @property
    def samples(self) -> Mapping[str, Series]:
        return self._series

    def figures(self, began_s: float, ended_s: float) -> dict[str, float]:
        """Of those that there are samples of: processor time between these times, everything else of the whole run."""
        found = {}
        for name, series in self._series.items():
            values = [value for _, value in series]
            if name.startswith("cpu/"):
                # A sample is of the time before it; where a step was shorter than that, the whole run.
                during = [value for at_s, value in series if began_s < at_s <= ended_s + self._interval_s] or values
                found[name] = sum(during) / len(during)
            elif name.startswith("memory/") or name in ("flows", "datapath_flows"):
                found[name] = max(values)
            else:
                found[name] = _gained(values)
        return found

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._look()

    def _look(self) -> None:
        at_s = time.monotonic() - self._began
        found = {**self._processes(), **self._controller(), **self._switch()}
        for name, value in found.items():
            self._series.setdefault(name, []).append((round(at_s, 3), value))

    def _processes(self) -> dict[str, float]:
        now, processes = time.monotonic(), children(self._init_pid)
        memory: Counter[str] = Counter()
        used: dict[str, float] = {}
        for pid, process in processes.items():
            memory[process.name] += process.memory_bytes
            before = self._before.get(pid)
            start_s = before.cpu_s if before is not None and before.started == process.started else 0.0
            used[process.name] = used.get(process.name, 0.0) + process.cpu_s - start_s
        seconds, first = now - self._looked, not self._before
        self._before, self._looked = processes, now
        cpu = {} if first else {f"cpu/{name}": spent / seconds for name, spent in used.items()}
        return {**cpu, **{f"memory/{name}": float(amount) for name, amount in memory.items()}}

    def _controller(self) -> dict[str, float]:
        try:
            detail = self._api.said_by("controller")
        except (*BROKEN, ApiError, NotInSyncError):
            return {}
        flows = sum(node["flows"] for node in detail["nodes"].values())
        return {"flows": flows, "flow_mods": detail["flow_mods_sent"], "packet_ins": detail["packet_ins"]}

    def _switch(self) -> dict[str, float]:
        try:
            dropped = ovs_control.drops(ovs_control.ask(self._init_pid, "coverage/show"))
            used = ovs_control.usage(ovs_control.ask(self._init_pid, "memory/show"))
        except ovs_control.NoAnswer:
            return {}
        return {"drops": float(dropped), "datapath_flows": float(used.get("udpif keys", 0))}


def _gained(values: list[float]) -> float:
    """What a counter grew by; one that falls was begun anew, at 0."""
    return sum(now - before if now >= before else now for before, now in itertools.pairwise(values))
