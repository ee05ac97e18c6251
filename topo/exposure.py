"""What nodes expose by the objects of the moment: the kernel's rules for host ports, and health check node ports.

A rule hands packets to a host port to the node's switch (`ways_in`), which knows the pod (`controller/host_ports.py`).
Behind a health check node port answers what kube-proxy answers (pkg/proxy/healthcheck): 200 where the Service has a
ready endpoint on this node, 503 where it has none, and how many as JSON.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from cluster.client import Batch, Client
from cluster.model import LOCALHOSTS, Cluster, IPAddress, Node
from cluster.objects import Object, labels, name, namespace
from cluster.run_directory import API_SOCKET
from cluster.well_known import SERVICE_NAME_LABEL
from topo import namespaces, netlink, ways_in

Opened = tuple[str, str, int, str]
"""A node, protocol, port, and the address that it is of ("" = all of the node)."""
_PROTOCOLS = {"TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP, "SCTP": ways_in.IPPROTO_SCTP}


class Exposure:
    """Follows Services by itself, and pods as it is told of them; in threads of its own."""

    def __init__(self, run: Path, cluster: Cluster) -> None:
        self._cluster, self._run = cluster, run
        self._batches: SimpleQueue[tuple[str, Batch]] = SimpleQueue()
        self._wanted: dict[tuple[str, str], frozenset[Opened]] = {}
        """By the kind and uid of the object that opens them."""
        self._open: set[Opened] = set()
        self._checks: dict[tuple[str, int], _HealthCheck] = {}
        self._checked: dict[str, tuple[int, str, str]] = {}
        """Health check node port, namespace and name of the Services that have one, by uid."""
        for body in (self._follow, self._watch):
            Thread(target=body, name=f"exposure{body.__name__}", daemon=True).start()

    def take(self, batch: Batch) -> None:
        """Pods have come or gone."""
        if batch.reset or any(event.object["kind"] == "Pod" and _host_ports(event.object) for event in batch.events):
            self._batches.put(("Pod", batch))

    def _watch(self) -> None:
        for batch in Client(self._run / API_SOCKET).watch(["Service"]):
            self._batches.put(("Service", batch))

    def _follow(self) -> None:
        for node in self._cluster.nodes:
            ways_in.close_all(node)
        while True:
            self._on_batch(*self._batches.get())

    def _on_batch(self, kind: str, batch: Batch) -> None:
        """A batch of one kind, whatever else is in it."""
        events = [event for event in batch.events if event.object["kind"] == kind]
        for event in events:
            obj = event.object
            self._note(kind, str(obj["metadata"]["uid"]), None if event.type == "DELETED" else obj)
        present = {(kind, str(event.object["metadata"]["uid"])) for event in events}
        known = {*self._wanted, *(("Service", uid) for uid in self._checked)}
        for of, uid in known - present if batch.reset else ():
            if of == kind:
                self._note(kind, uid, None)
        self._open_and_close()
        self._serve_checks()

    def _note(self, kind: str, uid: str, obj: Object | None) -> None:
        """What this object opens from now on."""
        self._checked.pop(uid, None)
        opened: Iterable[Opened] = ()
        if obj is not None and kind == "Pod":
            opened = _host_ports(obj)
        elif obj is not None:
            opened = self._external_ips(obj)
            if number := obj["spec"].get("healthCheckNodePort"):
                self._checked[uid] = (int(number), namespace(obj), name(obj))
        self._wanted.pop((kind, uid), None)
        if ports := frozenset(opened):
            self._wanted[kind, uid] = ports

    def _external_ips(self, service: Object) -> Iterator[Opened]:
        """External addresses of a Service that are a node's own."""
        asked = set(map(ip_address, service["spec"].get("externalIPs") or ()))
        for node in self._cluster.nodes if asked else ():
            for address in asked.intersection(node.addresses):
                for port in service["spec"].get("ports") or ():
                    yield node.name, port.get("protocol", "TCP"), int(port["port"]), str(address)

    def _open_and_close(self) -> None:
        wanted = set().union(*self._wanted.values())
        nodes = self._cluster.node_by_name
        for opened in wanted ^ self._open:
            if opened[0] in nodes:
                _change(nodes[opened[0]], opened, is_open=opened in wanted)
        self._open = wanted

    def _serve_checks(self) -> None:
        wanted = {
            (node.name, number): (space, service)
            for number, space, service in self._checked.values() for node in self._cluster.nodes
        }  # fmt: skip
        for key in [key for key, check in self._checks.items() if wanted.get(key) != check.service]:
            self._checks.pop(key).close()
        for (node, number), service in wanted.items():
            if (node, number) not in self._checks:
                self._checks[node, number] = _HealthCheck(self._run, node, number, service)


def _host_ports(pod: Mapping[str, Any]) -> frozenset[Opened]:
    """Those of a pod that has a node, and a network of its own."""
    spec = pod["spec"]
    if not spec.get("nodeName") or spec.get("hostNetwork") or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return frozenset()
    return frozenset(
        (str(spec["nodeName"]), port.get("protocol") or "TCP", int(port["hostPort"]), _bound(port))
        for container in spec.get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


def _bound(port: Mapping[str, Any]) -> str:
    address = ip_address(port.get("hostIP") or "0.0.0.0")
    return "" if address.is_unspecified else str(address)


def _change(node: Node, opened: Opened, is_open: bool) -> None:
    _, protocol, number, bound = opened
    own: list[IPAddress] = [*node.addresses, *LOCALHOSTS]
    addresses = [address for address in own if bound in ("", str(address))]
    rules = [rule for address in addresses for rule in ways_in.port_rules(address, _PROTOCOLS[protocol], number)]
    with namespaces.visit_pinned(node.name), netlink.Socket() as kernel:
        kernel.run(rule.added() if is_open else rule.deleted() for rule in rules)


class _HealthCheck:
    """One health check node port on one node."""

    def __init__(self, run: Path, node: str, number: int, service: tuple[str, str]) -> None:
        self.service = service
        api = Client(run / API_SOCKET)

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                count = _local_endpoints(api.objects(["EndpointSlice"])[1], *service, node)
                told = {"service": {"namespace": service[0], "name": service[1]}, "localEndpoints": count}
                body = json.dumps({**told, "serviceProxyHealthy": True}).encode()
                self.send_response(200 if count else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Content-Type-Options", "nosniff")
                self.send_header("X-Load-Balancing-Endpoint-Weight", str(count))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: load balancers ask several times a second."""

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6
            daemon_threads = True

        with namespaces.visit_pinned(node):
            self._server = Server(("::", number), Answer)
        Thread(target=self._server.serve_forever, name=f"health check {node}:{number}", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _local_endpoints(slices: Iterable[Object], space: str, service: str, node: str) -> int:
    """Endpoints of the Service on that node that are ready; those that only serve while they end do not count."""
    return len({
        address for one in slices
        if namespace(one) == space and labels(one).get(SERVICE_NAME_LABEL) == service
        for endpoint in one.get("endpoints") or ()
        if endpoint.get("nodeName") == node and (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"][:1]
    })  # fmt: skip
