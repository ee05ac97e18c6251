"""The testbed of the conformance tests, its API, and who asks in it."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import config, dynamic
from manifests import AGNHOST, Object, cluster, pod, tools
from testbeds import Testbed, started

from topo.waiting import wait_until

PROBER = Path(__file__).with_name("prober.py").read_text()
HTTP, UDP = 8080, 8081
HOST_HTTP, HOST_UDP = 8090, 8091
WORKERS = ("worker", "worker2")
ZONE_LABEL = "topology.kubernetes.io/zone"
CHANGE_S = 20.0
"""How long a change may take that the tests wait for. Long, since the machine may be busy."""
_numbers = itertools.count(1)


def server(name: str, node: str, labels: Mapping[str, str], **spec: Any) -> Object:
    """A pod of agnhost's netexec, which says its name over HTTP and UDP."""
    ports = (HOST_HTTP, HOST_UDP) if spec.get("hostNetwork") else (HTTP, UDP)
    args = ["netexec", f"--http-port={ports[0]}", f"--udp-port={ports[1]}", *spec.pop("args", ())]
    declared = [
        {"name": "http", "containerPort": ports[0]}, {"name": "udp", "containerPort": ports[1], "protocol": "UDP"},
    ]  # fmt: skip
    container = {"name": "server", "image": AGNHOST, "args": args, "ports": declared, **spec.pop("container", {})}
    made = pod(name, container, nodeName=node, terminationGracePeriodSeconds=0, **spec)
    made["metadata"]["labels"] = dict(labels)
    return made


def topology() -> Object:
    made = cluster(workers=2, ip_family="dual", clients=1)
    for node, zone in zip(made["nodes"], ("east", "east", "west"), strict=True):
        node["labels"] = {ZONE_LABEL: zone}
    return made


class Prober:
    """Asks from one pod or node."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(
        self, host: str, port: int, protocol: str = "tcp", path: str | None = None, count: int = 1,
        timeout_s: float = 1.0, local_port: int = 0,
    ) -> list[str]:  # fmt: skip
        """The answers to so many new connections, one after the other; `path` is UDP's datagram."""
        question = {
            "host": host, "port": port, "protocol": protocol, "count": count, "timeout_s": timeout_s,
            "path": path or ("/hostname" if protocol == "tcp" else "hostname"), "local_port": local_port,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answers: list[str] = json.loads(self._process.stdout.readline())
        return answers


@dataclass
class Site:
    """A running testbed. `servers` by name; probers by target ("client", "node/worker")."""

    testbed: Testbed
    api: dynamic.DynamicClient
    stack: ExitStack
    _probers: dict[str, Prober] = field(default_factory=dict)

    def resource(self, kind: str) -> Any:
        group = {"Deployment": "apps/v1", "EndpointSlice": "discovery.k8s.io/v1"}.get(kind, "v1")
        return self.api.resources.get(api_version=group, kind=kind)

    def create(self, made: Object) -> Object:
        namespace = made["metadata"].setdefault("namespace", "default")
        created: Object = self.resource(made["kind"]).create(body=made, namespace=namespace).to_dict()
        return created

    def patch(self, kind: str, name: str, change: Any) -> Object:
        content = "application/merge-patch+json"
        changed: Object = self.resource(kind).patch(
            body=change, name=name, namespace="default", content_type=content
        ).to_dict()
        return changed

    def delete(self, kind: str, name: str, **options: Any) -> None:
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        self.resource(kind).delete(name=name, namespace="default", body=body)

    def get(self, kind: str, name: str) -> Object:
        found: Object = self.resource(kind).get(name=name, namespace="default").to_dict()
        return found

    def prober(self, target: str) -> Prober:
        if target not in self._probers:
            argv = self.testbed.user.argv("exec", "--name", self.testbed.name, target, "--", "python3", "-c", PROBER)
            process = self.stack.enter_context(
                subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            self.stack.callback(process.terminate)
            self._probers[target] = Prober(process)
        return self._probers[target]

    def until(self, condition: Any, what: str) -> None:
        wait_until(condition, CHANGE_S, what)

    def synced(self) -> None:
        """Every switch holds what the API says. An answer proves less: the address may be an earlier Service's, whose
        flows are still there while the controller is down.
        """
        assert self.testbed.mininetes("sync").status == 0

    @contextmanager
    def service(self, selector: Mapping[str, str] | None, *ports: Object, **spec: Any) -> Iterator[Object]:
        """A Service of a name of its own, by default port 80 -> http; gone at the end."""
        name = f"svc-{next(_numbers)}"
        body = {"ports": list(ports) or [{"name": "http", "port": 80, "targetPort": "http"}], **spec}
        labels = spec.pop("labels", None) and body.pop("labels")
        if selector is not None:
            body["selector"] = dict(selector)
        made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}
        if labels:
            made["metadata"]["labels"] = labels
        try:
            yield self.create(made)
        finally:
            self.delete("Service", name)

    @contextmanager
    def pods(self, *made: Object, ready: bool = True) -> Iterator[None]:
        """Pods for one test."""
        try:
            for each in made:
                self.create(each)
            for each in made:
                self.wait_for_pod(each["metadata"]["name"], ready)
            yield
        finally:
            for each in made:
                self._probers.pop(each["metadata"]["name"], None)
                if self.exists("Pod", each["metadata"]["name"]):
                    self.delete("Pod", each["metadata"]["name"], gracePeriodSeconds=0)

    def exists(self, kind: str, name: str) -> bool:
        items = self.resource(kind).get(namespace="default").to_dict()["items"]
        return any(item["metadata"]["name"] == name for item in items)

    def wait_for_pod(self, name: str, ready: bool) -> None:
        def as_wanted() -> bool:
            status = self.get("Pod", name).get("status", {})
            conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
            return status.get("phase") == "Running" and (conditions.get("Ready") == "True") == ready

        self.until(as_wanted, f"pod {name} running, ready {ready}")


SERVERS = (
    server("s1", "worker", {"app": "web"}),
    server("s2", "worker", {"app": "web"}),
    server("s3", "worker2", {"app": "web"}),
    server("h1", "worker", {"app": "host"}, hostNetwork=True),
    server("h2", "worker2", {"app": "host"}, hostNetwork=True),
)
CLIENTS = (
    pod("client", tools(), nodeName="worker"),
    pod("client2", tools(), nodeName="worker2"),
    pod("host-client", tools(), nodeName="worker", hostNetwork=True),
)


@contextmanager
def running() -> Iterator[Site]:
    with started(topology(), *SERVERS, *CLIENTS) as testbed, ExitStack() as stack:
        api = dynamic.DynamicClient(config.new_client_from_config(str(testbed.directory / "kubeconfig")))
        yield Site(testbed, api, stack)


def ips(service: Object) -> Sequence[str]:
    return list(service["spec"]["clusterIPs"])
