"""log, exec, attach and port-forward: requests that the API server hands on to the kubelet.

Their paths and queries are the real kubelet's (pkg/registry/core/pod/rest, pkg/kubelet/server). Whoever is upgraded
talks WebSocket or SPDY with the kubelet itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import h11
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cluster.apiserver.bodies import flag
from cluster.apiserver.exchange import HOP_BY_HOP, Exchange, Head
from cluster.apiserver.paths import Target
from cluster.apiserver.routes import VERBS
from cluster.apiserver.tunnel import Tunnels
from cluster.registry import errors
from cluster.registry.errors import StatusError
from cluster.registry.registry import Registry

SUBRESOURCES = ("attach", "exec", "log", "portforward")

_LOG_PARAMETERS = ("follow", "previous", "tailLines", "sinceSeconds", "sinceTime", "timestamps", "limitBytes")
_STREAM_FLAGS = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}
"""A stream's name in the API's query -> in the kubelet's."""
_NOT_FOR_BACKENDS = frozenset((b"authorization", b"host", b"content-length"))

Object = Mapping[str, Any]


class Streams:
    def __init__(self, registry: Registry, kubelet: Path, tunnels: Tunnels) -> None:
        self._registry = registry
        self._kubelet = str(kubelet)
        self._tunnels = tunnels

    async def answer(self, request: Request, target: Target) -> Response | None:
        """None when the connection has become a tunnel. Raises StatusError, 405 for a method that is not served there."""
        verb, served = VERBS.get(request.method), target.resource.subresource(target.subresource)
        if served is None or verb not in served.verbs:
            raise errors.method_not_allowed(target.resource, verb or request.method.lower())
        pod = self._registry.get(target.resource, target.namespace, target.name)
        if not (pod.get("spec") or {}).get("nodeName"):
            raise errors.bad_request(f"pod {target.name} does not have a host assigned")
        if target.subresource == "log":
            return await self._log(request, target, pod)
        return await self._upgraded(request, _stream_path(request, target, pod))

    async def _log(self, request: Request, target: Target, pod: Object) -> Response:
        query = {name: request.query_params[name] for name in _LOG_PARAMETERS if name in request.query_params}
        path = _path("containerLogs", target, _container(request, pod)) + (f"?{urlencode(query)}" if query else "")
        exchange = await Exchange.open(self._kubelet)
        head = await exchange.ask("GET", path, [(b"host", b"kubelet")])
        if head.status_code != 200:
            raise await _refusal(head, exchange)
        return StreamingResponse(exchange.body(), headers={"content-type": "text/plain"})

    async def _upgraded(self, request: Request, path: str) -> Response | None:
        if "upgrade" not in request.headers:
            raise errors.bad_request("Upgrade request required")
        exchange = await Exchange.open(self._kubelet)
        head = await exchange.ask(request.method, path, [(b"host", b"kubelet"), *upgrade_headers(request)])
        if not isinstance(head, h11.InformationalResponse):
            raise await _refusal(head, exchange)
        await self._tunnels.run(request.state.connection, exchange, head)
        return None


def upgrade_headers(request: Request) -> list[tuple[bytes, bytes]]:
    """A request's headers for a backend: all but what is between the client and this server."""
    return [(name, value) for name, value in request.headers.raw if name not in _NOT_FOR_BACKENDS]


def plain_headers(request: Request) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in upgrade_headers(request) if name not in HOP_BY_HOP]


def _stream_path(request: Request, target: Target, pod: Object) -> str:
    if target.subresource == "portforward":
        query = request.url.query
        return _path("portForward", target) + (f"?{query}" if query else "")
    pairs = [("command", word) for word in request.query_params.getlist("command")]
    if target.subresource == "exec" and not pairs:
        raise errors.bad_request("you must specify at least 1 command")
    pairs += [(theirs, "1") for ours, theirs in _STREAM_FLAGS.items() if flag(request, ours)]
    return f"{_path(target.subresource, target, _container(request, pod))}?{urlencode(pairs)}"


def _path(verb: str, target: Target, *more: str) -> str:
    return "/".join(["", verb, *(quote(word, safe="") for word in (target.namespace, target.name, *more))])


def _container(request: Request, pod: Object) -> str:
    """The one that is asked for, or the only one. Raises StatusError 400."""
    spec, wanted = pod["spec"], request.query_params.get("container", "")
    names = [each["name"] for each in spec["containers"]]
    init_names = [each["name"] for each in spec.get("initContainers") or ()]
    ephemeral = [each["name"] for each in spec.get("ephemeralContainers") or ()]
    name = pod["metadata"]["name"]
    if wanted:
        if wanted in (*names, *init_names, *ephemeral):
            return wanted
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    if len(names) == 1:
        return str(names[0])
    more = f" or one of the init containers: [{' '.join(init_names)}]" if init_names else ""
    raise errors.bad_request(
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]{more}"
    )


async def _refusal(head: Head, exchange: Exchange) -> StatusError:
    """What the kubelet says as a Status."""
    message = await exchange.text()
    if head.status_code == 400:
        return errors.bad_request(message)
    reasons = {403: "Forbidden", 404: "NotFound", 503: "ServiceUnavailable"}
    return StatusError(head.status_code, reasons.get(head.status_code, "InternalError"), message, {})
