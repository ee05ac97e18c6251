"""The Kubernetes API as one ASGI application: who asks, what for, which part of this package answers."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cluster import resources
from cluster.apiserver import bodies, discovery, negotiation, openapi, paths, reviews, streams, tokens
from cluster.apiserver.authentication import ADMINISTRATOR, Authenticator, User
from cluster.apiserver.paths import Target
from cluster.apiserver.pki import Pki
from cluster.apiserver.proxy import Proxy
from cluster.apiserver.responses import answer, content, refusal
from cluster.apiserver.routes import Routes
from cluster.apiserver.streams import Streams
from cluster.apiserver.tokens import ServiceAccountToken
from cluster.apiserver.tunnel import Tunnels
from cluster.apiserver.watches import Watches
from cluster.client import PREFIX
from cluster.loops import ControlPlane
from cluster.registry import errors
from cluster.registry.errors import StatusError
from cluster.registry.registry import Registry
from cluster.registry.subresources import TokenRequest
from cluster.run_directory import KUBELET_SOCKET
from cluster.settling import Settling

_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
"""Answered to everybody, as the role system:public-info-viewer has it."""

_log = logging.getLogger(__name__)


class KubernetesApi:
    """`run` is the testbed's run directory."""

    def __init__(self, plane: ControlPlane, settling: Settling, run: Path) -> None:
        self._plane = plane
        self._authenticator: Authenticator | None = None
        registry = Registry(plane, self._sign)
        self._watches, self._tunnels = Watches(settling.wakeup), Tunnels()
        self._routes = Routes(registry, self._watches)
        self._streams = Streams(registry, run / KUBELET_SOCKET, self._tunnels)
        self._proxy = Proxy(registry, run / KUBELET_SOCKET, self._tunnels)

    def authenticate_with(self, pki: Pki) -> None:
        """Know the certificates and tokens by which clients show who they are; before that nobody can connect."""
        self._authenticator = Authenticator(
            pki.admin_token.read_text(), pki.service_account_key.read_bytes(), self._account_uid, time.time
        )

    @property
    def _who(self) -> Authenticator:
        if self._authenticator is None:
            raise RuntimeError("somebody connected before it was known how to tell who it is")
        return self._authenticator

    def stop(self) -> None:
        """End all streams."""
        self._watches.stop()
        self._tunnels.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except StatusError as error:
            response = refusal(request, error)
        except ClientDisconnect:
            return
        except Exception as error:
            _log.exception("%s %s", request.method, request.url.path)
            response = refusal(request, errors.internal_error(str(error)))
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        """None when the connection has become a stream."""
        user = self._user(request)
        path = request.url.path
        target = paths.parse(path)
        if user is None and (target is not None or path not in _PUBLIC):
            raise errors.unauthorized()
        if user is None or target is None:
            return self._fixed(request, path) or refusal(request, _no_such_path())
        if target.resource.kind in reviews.KINDS and request.method == "POST":
            return await self._review(request, target, user)
        if target.subresource in streams.SUBRESOURCES:
            return await self._streams.answer(request, target)
        if target.subresource == "proxy":
            return await self._proxy.answer(request, target)
        return await self._routes.answer(request, target)

    async def _review(self, request: Request, target: Target, user: User) -> Response:
        given = await bodies.obj(request)
        return answer(request, reviews.answer(target.resource, given, user, self._who.by_token), code=201)

    def _user(self, request: Request) -> User | None:
        connection = request.state.connection
        if connection.is_local:
            return ADMINISTRATOR
        return self._who.user(connection.peer_certificate, request.headers.get("authorization"))

    def _sign(self, wanted: TokenRequest) -> tuple[str, float]:
        """The token of a service account, and when it expires."""
        audiences = wanted.audiences or [tokens.ISSUER]
        now_s = int(time.time())
        expires_at_s = now_s + wanted.expiration_s
        token = ServiceAccountToken(
            wanted.namespace, wanted.name, wanted.uid, audiences, now_s, expires_at_s, wanted.bound
        )
        return tokens.sign(token, self._who.service_account_key), expires_at_s

    def _account_uid(self, namespace: str, name: str) -> str | None:
        account = self._plane.store.get(("ServiceAccount", namespace, name))
        return None if account is None else str(account["metadata"]["uid"])

    def _fixed(self, request: Request, path: str) -> Response | None:
        """What does not depend on objects: health, version, discovery, OpenAPI."""
        words = path.strip("/").split("/")
        if path in ("/healthz", "/livez", "/readyz"):
            return content(request, b"ok", "text/plain; charset=utf-8")
        if path == "/version":
            return answer(request, discovery.version())
        if words[0] == "openapi":
            return openapi.respond(request, words[1:])
        if path in ("/api", "/apis", "/api/", "/apis/"):
            return _groups(request, core=words[0] == "api")
        if words[0] == "apis" and len(words) == 2:
            return _found(request, discovery.group(words[1]))
        if words[0] == "apis" and len(words) == 3:
            return _found(request, discovery.resource_list(words[1], words[2]))
        if words[0] == "api" and len(words) == 2:
            return _found(request, discovery.resource_list("", words[1]))
        return answer(request, {"paths": _root_paths()}) if path == "/" else None


def _groups(request: Request, core: bool) -> Response:
    kinds = {discovery.AGGREGATED_KIND: discovery.AGGREGATED_VERSIONS}
    form = negotiation.form_for(request, kinds)
    if form.kind:
        return answer(request, discovery.aggregated(core, form.api_version), form)
    return answer(request, discovery.api_versions(request.url.netloc) if core else discovery.group_list(), form)


def _found(request: Request, obj: Any) -> Response | None:
    return None if obj is None else answer(request, obj, negotiation.form_for(request))


def _root_paths() -> list[str]:
    served = [
        f"/apis/{group}/{version}" for group, versions in resources.groups().items() if group for version in versions
    ]
    return [
        "/api",
        "/api/v1",
        "/apis",
        *served,
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]


def _no_such_path() -> StatusError:
    message = "the server could not find the requested resource"
    return StatusError(404, "NotFound", message, {})


def both(internal: ASGIApp, kubernetes: KubernetesApi) -> ASGIApp:
    """One application of two: the components' own API on the internal socket, Kubernetes' everywhere."""

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["path"].startswith(PREFIX) and scope["state"]["connection"].is_local
        await (internal if ours else kubernetes)(scope, receive, send)

    return dispatch
