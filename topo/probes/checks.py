"""One attempt of a probe, made as the kubelet does: from the node, to the pod's address."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from topo import netns
from topo.probes.spec import Exec, Grpc, HttpGet, Probe, TcpSocket
from topo.probes.state import Result

_MOST_REDIRECTS = 10
_DEFAULT_HEADERS = {"User-Agent": "kube-probe/1.30", "Accept": "*/*", "Connection": "close"}


@dataclass(frozen=True, slots=True)
class Target:
    """`node_netns` is a path (None: the caller's own namespace)."""

    pod_ip: str
    node_netns: str | None


async def check(probe: Probe, target: Target) -> Result:
    """One attempt, within the probe's timeout. Not for Exec, which needs the container."""
    try:
        return await asyncio.wait_for(_attempt(probe, target), probe.timeout_s)
    except (TimeoutError, asyncio.TimeoutError) as error:
        if isinstance(error, OSError) and error.errno:
            return Result(False, f"{_what(probe)}: {os.strerror(error.errno).lower()}")
        return Result(False, f"{_what(probe)}: context deadline exceeded after {probe.timeout_s:g}s")
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        return Result(False, f"{_what(probe)}: {reason}")
    except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return Result(False, f"{_what(probe)}: {error}")


def _what(probe: Probe) -> str:
    return {HttpGet: "HTTP probe failed", TcpSocket: "TCP probe failed", Grpc: "gRPC probe failed"}.get(
        type(probe.handler), "probe failed"
    )


async def _attempt(probe: Probe, target: Target) -> Result:
    handler = probe.handler
    if isinstance(handler, Exec):
        raise TypeError("an exec probe is run in its container")
    if handler.port is None:
        return Result(False, f"couldn't find port: {handler.port_name}" if not isinstance(handler, Grpc) else "")
    if isinstance(handler, HttpGet):
        return await _http(handler, handler.port, target)
    if isinstance(handler, TcpSocket):
        async with _connected(handler.host or target.pod_ip, handler.port, target.node_netns):
            return Result(True)
    return await _grpc(handler, target)


@asynccontextmanager
async def _connected(host: str, port: int, node_netns: str | None) -> AsyncIterator[socket.socket]:
    """Raises OSError; ValueError where the host is a name."""
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    connection = netns.socket_at(node_netns, family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (str(address), port))
        yield connection
    finally:
        connection.close()


async def _http(handler: HttpGet, port: int, target: Target) -> Result:
    """Redirects are followed on the same host only; elsewhere they count as success, as for the kubelet."""
    host = handler.host or target.pod_ip
    shown = f"[{host}]" if ":" in host else host
    path = handler.path if handler.path.startswith("/") else f"/{handler.path}"
    url = f"{handler.scheme.lower()}://{shown}:{port}{path}"
    status = 0
    for _ in range(_MOST_REDIRECTS):
        status, location = await _get(url, handler, target.node_netns)
        following = urljoin(url, location)
        if not 300 <= status < 400 or not location or urlsplit(following).hostname != urlsplit(url).hostname:
            break
        url = following
    ok = 200 <= status < 400
    return Result(ok, "" if ok else f"HTTP probe failed with statuscode: {status}")


async def _get(url: str, handler: HttpGet, node_netns: str | None) -> tuple[int, str]:
    """Status and Location of one response. Raises OSError, ValueError."""
    parts = urlsplit(url)
    tls = _accepting_any_certificate() if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    async with _connected(parts.hostname or "", port, node_netns) as connection:
        reader, writer = await asyncio.open_connection(sock=connection, ssl=tls, server_hostname="" if tls else None)
        try:
            writer.write(_request(url, handler))
            head = await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.transport.abort()
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise ValueError("malformed HTTP response")
    fields = (line.partition(":") for line in lines[1:])
    return int(words[1]), next((value.strip() for name, _, value in fields if name.lower() == "location"), "")


def _request(url: str, handler: HttpGet) -> bytes:
    parts = urlsplit(url)
    given = {name.lower() for name, _ in handler.headers}
    defaults = {"Host": parts.netloc, **_DEFAULT_HEADERS}
    fields = [*((name, value) for name, value in defaults.items() if name.lower() not in given), *handler.headers]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode()


def _accepting_any_certificate() -> ssl.SSLContext:
    """ "the kubelet … skips certificate verification" (Pod Lifecycle, Probes)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _grpc(handler: Grpc, target: Target) -> Result:
    # h2 is loaded when the first such probe is made.
    from topo.probes.grpc_client import HealthCheck

    exchange = HealthCheck(f"{target.pod_ip}:{handler.port}", handler.service)
    loop = asyncio.get_running_loop()
    async with _connected(target.pod_ip, handler.port, target.node_netns) as connection:
        await loop.sock_sendall(connection, exchange.opening)
        while exchange.answer is None:
            received = await loop.sock_recv(connection, 65536)
            if not received:
                raise ValueError("connection closed without an answer")
            await loop.sock_sendall(connection, exchange.feed(received))
    ok = exchange.answer == "SERVING"
    return Result(ok, "" if ok else f'service unhealthy (responded with "{exchange.answer}")')
