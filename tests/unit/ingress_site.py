"""A real nginx on loopback with the configuration of given objects, and backends that tell what reached them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from topo.ingress import nginx_conf, routes
from topo.ingress.nginx import Nginx, has_ipv6, open_files_limit
from topo.ingress.nginx_conf import Settings
from topo.ingress.options import Options
from topo.ingress.world import World

Object = dict[str, Any]
CLASS: Object = {
    "kind": "IngressClass", "metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"},
}  # fmt: skip


def ingress(
    name: str, *paths: tuple[str, str, str, str], default: str | None = None, annotations: Mapping[str, str] | None = None,
    tls: list[Object] | None = None, **metadata: Any,
) -> Object:  # fmt: skip
    """`paths`: host, path type, path, Service; a path of "-" stands for a rule without paths."""
    rules = []
    for host, path_type, path, service in paths:
        entry = {"path": path, "pathType": path_type, "backend": backend(service)}
        rule: Object = {} if path == "-" else {"http": {"paths": [entry]}}
        rules.append(rule | ({"host": host} if host else {}))
    spec: Object = {"ingressClassName": "nginx", "rules": rules}
    if default:
        spec["defaultBackend"] = backend(default)
    if tls:
        spec["tls"] = tls
    found = {"namespace": "default", "name": name, "annotations": dict(annotations or {}), **metadata}
    return {"kind": "Ingress", "metadata": found, "spec": spec}


def backend(service: str) -> Object:
    return {"service": {"name": service, "port": {"number": 80}}}


def service(name: str, **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80}]
    return {"kind": "Service", "metadata": {"namespace": "default", "name": name}, "spec": {"ports": ports, **spec}}


def endpoint_slice(service_name: str, port: int, *addresses: str, **conditions: bool) -> Object:
    labels = {"kubernetes.io/service-name": service_name}
    name = f"{service_name}-{'-'.join(conditions)}-{'-'.join(addresses)}"
    endpoints = [{"addresses": [address], "conditions": dict(conditions)} for address in addresses]
    return {
        "kind": "EndpointSlice", "metadata": {"namespace": "default", "name": name, "labels": labels},
        "endpoints": endpoints, "ports": [{"name": "http", "port": port}],
    }  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """`backend` is the address that answered, or the status if none did. `seen` is what reached the backend."""

    status: int
    headers: Mapping[str, str]
    seen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        return str(self.seen.get("address") or self.status)


@contextlib.contextmanager
def backends() -> Iterator[int]:
    """An HTTP server at every address of loopback, at one port. It answers with what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # head and body in one packet: two would wait for each other

        def do_GET(self) -> None:
            address = self.connection.getsockname()[0]
            text = json.dumps({"address": address, "path": self.path, "headers": dict(self.headers)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


class Site:
    """An nginx that serves what it was last given."""

    def __init__(self, directory: Path) -> None:
        self.http_port, self.https_port, status_port = free_ports(3)
        self.options = Options(http_port=self.http_port, https_port=self.https_port, status_port=status_port)
        self.nginx = Nginx(directory, status_port)
        self.settings = Settings(
            self.options, str(directory), (), has_ipv6(), os.geteuid() == 0, open_files_limit(), "127.0.0.1"
        )
        self.warnings: list[str] = []
        self._generation = ""

    def serve(self, *objects: Object) -> str:
        """The generation that is served now."""
        site = routes.site(World([CLASS, *objects]), self.options)
        self.warnings = list(site.warnings)
        text, generation = nginx_conf.text(site, self.settings)
        if generation != self._generation:
            self.nginx.configure(text, generation, site)
        self._generation = generation
        return generation

    def ask(self, host: str, path: str = "/", tls: bool = False, **headers: str) -> Answer:
        connection: HTTPConnection = HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        if tls:
            connection = _Named(host, self.https_port)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host, "Connection": "close", **headers})
            response = connection.getresponse()
            content = response.read()
            came = response.getheader("Content-Type") is None and response.status == 200
            return Answer(response.status, dict(response.getheaders()), json.loads(content) if came else {})

    def certificate(self, host: str) -> bytes:
        """What a client that asks for this host is shown, in DER."""
        connection = _Named(host, self.https_port)
        with contextlib.closing(connection):
            connection.connect()
            assert isinstance(connection.sock, ssl.SSLSocket)
            return connection.sock.getpeercert(binary_form=True) or b""


class _Named(HTTPSConnection):
    """Connects to loopback, but names a host in the handshake."""

    def __init__(self, host: str, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(host, port, timeout=5, context=context)
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Site]:
    if shutil.which("nginx", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("there is no nginx (package nginx-light)")
    site = Site(directory)
    try:
        yield site
    finally:
        site.nginx.quit()
