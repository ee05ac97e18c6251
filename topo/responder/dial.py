"""netexec's /dial: requests from the pod's own namespace, so that they meet the policies that apply to the pod."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
from contextlib import closing

from topo import netns
from topo.responder.http1 import Response
from topo.responder.paths import Dial

_TIMEOUT_S = 5.0
"""Upstream's, per try."""
_LARGEST_ANSWER_BYTES = 1 << 20
_TYPES = {
    "http": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}


async def run(dial: Dial, namespace: str | None) -> Response:
    """All tries, one after the other. The answer's body is {"responses": […], "errors": […]}, empty lists left out."""
    try:
        address = "127.0.0.1" if dial.host == "localhost" else str(ipaddress.ip_address(dial.host))
    except ValueError:
        reason = f"lookup {dial.host}: names are not resolved here, dial an address"
        return Response(400, f"host and/or port param are invalid. {reason}\n")
    responses, errors = [], []
    for _ in range(dial.tries):
        try:
            responses.append(await asyncio.wait_for(_once(dial, address, namespace), _TIMEOUT_S))
        except (OSError, asyncio.TimeoutError) as error:
            errors.append(_reason(dial, error))
    output = {"responses": responses, "errors": errors}
    return Response(body=json.dumps({name: values for name, values in output.items() if values}))


async def _once(dial: Dial, address: str, namespace: str | None) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    loop = asyncio.get_running_loop()
    with closing(netns.socket_at(namespace, family, *_TYPES[dial.protocol])) as connected:
        connected.setblocking(False)
        await loop.sock_connect(connected, (address, dial.port))
        if dial.protocol == "http":
            return await _http(connected, dial, address)
        ending = "\n" if dial.protocol == "tcp" else ""
        await loop.sock_sendall(connected, (dial.request + ending).encode())
        received = await loop.sock_recv(connected, 2048)
    if not received:
        raise ConnectionError("closed without an answer")
    return received.decode(errors="replace")


async def _http(connected: socket.socket, dial: Dial, address: str) -> str:
    """The body that GET /request answers, whatever its status."""
    loop = asyncio.get_running_loop()
    host = f"[{address}]" if ":" in address else address
    # HTTP/1.0 asks for a plain body that ends with the connection.
    head = f"GET /{dial.request} HTTP/1.0\r\nHost: {host}:{dial.port}\r\nUser-Agent: agnhost\r\n\r\n"
    await loop.sock_sendall(connected, head.encode())
    received = bytearray()
    while data := await loop.sock_recv(connected, 65536):
        received += data
        if len(received) > _LARGEST_ANSWER_BYTES:
            raise ConnectionError("answer too long")
    answered_head, blank, body = bytes(received).partition(b"\r\n\r\n")
    if not blank or not answered_head.startswith(b"HTTP/"):
        raise ConnectionError("malformed HTTP response")
    return body.decode(errors="replace")


def _reason(dial: Dial, error: OSError | asyncio.TimeoutError) -> str:
    """Why a try failed, in words like Go's, which test suites look for."""
    where = f"[{dial.host}]:{dial.port}" if ":" in dial.host else f"{dial.host}:{dial.port}"
    # asyncio.TimeoutError is OSError's TimeoutError from Python 3.11 on, where the kernel's own has an errno.
    if isinstance(error, OSError) and error.errno:
        reason = f"connect: {os.strerror(error.errno).lower()}"
    else:
        reason = str(error) or "i/o timeout"
    if dial.protocol == "http":
        return f'Get "http://{where}/{dial.request}": dial tcp {where}: {reason}'
    return f"{dial.protocol} dial {where} failed. err:{reason}"
