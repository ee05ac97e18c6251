"""What is answered to an HTTP request, by kind of server. Pure: what takes time comes back as data.

netexec's paths, parameters and status codes are upstream's (test/images/agnhost/netexec/netexec.go).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cluster import go_duration
from topo.responder.http1 import Request, Response
from topo.servers import Server

_NO_SHELL = "/shell is not available in this testbed: the server is no process; use kubectl exec or mininetes exec\n"
_NO_UPLOAD = "/upload is not available in this testbed: the server has no files\n"
_MOST_TRIES = 1000


@dataclass(frozen=True, slots=True)
class Dial:
    """/dial: connect to host:port from the pod and send `request`, `tries` times. protocol: http, tcp, udp, sctp."""

    protocol: str
    host: str
    port: int
    request: str
    tries: int


@dataclass(frozen=True, slots=True)
class Exit:
    """/exit, /shutdown: the container ends with `code` after `wait_s`; `graceful`: having answered first."""

    code: int
    wait_s: float = 0.0
    graceful: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Of whom: the server, its pod's hostname, the client as "address:port", agnhost's idea of ready; when."""

    server: Server
    hostname: str
    client: str
    ready: bool = True
    terminating: bool = False
    now: str = ""


Answer = Response | Dial | Exit


def answer(request: Request, asked: Asked) -> Answer:
    """What `asked.server` answers to the request."""
    kind = asked.server.kind
    if kind == "application":
        return Response(body=asked.hostname + "\n")
    if kind == "text":
        return Response(body=asked.server.text)
    if kind != "netexec":
        return Response(body=asked.hostname, close=asked.server.close)
    try:
        return _NETEXEC.get(request.path, _not_found)(request, asked)
    except _Refused as refused:
        return Response(refused.status, f"{refused}\n")


class _Refused(Exception):
    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


def _integer(parameters: Mapping[str, str], name: str, default: int, what: str = "an integer") -> int:
    text = parameters.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise _Refused(f"argument '{name}' must be {what} or empty, got {json.dumps(text)}") from None


def _duration_s(parameters: Mapping[str, str], name: str) -> float:
    text = parameters.get(name, "")
    try:
        return go_duration.seconds(text) if text else 0.0
    except ValueError:
        raise _Refused(f"argument '{name}' must be a valid golang duration or empty, got {json.dumps(text)}") from None


def _status(parameters: Mapping[str, str], default: int) -> int:
    status = _integer(parameters, "code", default)
    if not 200 <= status <= 599:
        raise _Refused(f"argument 'code' must be a final HTTP status, got {status}", 400)
    return status


def _not_found(request: Request, asked: Asked) -> Response:
    # Upstream's mux gives every path that it does not know to the handler of "/".
    return _root(request, asked)


def _root(request: Request, asked: Asked) -> Response:
    return Response(body=f"NOW: {asked.now}")


def _hostname(request: Request, asked: Asked) -> Response:
    return Response(body=asked.hostname)


def _client_ip(request: Request, asked: Asked) -> Response:
    return Response(body=asked.client)


def _echo(request: Request, asked: Asked) -> Response:
    return Response(_status(request.form, 200), request.form.get("msg", ""))


def _healthz(request: Request, asked: Asked) -> Response:
    return Response(200 if asked.ready else 412)


def _readyz(request: Request, asked: Asked) -> Response:
    if asked.terminating:
        return Response(503, "shutting down")
    return Response(200, "ok") if asked.ready else Response(412)


def _header(request: Request, asked: Asked) -> Response:
    key = request.form.get("key", "")
    if key:
        return Response(body=request.headers.get(key.lower(), ""))
    return Response(body=json.dumps({name.title(): [value] for name, value in sorted(request.headers.items())}))


def _redirect(request: Request, asked: Asked) -> Response:
    location = request.form.get("location", "").replace("\r", "").replace("\n", "")
    return Response(_status(request.form, 302), headers={"Location": location})


def _dial(request: Request, asked: Asked) -> Dial:
    query = request.query
    try:
        tries = int(query.get("tries") or 1)
    except ValueError as error:
        raise _Refused(f"tries parameter is invalid. {error}", 400) from None
    if tries > _MOST_TRIES:
        raise _Refused(f"tries parameter is invalid. {tries} > {_MOST_TRIES}", 400)
    if not query.get("request"):
        raise _Refused("request parameter not specified.", 400)
    protocol = query.get("protocol", "").lower() or "http"
    if protocol not in ("http", "tcp", "udp", "sctp"):
        raise _Refused(f"unsupported protocol. {protocol}", 400)
    host, port = query.get("host", ""), query.get("port", "")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise _Refused(f"host and/or port param are invalid. {host}:{port}", 400)
    return Dial(protocol, host, int(port), query["request"], tries)


def _exit(request: Request, asked: Asked) -> Exit:
    timeout_s, wait_s = _duration_s(request.form, "timeout"), _duration_s(request.form, "wait")
    code = _integer(request.form, "code", 0, "an integer [0-127]")
    return Exit(code, wait_s, graceful=timeout_s > 0)


def _shutdown(request: Request, asked: Asked) -> Exit:
    return Exit(0)


def _no_shell(request: Request, asked: Asked) -> Response:
    return Response(501, _NO_SHELL)


def _no_upload(request: Request, asked: Asked) -> Response:
    return Response(501, _NO_UPLOAD)


_NETEXEC: Mapping[str, Callable[[Request, Asked], Answer]] = {
    "/": _root,
    "/clientip": _client_ip,
    "/dial": _dial,
    "/echo": _echo,
    "/exit": _exit,
    "/header": _header,
    "/healthz": _healthz,
    "/hostName": _hostname,
    "/hostname": _hostname,
    "/readyz": _readyz,
    "/redirect": _redirect,
    "/shell": _no_shell,
    "/shutdown": _shutdown,
    "/upload": _no_upload,
}
