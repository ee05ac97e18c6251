"""Requests on objects: what a method means on a collection, an object, a subresource.

https://kubernetes.io/docs/reference/using-api/api-concepts/#api-verbs
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cluster import resources
from cluster.apiserver import bodies, forms, negotiation
from cluster.apiserver.effects import warnings_for
from cluster.apiserver.paths import Target
from cluster.apiserver.responses import answer
from cluster.apiserver.watches import Watches
from cluster.registry import errors
from cluster.registry.registry import Registry
from cluster.registry.requests import Written

Handler = Callable[[Request, Target], Awaitable[Response]]

VERBS = {"GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}
"""What a method means on an object or a subresource."""


class Routes:
    """`answer` is the only entry."""

    def __init__(self, registry: Registry, watches: Watches) -> None:
        self._registry = registry
        self._watches = watches
        self._collection: Mapping[str, Handler] = {
            "GET": self._list,
            "POST": self._create,
            "DELETE": self._delete_collection,
        }
        self._object: Mapping[str, Handler] = {
            "GET": self._get,
            "PUT": self._update,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }
        self._subresource: Mapping[str, Handler] = {
            "GET": self._get,
            "PUT": self._update,
            "PATCH": self._patch,
            "POST": self._create_subresource,
        }

    async def answer(self, request: Request, target: Target) -> Response:
        """Raises StatusError, 405 for a method that is not served there."""
        method = "GET" if request.method == "HEAD" else request.method
        subresource = target.resource.subresource(target.subresource)
        if subresource is not None:
            served = VERBS.get(method) in subresource.verbs
            handler = self._subresource.get(method) if served else None
        else:
            handler = (self._object if target.name else self._collection).get(method)
        if handler is None:
            raise errors.method_not_allowed(target.resource, VERBS.get(method, method.lower()))
        return await handler(request, target)

    async def _list(self, request: Request, target: Target) -> Response:
        if not target.resource.is_stored:
            raise errors.method_not_allowed(target.resource, "list")
        query = bodies.query(request)
        form = negotiation.form_for(request, negotiation.COLLECTION_KINDS)
        if bodies.flag(request, "watch"):
            watch = self._registry.watch(target.resource, target.namespace or None, query)
            encode = forms.watched(request, form, target.resource.kind, time.time)
            return StreamingResponse(
                self._watches.stream(watch, encode, bodies.timeout_s(request)),
                headers={"content-type": form.content_type, "cache-control": "no-cache, private"},
            )
        listing = self._registry.list(target.resource, target.namespace or None, query)
        return answer(request, forms.listed(request, form, listing, time.time()), form)

    async def _get(self, request: Request, target: Target) -> Response:
        obj = self._registry.get(target.resource, target.namespace or None, target.name, target.subresource)
        return self._answer_object(request, obj)

    async def _create(self, request: Request, target: Target) -> Response:
        given = await bodies.obj(request)
        options = bodies.write_options(request)
        if target.resource.kind == "Binding":
            return self._bind(request, target, given)
        written = self._registry.create(target.resource, target.namespace or None, given, options)
        return self._written(request, written, warnings_for(target.resource, given))

    async def _create_subresource(self, request: Request, target: Target) -> Response:
        given = await bodies.obj(request)
        options = bodies.write_options(request)
        made = self._registry.create_subresource(
            target.resource, target.namespace or None, target.name, target.subresource, given, options
        )
        return answer(request, made, negotiation.form_for(request), 201)

    def _bind(self, request: Request, target: Target, given: Any) -> Response:
        """The older way to bind a pod: its name is in the Binding, not in the path."""
        name = (given.get("metadata") or {}).get("name") if isinstance(given, dict) else None
        if not isinstance(name, str):
            raise errors.bad_request("metadata.name must name the pod")
        options = bodies.write_options(request)
        made = self._registry.create_subresource(
            resources.stored("Pod"), target.namespace or None, name, "binding", given, options
        )
        return answer(request, made, negotiation.form_for(request), 201)

    async def _update(self, request: Request, target: Target) -> Response:
        given = await bodies.obj(request)
        options = bodies.write_options(request)
        written = self._registry.update(
            target.resource, target.namespace or None, target.name, given, options, target.subresource
        )
        return self._written(request, written)

    async def _patch(self, request: Request, target: Target) -> Response:
        patch_type, patch = await bodies.patch(request)
        options = bodies.write_options(request, patch_type)
        written = self._registry.patch(
            target.resource, target.namespace or None, target.name, patch_type, patch, options, target.subresource
        )
        return self._written(request, written, warnings_for(target.resource, patch) if patch_type == "apply" else ())

    async def _delete(self, request: Request, target: Target) -> Response:
        options = await bodies.delete_options(request)
        deleted = self._registry.delete(target.resource, target.namespace or None, target.name, options)
        return answer(request, deleted.obj, negotiation.form_for(request))

    async def _delete_collection(self, request: Request, target: Target) -> Response:
        options = await bodies.delete_options(request)
        namespace, query = target.namespace or None, bodies.query(request)
        deleted = self._registry.delete_collection(target.resource, namespace, query, options)
        return answer(request, deleted.to_json(), negotiation.form_for(request))

    def _written(self, request: Request, written: Written, more_warnings: Sequence[str] = ()) -> Response:
        code = 201 if written.created else 200
        return self._answer_object(request, written.obj, code, [*written.warnings, *more_warnings])

    def _answer_object(
        self, request: Request, obj: Mapping[str, Any], code: int = 200, warnings: Sequence[str] = ()
    ) -> Response:
        form = negotiation.form_for(request, negotiation.OBJECT_KINDS)
        return answer(request, forms.single(request, form, obj, time.time()), form, code, warnings)
