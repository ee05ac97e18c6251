"""One pod as the agent keeps it: its object, its interface, the life and the programs of its containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cluster import capabilities, objects
from cluster.model import Cluster, PodInterface
from cluster.times import seconds
from topo import confine, container_log, images, pod_files, pod_status, rootfs, runtime, volumes
from topo.agnhost_commands import Process, Served
from topo.confine import Place
from topo.container import Run
from topo.containers import PodLife, Start
from topo.places import place_of_pod
from topo.servers import ServedContainer
from topo.sources import NOTHING, ConfigError, Sources


def container_of_run(id: str) -> tuple[str, str, int]:
    """The inverse of `run_id`: pod uid, container, run number."""
    uid, container, run = id.split("/")
    return uid, container, int(run)


@dataclass(slots=True)
class ManagedPod:
    """`interface` is None on the host network. `network`: whether its namespace is there and on its switch."""

    pod: Mapping[str, Any]
    cluster: Cluster
    interface: PodInterface | None
    life: PodLife
    admitted_at: int
    """The revision in which it was bound, or was there when this agent came."""
    programs: dict[str, Served | Process] = field(default_factory=dict)
    """Of its containers, by name, as far as it is known what they run."""
    files: dict[str, volumes.Files] = field(default_factory=dict)
    """What the volumes of its processes show."""
    network: Literal["none", "making", "there"] = "none"
    known_runs: set[str] = field(default_factory=set)
    """Runs of processes that init knows of, by id."""
    _known_starts: dict[str, float] = field(default_factory=dict)
    """When the containers started that ran before this agent did."""
    _reported: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, pod: Mapping[str, Any], cluster: Cluster, now: float, sources: Sources = NOTHING) -> ManagedPod | None:
        """None for a pod that is not bound to a node, has no address yet, or is finished. `now` in epoch seconds."""
        interface = objects.pod_interface(pod, cluster)
        if interface is None and not _runs_on_host_network(pod, cluster):
            return None
        managed = cls(pod, cluster, interface, PodLife(pod), int(pod["metadata"]["resourceVersion"]))
        for container in managed.life.containers:
            managed.prepare(container, sources)
        managed._remember(pod.get("status") or {}, now)
        return managed

    def prepare(self, container: str, sources: Sources) -> str:
        """Find out anew what a container runs, and with what; why it cannot run yet, or nothing."""
        spec = self.life.containers[container].spec
        try:
            self.programs[container] = images.program(spec, self.pod, sources)
            if not self.is_served(container):
                self.files[container] = volumes.files(self.pod, spec, sources)
        except ConfigError as error:
            return str(error)
        return ""

    def obstacle(self, action: Start, sources: Sources) -> str:
        """Why a container cannot start yet, or nothing. A restarted one finds its environment anew."""
        known = action.run == 0 and action.container in self.programs
        known = known and (self.is_served(action.container) or action.container in self.files)
        return "" if known else self.prepare(action.container, sources)

    def _remember(self, status: Mapping[str, Any], now: float) -> None:
        """What an agent before this one reported: which run of each container is the last, and how served ones ended
        (of processes, init knows)."""
        self.life.activate(seconds(status["startTime"]) if "startTime" in status else now)
        for known in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            container, state = self.life.containers[known["name"]], known.get("state") or {}
            container.run = known["restartCount"]
            if (before := (known.get("lastState") or {}).get("terminated")) is not None:
                container.last_run = _run(before, container.run - 1)
            if "running" in state:
                self._known_starts[container.name] = seconds(state["running"]["startedAt"])
            elif "terminated" in state and self.is_served(container.name):
                run = _run(state["terminated"], container.run)
                self.life.ended(container.name, run.exit_code, run.finished_at, run.message)
                container.started_at = run.started_at

    def was_running(self, container: str) -> bool:
        """Whether it ran before this agent did, and this agent has not found it yet."""
        return container in self._known_starts

    def started_at(self, container: str, now: float) -> float:
        """When a container that is found to run has started: as reported before, or just now."""
        return self._known_starts.pop(container, now)

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    @property
    def key(self) -> str:
        return f"{objects.namespace(self.pod)}/{objects.name(self.pod)}"

    @staticmethod
    def identity_of(pod: Mapping[str, Any]) -> dict[str, str]:
        """How the API is told which Pod is meant."""
        metadata = pod["metadata"]
        return {"namespace": objects.namespace(pod), "name": objects.name(pod), "uid": str(metadata["uid"])}

    @property
    def identity(self) -> dict[str, str]:
        return self.identity_of(self.pod)

    @property
    def node(self) -> str:
        return str(self.pod["spec"]["nodeName"])

    @property
    def deletion_grace_s(self) -> float | None:
        """How long the pod may take to end; None while it is not to end."""
        metadata = self.pod["metadata"]
        return float(metadata.get("deletionGracePeriodSeconds") or 0) if "deletionTimestamp" in metadata else None

    def reference(self, container: str | None = None) -> dict[str, str]:
        """The ObjectReference to the pod, or to a container of it."""
        reference = {"apiVersion": "v1", "kind": "Pod", **self.identity}
        if container is not None:
            field = "initContainers" if self.life.containers[container].init else "containers"
            reference["fieldPath"] = f"spec.{field}{{{container}}}"
        return reference

    def run_id(self, container: str, run: int) -> str:
        return f"{self.uid}/{container}/{run}"

    def adopt(self, process: Mapping[str, Any], now: float) -> None:
        """A process of this pod that was started by an agent before this one."""
        _, container, run = container_of_run(process["id"])
        self.known_runs.add(process["id"])
        self.network = "there"
        if container not in self.life.containers or run < self.life.containers[container].run:
            return
        self.life.adopt(container, run, self._known_starts.get(container, now))
        if process["exit_code"] is not None:
            self.life.ended(container, process["exit_code"], process["finished_at"])

    def is_served(self, container: str) -> bool:
        return isinstance(self.programs.get(container), Served)

    def served_id(self, container: str) -> str:
        return f"{self.uid}/{container}"

    def served_container(self, container: str, run: int, run_directory: Path) -> ServedContainer:
        program = self.programs[container]
        assert isinstance(program, Served)
        netns = f"{rootfs.NETNS}/{self.place().netns}"
        log = container_log.path(run_directory, self.uid, container, run)
        return ServedContainer(
            self.served_id(container), netns, program.hostname, program.servers, program.delay_shutdown_s, log
        )

    def place(self, container: str | None = None) -> Place:
        """Where a process of this container runs (None: of the pod)."""
        if container is None:
            return place_of_pod(self.pod)
        return place_of_pod(self.pod, capabilities.of_container(self.life.containers[container].spec, self.pod))

    def start_request(self, container: str, run: int, run_directory: Path) -> dict[str, Any]:
        """What to ask of init to start this container."""
        program = self.programs[container]
        assert isinstance(program, Process)
        return self.process_request(
            self.run_id(container, run), container, program.argv, program.env,
            container_log.path(run_directory, self.uid, container, run), program.cwd,
            streams=self.life.containers[container].spec,
        )  # fmt: skip

    def process_request(
        self, id: str, container: str, argv: tuple[str, ...], env: Mapping[str, str], log: str, cwd: str = "/",
        streams: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """What to ask of init to start a process in this container; `streams` as in its spec: stdin, tty."""
        place = self.place(container)
        environment = {**confine.environment(place), **env}
        return runtime.start_request(id, place, argv, environment, log, cwd, streams)

    def rebooted(self) -> None:
        """Its node is back, and what the API has of it may be somebody else's idea."""
        self.life.rebooted()
        self._reported = None

    @property
    def drifted(self) -> bool:
        """Whether the pod was said to be unready by somebody else, while its node was silent: this agent gives a
        reason where it says so. It is to be said again."""
        if self._reported is None or not objects.ready({"status": self._reported}):
            return False
        conditions = (self.pod.get("status") or {}).get("conditions", ())
        if any(each["type"] == "Ready" and each["status"] != "True" and "reason" not in each for each in conditions):
            self._reported = None
        return self._reported is None

    def etc(self) -> dict[str, str]:
        return pod_files.etc(self.pod, self.cluster)

    def take(self, pod: Mapping[str, Any]) -> None:
        """A newer state of the object. What did not change stays the object that it was: most of what comes is the echo
        of this agent's own reports, and a thousand pods would be here twice."""
        before = self.pod
        self.pod = {
            part: _kept(before.get(part), value) if part in ("spec", "metadata", "status") else value
            for part, value in pod.items()
        }

    def changed_status(self, now: float) -> dict[str, Any] | None:
        """The status to report, or None if it is what was reported last."""
        status = pod_status.status(self.life, self.pod, now, self.network == "there")
        if status == self._reported:
            return None
        self._reported = status
        self.pod = {**self.pod, "status": {**(self.pod.get("status") or {}), **status}}
        return {"kind": "Pod", **self.identity, "status": status}


def _kept(before: Any, after: Mapping[str, Any]) -> dict[str, Any]:
    """`after`, made of the fields of `before` where they are equal."""
    return {key: before[key] if before and before.get(key) == value else value for key, value in after.items()}


def _run(terminated: Mapping[str, Any], number: int) -> Run:
    """The run that a ContainerStateTerminated tells of."""
    started, finished = (seconds(terminated[key]) for key in ("startedAt", "finishedAt"))
    return Run(number, terminated["exitCode"], started, finished, terminated.get("message", ""))


def _runs_on_host_network(pod: Mapping[str, Any], cluster: Cluster) -> bool:
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return bool(pod["spec"].get("hostNetwork")) and pod["spec"].get("nodeName") in cluster.node_by_name and not finished
