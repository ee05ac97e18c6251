"""The node agent, one for all nodes: what the API says should run -> namespaces, containers; what runs -> status.

Level-based: it keeps a `ManagedPod` for every pod that is bound to a node, and after every message asks each one
that something happened to what it wants next. One thread does all that; others only put messages on its queue.
A restart of it finds namespaces pinned, processes with init, sockets with the responder, and takes them up.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from cluster.client import Batch, Client
from cluster.model import Cluster, PodInterface
from cluster.reading.config import resolve
from cluster.run_directory import API_SOCKET, RUN_VARIABLE, SEED
from topo import confine, container_log, failures, nodes
from topo.ahead import ahead
from topo.bridges import CONTROLLER_TIMEOUT_S, Bridges
from topo.container_runner import ContainerRunner, Wanted
from topo.containers import Hook, Start
from topo.exposure import Exposure
from topo.looks import Looks
from topo.managed_pod import ManagedPod, container_of_run
from topo.pod_events import PodEvents
from topo.pod_maker import PodMaker
from topo.pods import PodNetwork
from topo.power import Power, power_of, send_heartbeats
from topo.probe_runner import ProbeRunner
from topo.probes import Health, ProbeKind, Result, grace_s_of
from topo.reports import Reports
from topo.runtime_client import Responder, Runtime
from topo.sources import KINDS, Sources
from topo.switches import Switches

_LOG = logging.getLogger("agent")
_AT_ONCE = 100
"""Pods that are looked after before what was done is reported."""
_RETRY_S = 1.0
"""How long a container that lacks something waits at most until it tries again."""
_FORCED_GRACE_S = 1.0
"""For a pod that is gone from the API already: the least that the kubelet gives one (killPod)."""

Message = Callable[[], None]
"""What other threads put on the queue: what to do in the agent's own thread."""


class Agent:
    """The loop."""

    def __init__(
        self, run: Path, cluster: Cluster, power: Power, network: PodNetwork, batches: Iterator[Batch]
    ) -> None:
        self._run = run
        self._batches = batches
        self._exposure = Exposure(run, cluster)
        self._cluster = cluster
        self._power = power
        self._queue: SimpleQueue[Message] = SimpleQueue()
        self._network = network
        network.start(lambda pods: self._queue.put(lambda: self._on_attached(pods)))
        self._reports = Reports(Client(run / API_SOCKET))
        self._pods: dict[str, ManagedPod] = {}
        self._changed: dict[str, ManagedPod] = {}
        """Pods that something happened to since the last round."""
        self._looks = Looks()
        self._revision = 0
        self._observed = -1
        self._switches = Switches(
            Client(run / API_SOCKET), CONTROLLER_TIMEOUT_S,
            lambda revision: self._queue.put(lambda: self._on_switched(revision)),
        )  # fmt: skip
        self._adopted: dict[str, dict[str, Any]] = {}
        """Processes that were there before this agent, by id."""
        self._runtime = Runtime(run, lambda event: self._queue.put(lambda: self._on_runtime(event)))
        self._responder = Responder(run, lambda event: self._queue.put(lambda: self._on_responder(event)))
        self._sweeping = False
        """The next round ends with the removal of what nobody wants any more."""
        self._ended_elsewhere: list[dict[str, str]] = []
        """Pods that are to end and have nothing here that could: the API is to hear that they have."""
        self._sources = Sources(run=run)
        self._unconfigured: dict[str, ManagedPod] = {}
        """Pods with a container that lacks a ConfigMap, a Secret or a key of one."""
        self._events = PodEvents(Client(run / API_SOCKET), time.time)
        self._probes = ProbeRunner(
            on_health=lambda key, health: self._queue.put(lambda: self._on_health(key, health)),
            on_failure=lambda key, kind, message: self._queue.put(lambda: self._on_failure(key, kind, message)),
            on_error=lambda error: self._queue.put(lambda: failures.raise_here(error)),
            runtime=self._runtime,
            run=run,
        )
        self._runner = ContainerRunner(
            run, self._runtime, self._responder, self._probes,
            on_hook=lambda pod, hook, result: self._queue.put(lambda: self._on_hook(pod, hook, result)),
        )  # fmt: skip

    def serve_forever(self) -> None:
        # The first message is init's: which processes there are already. Before it, nothing may be started.
        self._queue.get()()
        Thread(target=self._watch, name="watch", daemon=True).start()
        while True:
            self._receive()
            self._round()

    def _watch(self) -> None:
        for batch in self._batches:
            self._queue.put(lambda batch=batch: self._on_batch(batch))  # type: ignore[misc]

    def _receive(self) -> None:
        """Wait for something to happen, then take everything that has."""
        try:
            self._queue.get(timeout=0 if self._changed else self._looks.wait_s(time.time()))()
            while True:
                self._queue.get_nowait()()
        except Empty:
            pass
        self._changed.update({uid: self._pods[uid] for uid in self._looks.due(time.time())})

    def _on_batch(self, batch: Batch) -> None:
        self._exposure.take(batch)
        self._on_sources(batch)
        self._on_nodes([event.object for event in batch.events if event.object["kind"] == "Node"])
        present: set[str] = set()
        for event in batch.events:
            if event.object["kind"] != "Pod":
                continue
            uid = event.object["metadata"]["uid"]
            present.add(uid)
            if event.type == "DELETED":
                self._stop(uid, _FORCED_GRACE_S)
            elif uid not in self._pods:
                self._admit(event.object)
            else:
                self._pods[uid].take(event.object)
                if self._pods[uid].drifted:
                    self._changed[uid] = self._pods[uid]
                if (grace_s := self._pods[uid].deletion_grace_s) is not None:
                    self._stop(uid, grace_s)
        if batch.reset:
            for uid in self._pods.keys() - present:
                self._stop(uid, _FORCED_GRACE_S)
            self._sweeping = True
        self._switches.ask(self._revision)
        self._revision = batch.revision
        # Said again after every connection: the API server keeps what was observed in memory only.
        self._observed = -1

    def _on_sources(self, batch: Batch) -> None:
        """What containers take from other objects has changed: those that wait for some of it try again."""
        if batch.reset:
            self._sources.clear()
        for event in batch.events:
            if event.object["kind"] in KINDS:
                (self._sources.remove if event.type == "DELETED" else self._sources.put)(event.object)
                self._changed |= {uid: pod for uid, pod in self._unconfigured.items() if uid in self._pods}

    def _on_nodes(self, seen: Sequence[Mapping[str, Any]]) -> None:
        """Nodes that were switched off lose everything at once; on those that were switched on, all begins again."""
        if not seen:
            return
        changed = self._power.take(seen)
        concerned = [pod for pod in self._pods.values() if pod.node in changed]
        for pod in concerned:
            self._changed[pod.uid] = pod
            if self._power.is_on(pod.node):
                pod.rebooted()
        self._perform([(pod, kill) for pod in concerned if not self._power.is_on(pod.node) for kill in pod.life.kills()])

    def _admit(self, pod: Mapping[str, Any]) -> None:
        now = time.time()
        managed = ManagedPod.of(pod, self._cluster, now, self._sources)
        if managed is None:
            if "deletionTimestamp" in pod["metadata"] and pod["spec"].get("nodeName"):
                self._ended_elsewhere.append(ManagedPod.identity_of(pod))
            return
        self._pods[managed.uid] = self._changed[managed.uid] = managed
        self._switches.admit(managed)
        for id in [id for id in self._adopted if container_of_run(id)[0] == managed.uid]:
            managed.adopt(self._adopted.pop(id), now)
        if not self._power.is_on(managed.node):
            self._perform([(managed, kill) for kill in managed.life.kills()])
        if (grace_s := managed.deletion_grace_s) is not None:
            managed.life.stop(now, grace_s, deleted=True)

    def _stop(self, uid: str, grace_s: float) -> None:
        managed = self._pods.get(uid)
        if managed is not None:
            managed.life.stop(time.time(), grace_s, deleted=True)
            self._changed[uid] = managed

    def _on_runtime(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "state":
            self._adopted = {process["id"]: process for process in event["processes"]}
            return
        if self._probes.on_runtime(event):
            return
        uid, container, run = container_of_run(event["id"])
        managed = self._pods.get(uid)
        if managed is None or managed.life.containers[container].run != run:
            self._runtime.forget(event["id"])
            return
        if event["event"] == "started":
            self._began(managed, container)
        else:
            self._ended(managed, container, event["exit_code"], event["finished_at"])
        self._changed[uid] = managed

    def _on_attached(self, pods: Sequence[PodInterface]) -> None:
        for interface in pods:
            pod = self._pods[interface.uid]
            pod.network = "there"
            self._changed[pod.uid] = pod

    def _on_switched(self, revision: int) -> None:
        self._changed.update(self._switches.realised(revision))

    def _on_responder(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "lost":
            self._serve_again()
            return
        uid, _, container = event["id"].partition("/")
        managed = self._pods.get(uid)
        if managed is not None and managed.life.containers[container].phase == "running":
            self._ended(managed, container, event["exit_code"], time.time())
            self._changed[uid] = managed

    def _serve_again(self) -> None:
        for id, error in self._responder.restore().items():
            uid, _, container = id.partition("/")
            self._ended(self._pods[uid], container, 1, time.time(), error)
            self._changed[uid] = self._pods[uid]

    def _on_health(self, key: str, health: Health) -> None:
        uid, _, container = key.partition("/")
        managed = self._pods.get(uid)
        if managed is None or managed.life.containers[container].phase != "running":
            return
        self._changed[uid] = managed
        state = managed.life.containers[container]
        state.started, state.ready = health.started, health.ready
        if not health.alive and state.ending is None and not managed.life.stopping:
            kind: ProbeKind = "liveness" if state.started else "startup"
            managed.life.restart(container, time.time(), grace_s_of(state.spec, kind))
            self._events.failed_probe(managed, container, kind)
            _LOG.info("%s: container %s: %s; restarting it", managed.key, container, health.message)

    def _on_failure(self, key: str, kind: ProbeKind, message: str) -> None:
        uid, _, container = key.partition("/")
        if (managed := self._pods.get(uid)) is not None:
            self._events.unhealthy(managed, container, kind, message)

    def _on_hook(self, managed: ManagedPod, hook: Hook, result: Result) -> None:
        if self._pods.get(managed.uid) is not managed:
            return
        error = "" if result.ok else result.message
        known = managed.life.hooked(hook, time.time(), error)
        self._changed[managed.uid] = managed
        if known and error:
            self._events.failed_hook(managed, hook, error)
        elif known and hook.name == "postStart":
            self._runs(managed, hook.container)

    def _round(self) -> None:
        """Do what the pods that something happened to want, until they want nothing more; then report.

        Of many, some at a time: the API server takes in what is reported of them meanwhile.
        """
        reported: dict[str, ManagedPod] = {}
        self._attach([pod for pod in self._changed.values() if pod.network == "none" and not pod.life.stopping])
        changed = iter(self._changed.items())
        self._changed = dict(changed if self._sweeping else islice(changed, _AT_ONCE))
        rest = dict(changed)
        while self._changed:
            reported.update(self._changed)
            batch, self._changed = self._changed, {}
            self._act([pod for pod in batch.values() if self._may_run(pod)])
        if self._sweeping:
            self._sweeping = False
            self._network.sweep([pod.interface for pod in self._pods.values() if pod.interface is not None])
            self._serve_again()
        self._note_looks(reported.values())
        here = [pod for pod in reported.values() if self._power.is_on(pod.node)]
        self._finish([pod for pod in here if pod.life.gone and pod.network != "making"])
        self._report([pod for pod in here if pod.uid in self._pods and self._may_run(pod)])
        self._changed.update(rest)
        if not rest and self._observed != self._revision:
            self._observed = self._revision
            self._reports.observed(self._revision, len(self._pods))

    def _note_looks(self, pods: Iterable[ManagedPod]) -> None:
        for pod in pods:
            look = time.time() + _RETRY_S if pod.uid in self._unconfigured else pod.life.next_look()
            self._looks.put(pod.uid, look if self._may_run(pod) else None)

    def _may_run(self, pod: ManagedPod) -> bool:
        """Whether its node is on, and it is on its switch and the switches know it, or it is to end anyway."""
        if not self._power.is_on(pod.node):
            return False
        return pod.life.stopping or (pod.network == "there" and self._switches.know(pod))

    def _attach(self, pods: list[ManagedPod]) -> None:
        for pod in pods:
            pod.network = "there" if pod.interface is None else "making"
        self._network.attach([pod.interface for pod in pods if pod.interface is not None])

    def _act(self, pods: Iterable[ManagedPod]) -> None:
        wanted = []
        now = time.time()
        for pod in pods:
            self._unconfigured.pop(pod.uid, None)
            for action in pod.life.advance(now):
                if isinstance(action, Start):
                    if error := pod.obstacle(action, self._sources):
                        pod.life.cannot_start(action.container, now, "CreateContainerConfigError", error)
                        self._events.cannot_start(pod, action.container, error)
                        self._unconfigured[pod.uid] = pod
                        continue
                    pod.life.starting(action.container, now)
                self._events.acting(pod, action)
                wanted.append((pod, action))
        self._perform(wanted)

    def _perform(self, wanted: Sequence[Wanted]) -> None:
        for happened in self._runner.perform(wanted):
            if happened.exit_code is None:
                self._began(happened.pod, happened.container)
            else:
                self._ended(happened.pod, happened.container, happened.exit_code, time.time(), happened.message)
            self._changed[happened.pod.uid] = happened.pod

    def _began(self, pod: ManagedPod, container: str) -> None:
        now = time.time()
        state = pod.life.containers[container]
        pod.life.began(container, pod.started_at(container, now))
        if state.started_at >= now:
            self._events.started(pod, container)
        if state.phase == "running":
            self._runs(pod, container)

    def _runs(self, pod: ManagedPod, container: str) -> None:
        self._probes.add(pod, container, time.time())

    def _ended(self, pod: ManagedPod, container: str, exit_code: int, at: float, message: str = "") -> None:
        pod.life.ended(container, exit_code, at, message)
        self._probes.remove(pod.uid, container)
        self._events.ended(pod, container)

    def _finish(self, pods: list[ManagedPod]) -> None:
        """Let go of pods that were deleted and have ended."""
        self._network.detach([pod.interface for pod in pods if pod.interface is not None])
        for pod in pods:
            for id in pod.known_runs:
                self._runtime.forget(id)
            confine.remove_scratch(pod.uid)
            shutil.rmtree(container_log.directory(self._run, pod.uid), ignore_errors=True)
            self._events.forget(pod)
            del self._pods[pod.uid]
            self._switches.forget(pod)
            self._looks.put(pod.uid, None)
        removed = [*self._ended_elsewhere, *(pod.identity for pod in pods)]
        self._ended_elsewhere.clear()
        if removed:
            self._reports.removed(removed)

    def _report(self, pods: Iterable[ManagedPod]) -> None:
        now = time.time()
        statuses = [status for pod in pods if (status := pod.changed_status(now)) is not None]
        if statuses:
            self._reports.statuses(statuses)


def main() -> None:
    """Run as one of init's services; the run directory is in MININETES_RUN."""
    threading.excepthook = failures.end_process
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    run = Path(os.environ[RUN_VARIABLE])
    cluster = resolve(json.loads((run / SEED).read_text())["cluster"])
    maker = PodMaker(cluster)
    # Asked for before the nodes are there: the API server is to have the first pods placed by then.
    batches = ahead(Client(run / API_SOCKET).watch(["Node", "Pod", *KINDS]))
    underlay = nodes.build(cluster)
    _LOG.info("%d nodes are there", len(cluster.nodes))
    network = PodNetwork(cluster, maker, Bridges(cluster, underlay))
    power = power_of(run, cluster, underlay)
    send_heartbeats(Client(run / API_SOCKET), lambda: power.on)
    Agent(run, cluster, power, network, batches).serve_forever()


if __name__ == "__main__":
    main()
