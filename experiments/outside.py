"""mininetes outside: every way from outside to the Services of a testbed, and back out, each tried by a real request.

`ways` says from the API's objects which there are; `answer` tries one.
"""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.testbed import CommandError, Testbed, output_of

Object = Mapping[str, Any]
_NOT_SHOWN = ("kube-system", "ingress-nginx")
"""Namespaces of a cluster's own Services."""
_PATH = "/hostname"
"""What agnhost answers with the name of its pod."""
_CURL = ("curl", "--silent", "--show-error", "--max-time", "5")
_OPERATORS = re.compile(r"[()\[\]{}*+?|^$\\].*")
_PORT = 8000
_TELL_WHO_ASKS = f"""
import socket
server = socket.create_server(("", {_PORT}), reuse_port=True)
print("ready", flush=True)
client, (address, _) = server.accept()
client.recv(4096)
client.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n" + address.encode())
client.close()
"""


@dataclass(frozen=True, slots=True)
class Way:
    """`source` is a target of `mininetes exec`. `options` are curl's. `trusted`: certificates that it takes, in PEM."""

    how: str
    source: str
    url: str
    options: tuple[str, ...] = ()
    trusted: str = ""
    forward: tuple[str, str, int] | None = None
    """Namespace, Service and port to forward to, from this machine."""


@dataclass(frozen=True, slots=True)
class Egress:
    """A pod asks a server outside, which says from where it was asked."""

    source: str
    client: str
    address: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is: addresses by the names of nodes and clients, Services, Ingresses, Secrets, and a pod to ask from."""

    nodes: Mapping[str, str]
    clients: Mapping[str, str]
    objects: Sequence[Object]
    pod: str


def scene(testbed: Testbed) -> Scene:
    """Raises CommandError, NoTestbedError."""
    status = json.loads(testbed.output("status", "-o", "json"))
    listed = testbed.output("kubectl", "get", "services,ingresses,secrets", "--all-namespaces", "-o", "json")
    running = [f"{pod['namespace']}/{pod['name']}" for pod in status["pods"]
               if pod["phase"] == "Running" and pod["namespace"] not in _NOT_SHOWN]  # fmt: skip
    return Scene(
        {node["name"]: node["ips"][0] for node in status["nodes"]},
        {client["name"]: client["ips"][0] for client in status["clients"] if client["ips"]},
        json.loads(listed)["items"],
        running[0] if running else "",
    )


def ways(found: Scene) -> list[Way | Egress]:
    """Ways in by Services, then by Ingresses, then the way out; from the first client, if there is one."""
    client = next(iter(found.clients), None)
    listed: list[Way | Egress] = []
    for obj in found.objects:
        if obj["kind"] == "Service" and _is_shown(obj):
            listed += _by_service(obj, found, client)
    if client is not None:
        for obj in found.objects:
            if obj["kind"] == "Ingress":
                listed += _by_ingress(obj, found, f"client/{client}")
        if found.pod:
            listed.append(Egress(found.pod, client, found.clients[client]))
    return listed


def answer(testbed: Testbed, way: Way | Egress, found: Scene) -> str:
    """What came back. Raises CommandError with the reason when nothing did."""
    if isinstance(way, Egress):
        seen = _asked_by(testbed, way)
        who = next((f"node {name}" for name, address in found.nodes.items() if address == seen), "no node")
        return f"the outside saw {seen} ({who})"
    if way.forward is not None:
        return _forwarded(testbed, way.forward)
    command = (*testbed.prefix(way.source), *_CURL, "--fail", *way.options, way.url)
    done = subprocess.run(command, input=way.trusted, capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandError(done.stderr.strip() or f"curl: exit status {done.returncode}")
    return done.stdout.strip().partition("\n")[0]


def _is_shown(service: Object) -> bool:
    metadata = service["metadata"]
    own = metadata["namespace"] in _NOT_SHOWN or (metadata["namespace"], metadata["name"]) == ("default", "kubernetes")
    return not own


def _by_service(service: Object, found: Scene, client: str | None) -> Iterator[Way]:
    spec, metadata = service["spec"], service["metadata"]
    kind = spec.get("type", "ClusterIP")
    space, name = metadata["namespace"], metadata["name"]
    port = next((port for port in spec.get("ports") or () if port.get("protocol", "TCP") == "TCP"), None)
    if kind == "ExternalName" and found.pod:
        yield Way("ExternalName, from a pod", found.pod, _url(f"{name}.{space}", 80 if port is None else port["port"]))
    if port is None:
        return
    if kind == "ClusterIP" and spec.get("selector"):
        yield Way("ClusterIP by port-forward", "this machine", f"service/{name}", forward=(space, name, port["port"]))
    if client is None:
        return
    source = f"client/{client}"
    if kind == "NodePort" and port.get("nodePort"):
        for node, address in found.nodes.items():
            yield Way(f"NodePort on {node}", source, _url(address, port["nodePort"]))
    if kind == "LoadBalancer":
        for address in _addresses(service):
            yield Way("LoadBalancer", source, _url(address, port["port"]))
    for address in spec.get("externalIPs") or ():
        yield Way("external IP", source, _url(address, port["port"]))


def _by_ingress(ingress: Object, found: Scene, source: str) -> Iterator[Way]:
    address = next(iter(_addresses(ingress)), None)
    if address is None:
        return
    spec = ingress["spec"]
    secrets = {host: entry.get("secretName") for entry in spec.get("tls") or () for host in entry.get("hosts") or ()}
    for rule in spec.get("rules") or ():
        host = rule.get("host", address).replace("*", "any")
        for entry in (rule.get("http") or {}).get("paths") or ():
            path = _OPERATORS.sub("", entry.get("path") or "/").rstrip("/")
            how = f"path {path}" if path else f"host {host}"
            if host not in secrets:
                yield Way(f"Ingress by {how}", source, _url(host, 80, path), _at(host, 80, address))
                continue
            trusted = _certificate(found.objects, ingress["metadata"]["namespace"], secrets[host])
            options = (*_at(host, 443, address), "--cacert", "/dev/stdin")
            yield Way(f"Ingress, HTTPS, {how}", source, _url(host, 443, path, "https"), options, trusted)


def _addresses(obj: Object) -> list[str]:
    entries = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [entry["ip"] for entry in entries if "ip" in entry]


def _at(host: str, port: int, address: str) -> tuple[str, ...]:
    return ("--resolve", f"{host}:{port}:{address}")


def _url(host: str, port: int, path: str = "", scheme: str = "http") -> str:
    shown = f"[{host}]" if ":" in host else host
    place = shown if port == {"http": 80, "https": 443}[scheme] else f"{shown}:{port}"
    return f"{scheme}://{place}{path}{_PATH}"


def _certificate(objects: Iterable[Object], space: str, name: str | None) -> str:
    for obj in objects:
        if obj["kind"] == "Secret" and (obj["metadata"]["namespace"], obj["metadata"]["name"]) == (space, name):
            return b64decode(obj["data"]["tls.crt"]).decode()
    return ""


def _forwarded(testbed: Testbed, forward: tuple[str, str, int]) -> str:
    """What comes back by `kubectl port-forward`, from this machine."""
    space, name, port = forward
    argv = testbed.argv("kubectl", "--namespace", space, "port-forward", f"service/{name}", f":{port}")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        try:
            found = re.search(r"127\.0\.0\.1:(\d+)", said)
            if found is None:
                process.terminate()
                raise CommandError(f"kubectl port-forward: {said or process.communicate()[1].strip()}")
            return output_of((*_CURL, "--fail", f"http://127.0.0.1:{found[1]}{_PATH}")).strip()
        finally:
            process.terminate()


def _asked_by(testbed: Testbed, way: Egress) -> str:
    """The address that a server outside sees when the pod asks it."""
    argv = (*testbed.prefix(f"client/{way.client}"), "python3", "-c", _TELL_WHO_ASKS)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            server.stdout.readline()
            return testbed.exec(way.source, *_CURL, "--noproxy", "*", f"http://{way.address}:{_PORT}/").strip()
        finally:
            server.terminate()
