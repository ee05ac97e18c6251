"""The proxy subresources: HTTP through the API server to pods, to the endpoints of Services, to nodes.

https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h11
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive

from cluster import resources
from cluster.apiserver.exchange import HOP_BY_HOP, Exchange
from cluster.apiserver.paths import Target
from cluster.apiserver.streams import plain_headers, upgrade_headers
from cluster.apiserver.tunnel import Tunnels
from cluster.registry import errors
from cluster.registry.registry import Registry
from cluster.registry.requests import Query
from cluster.well_known import SERVICE_NAME_LABEL

_KUBELET_PORT = 10250
_SAFE_IN_PATHS = "/:@!$&'()*+,;=~-._"

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Name:
    """[SCHEME:]NAME[:PORT]. `port` is a name or a number, "" for the only one."""

    scheme: str
    name: str
    port: str

    @classmethod
    def parse(cls, text: str) -> Name:
        """Raises StatusError 400."""
        parts = text.split(":")
        if len(parts) == 3 and parts[0] in ("http", "https"):
            return cls(*parts)
        if len(parts) <= 2:
            return cls("http", parts[0], parts[1] if len(parts) == 2 else "")
        raise errors.bad_request(f"invalid proxy target {text!r}: must be [http:|https:]NAME[:PORT]")


class Proxy:
    def __init__(self, registry: Registry, kubelet: Path, tunnels: Tunnels) -> None:
        self._registry = registry
        self._kubelet = str(kubelet)
        self._tunnels = tunnels

    async def answer(self, request: Request, target: Target) -> Response | None:
        """None when the connection has become a tunnel."""
        name = Name.parse(target.name)
        if name.scheme == "https":
            raise errors.bad_request("https to backends is not supported here: leave the scheme out")
        host, port = self._backend(target, name)
        exchange = (
            await Exchange.open(self._kubelet) if target.resource.kind == "Node" and port == _KUBELET_PORT
            else await Exchange.connect(self._kubelet, host, port)
        )  # fmt: skip
        query = f"?{request.url.query}" if request.url.query else ""
        path = quote(target.rest or "/", safe=_SAFE_IN_PATHS) + query
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        headers = [(b"host", address.encode()), *_forwarded(request)]
        if "upgrade" in request.headers:
            return await self._upgraded(request, exchange, path, [*headers, *upgrade_headers(request)])
        body, framing = _body(request)
        head = await exchange.ask(request.method, path, [*headers, *plain_headers(request), *framing], body)
        return _answer(head, exchange)

    async def _upgraded(
        self, request: Request, exchange: Exchange, path: str, headers: list[tuple[bytes, bytes]]
    ) -> Response | None:
        head = await exchange.ask(request.method, path, headers)
        if not isinstance(head, h11.InformationalResponse):
            return _answer(head, exchange)
        await self._tunnels.run(request.state.connection, exchange, head)
        return None

    def _backend(self, target: Target, name: Name) -> tuple[str, int]:
        """Address and port. Raises StatusError."""
        obj = self._registry.get(target.resource, target.namespace or None, name.name)
        if target.resource.kind == "Service":
            return self._endpoint(obj, name)
        if target.resource.kind == "Node":
            addresses = [each["address"] for each in (obj.get("status") or {}).get("addresses") or ()]
            return _first(addresses, f'node "{name.name}" has no address'), _number(name.port or str(_KUBELET_PORT))
        addresses = [each["ip"] for each in (obj.get("status") or {}).get("podIPs") or ()]
        return _first(addresses, "address not allowed"), _pod_port(obj, name)

    def _endpoint(self, service: Object, name: Name) -> tuple[str, int]:
        """A ready endpoint of the Service's port: pkg/registry/core/service/storage, ResourceLocation."""
        ports = service["spec"].get("ports") or ()
        wanted = [
            each for each in ports
            if name.port in (str(each["port"]), each.get("name", "")) or (not name.port and len(ports) == 1)
        ]  # fmt: skip
        if not wanted:
            raise errors.service_unavailable(f'no service port "{name.port}" found for service "{name.name}"')
        slices = resources.stored("EndpointSlice")
        query = Query(label_selector=f"{SERVICE_NAME_LABEL}={name.name}")
        for each in self._registry.list(slices, service["metadata"]["namespace"], query).items:
            numbers = [
                port["port"] for port in each["ports"] or () if port.get("name", "") == wanted[0].get("name", "")
            ]
            for endpoint in each["endpoints"] or ():
                if numbers and (endpoint.get("conditions") or {}).get("ready", True):
                    return endpoint["addresses"][0], numbers[0]
        raise errors.service_unavailable(f'no endpoints available for service "{name.name}"')


def _pod_port(pod: Object, name: Name) -> int:
    """The given one, or the first that a container declares, or 80."""
    declared = [port["containerPort"] for each in pod["spec"]["containers"] for port in each.get("ports") or ()]
    return _number(name.port) if name.port else declared[0] if declared else 80


def _number(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 1 << 16:
        raise errors.bad_request(f"invalid port {text!r}: must be a number between 1 and 65535")
    return int(text)


def _first(addresses: list[str], otherwise: str) -> str:
    if not addresses:
        raise errors.service_unavailable(otherwise)
    return addresses[0]


def _forwarded(request: Request) -> list[tuple[bytes, bytes]]:
    """Where the backend is, as its client sees it (proxy/transport.go)."""
    prefix = request.url.path.partition("/proxy")[0] + "/proxy"
    return [(b"x-forwarded-uri", prefix.encode()), (b"x-forwarded-proto", request.url.scheme.encode())]


def _body(request: Request) -> tuple[AsyncIterator[bytes] | None, list[tuple[bytes, bytes]]]:
    """The request's body, and the header that says where it ends."""
    length = request.headers.get("content-length")
    if length is not None:
        return request.stream(), [(b"content-length", length.encode())]
    if "transfer-encoding" in request.headers:
        return request.stream(), [(b"transfer-encoding", b"chunked")]
    return None, []


class _Passed(StreamingResponse):
    """The answer of a backend, which may come while the request's body is still on its way to it."""

    def __init__(self, exchange: Exchange, status: int) -> None:
        super().__init__(exchange.body(), status)
        self._exchange = exchange

    async def listen_for_disconnect(self, receive: Receive) -> None:
        await self._exchange.sent()  # until then it is the body that is received
        await super().listen_for_disconnect(receive)


def _answer(head: h11.Response | h11.InformationalResponse, exchange: Exchange) -> Response:
    response = _Passed(exchange, head.status_code)
    response.raw_headers = [(name, value) for name, value in head.headers if name not in HOP_BY_HOP]
    return response
