"""Where a run's steps act: its testbed, what is in it, what was measured so far."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from typing import Any

from cluster import objects, selectors
from cluster.client import Client
from cluster.model import IPAddress
from cluster.problems import NoTestbedError
from experiments import bulk
from experiments.scripted import programs
from experiments.scripted.steps.step import Outcome, StepError
from experiments.scripted.values import Target
from experiments.testbed import MININETES, CommandError, Inventory, Machine, Testbed, output_of

_KINDS = {
    "service": "Service", "deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet",
    "replicaset": "ReplicaSet", "job": "Job",
}  # fmt: skip
_VERSIONS = {"ipv4": 4, "ipv6": 6, None: None}
PROGRAMS = Path(programs.__file__).parent
_GRACE_S = 20.0
"""How much longer than its requests and their patience a program may take."""
_LOOK_S = 0.05


@dataclass(slots=True)
class Course:
    """The course of one step: it says when it has begun, and hears when it is to end.

    `bound`: it belongs to another step, with which it ends (`during`).
    """

    ending: Event = field(default_factory=Event)
    bound: bool = False
    on_begin: Callable[[], None] = lambda: None
    _begun: bool = False

    def began(self) -> None:
        """To be called once, when what the step is about really begins."""
        if not self._begun:
            self._begun = True
            self.on_begin()


@dataclass(slots=True)
class Scene:
    """`figures`: what the steps of this run have measured, as STEP.FIGURE. `draw` is the run's own generator."""

    testbed: Testbed
    draw: random.Random
    figures: dict[str, float] = field(default_factory=dict)
    _client_of_api: Client | None = None

    def machine(self, target: Target) -> Machine:
        """Raises StepError. Of a workload, the first of its pods that is ready, by name."""
        try:
            inventory = self.testbed.inventory()
            if target.kind in ("pod", "node"):
                return inventory.find(str(target))
            if target.kind == "client":
                return self._client(target)
            return self._pods_of(target, inventory)[0]
        except NoTestbedError as error:
            raise StepError(str(error)) from error

    def prefix(self, target: Target) -> tuple[str, ...]:
        """What to put before a command so that it runs there."""
        return self.testbed.prefix(self.machine(target).target)

    def pods_of(self, workload: Target) -> list[Machine]:
        """All ready pods of a Deployment or the like, by name. Raises StepError if there is none."""
        return self._pods_of(workload, self.testbed.inventory())

    def address(self, target: Target, family: str | None) -> IPAddress:
        """Of a machine, a Service, or the address itself. Raises StepError."""
        if target.kind == "address":
            return ip_address(str(target))
        if target.kind == "service":
            return self._cluster_ip(self._get(target), family)
        try:
            return self.machine(target).address(_VERSIONS[family])
        except NoTestbedError as error:
            raise StepError(str(error)) from error

    def front(self, target: Target, port: int | None, family: str | None) -> tuple[IPAddress, int]:
        """Address and port to ask; of a Service without `port` its first one."""
        if target.kind == "service" and port is None:
            port = int(self._get(target)["spec"]["ports"][0]["port"])
        assert port is not None  # the file was checked
        return self.address(target, family), port

    def front_of(self, service: Target, target_port: int, family: str | None) -> tuple[IPAddress, int]:
        """Address and port of a Service that lead to `target_port` of its pods. Raises StepError."""
        found = self._get(service)
        for port in found["spec"]["ports"]:
            if port.get("targetPort", port["port"]) == target_port:
                return self._cluster_ip(found, family), int(port["port"])
        raise StepError(f"Service {service.namespace}/{service.name} has no port with targetPort {target_port}")

    def placement(self) -> dict[str, str]:
        """Where pods are: "namespace/name" -> node."""
        _, pods = self._api.objects(["Pod"])
        placed = {f"{objects.namespace(pod)}/{objects.name(pod)}": pod["spec"].get("nodeName", "") for pod in pods}
        return dict(sorted(placed.items()))

    def kubectl(self, *arguments: str) -> str:
        """Raises StepError with what it said."""
        return self.command("kubectl", *arguments)

    def command(self, subcommand: str, *arguments: str) -> str:
        """What `mininetes SUBCOMMAND` prints. Raises StepError with what it said."""
        try:
            return self.testbed.output(subcommand, *arguments)
        except CommandError as error:
            raise StepError(str(error)) from error

    def fault(self, what: str, *arguments: str) -> None:
        """`mininetes fault WHAT ARGUMENTS`. Raises StepError with what it said."""
        named = () if self.testbed.name is None else ("--name", self.testbed.name)
        try:
            output_of((*MININETES, "fault", what, *named, *arguments))
        except CommandError as error:
            raise StepError(str(error)) from error

    def sync(self, timeout_s: float) -> None:
        """Wait until everything is realised. Raises StepError."""
        self.command("sync", "--timeout", f"{timeout_s:g}")

    def ask(self, program: str, source: Target, options: Mapping[str, Any], course: Course) -> Outcome:
        """Run one of `programs` in a machine until it ends, or until the step is to end. Raises StepError."""
        argv = (*self.prefix(source), "python3", "-c", text_of(program), json.dumps(options))
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() == "began":
                course.began()
            deadline = time.monotonic() + options["seconds"] + options["patience_s"] + _GRACE_S
            while process.poll() is None and not course.ending.wait(_LOOK_S):
                if time.monotonic() > deadline:
                    raise StepError(f"{program} in {source} did not end")
            process.terminate()
            said, errors = process.communicate(timeout=options["patience_s"] + _GRACE_S)
        finally:
            process.kill()
            process.wait()
        if not said.strip():
            raise StepError(f"{program} in {source} failed: {errors.strip() or process.returncode}")
        found = json.loads(said.strip().splitlines()[-1])
        return Outcome(found["figures"], found["series"], found["tables"])

    def _client(self, target: Target) -> Machine:
        status = json.loads(self.testbed.output("status", "-o", "json"))
        for client in status["clients"]:
            if client["name"] == target.name:
                return Machine(str(target), str(target), tuple(ip_address(text) for text in client["ips"]))
        raise StepError(f"there is no client {target.name!r}")

    def _pods_of(self, workload: Target, inventory: Inventory) -> list[Machine]:
        selector = self._get(workload)["spec"]["selector"]
        _, listed = self._api.objects(["Pod"])
        ready = {
            f"{workload.namespace}/{objects.name(pod)}" for pod in listed
            if objects.namespace(pod) == workload.namespace and selectors.matches(selector, objects.labels(pod))
            and "deletionTimestamp" not in pod["metadata"] and objects.ready(pod)
        }  # fmt: skip
        pods = sorted((pod for pod in inventory.pods if pod.target in ready), key=lambda pod: pod.target)
        if not pods:
            raise StepError(f"{workload.kind} {workload.namespace}/{workload.name} has no pod that is ready")
        return pods

    def _get(self, target: Target) -> objects.Object:
        """A Service or a workload."""
        kind = _KINDS[target.kind]
        for found in self._api.objects([kind])[1]:
            if (objects.namespace(found), objects.name(found)) == (target.namespace, target.name):
                return found
        raise StepError(f"there is no {kind} {target.namespace}/{target.name}")

    @property
    def _api(self) -> Client:
        if self._client_of_api is None:
            self._client_of_api = bulk.client_of(self.testbed)
        return self._client_of_api

    @staticmethod
    def _cluster_ip(service: Mapping[str, Any], family: str | None) -> IPAddress:
        addresses = [ip_address(text) for text in service["spec"].get("clusterIPs", ()) if text != "None"]
        for address in addresses:
            if _VERSIONS[family] in (None, address.version):
                return address
        raise StepError(f"Service {service['metadata']['name']} has no {family or 'cluster'} address")


def text_of(program: str) -> str:
    """The program as text, for a pod that does not see this file, with what it takes from `pacing` before it."""
    own = (PROGRAMS / f"{program}.py").read_text().splitlines()
    kept = [line for line in own if not line.startswith(("from __future__", "from experiments."))]
    return (PROGRAMS / "pacing.py").read_text() + "\n".join(kept) + "\n"
