"""The requests of the internal API (docs/architecture.md), as a Starlette application."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cluster.client import PREFIX
from cluster.deletion import ended_all
from cluster.draft import Draft, Key, key_of
from cluster.events import record_all
from cluster.json_text import dumps
from cluster.loops import ControlPlane
from cluster.objects import Object
from cluster.problems import SpecError
from cluster.reading import manifests
from cluster.reading.config import is_cluster
from cluster.reading.documents import Document
from cluster.settled import Missing, missing_components, missing_pod, unsettled
from cluster.settling import PAUSE_S, Settling
from cluster.store import CompactedError
from cluster.wakeup import wait

DEFAULT_SYNC_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a component said last: it realises everything up to this revision."""

    revision: int
    detail: Mapping[str, Any]


class Api:
    """The request handlers and what they share. All run in one event loop, so a write is never interleaved."""

    def __init__(self, plane: ControlPlane, settling: Settling) -> None:
        self._plane = plane
        self._store = plane.store
        self._settling = settling
        self._wakeup = settling.wakeup
        self._observed: dict[str, Observation] = {}
        self._stopping = False

    def stop(self) -> None:
        """End all streams and waits."""
        self._stopping = True
        self._wakeup.notify()

    async def apply(self, request: Request) -> Response:
        body = await _body(request, "objects")
        try:
            revision = self._plane.apply(_checked(body["objects"]))
        except SpecError as error:
            return _json({"problems": [asdict(problem) for problem in error.problems]}, 422)
        self._wakeup.notify()
        return _json({"revision": revision})

    async def status(self, request: Request) -> Response:
        body = await _body(request, "statuses")
        revision = self._plane.merge_statuses(body["statuses"])
        self._wakeup.notify()
        return _json({"revision": revision})

    async def removed(self, request: Request) -> Response:
        """Pods that have ended on their nodes: those that terminate are removed."""
        body = await _body(request, "pods")
        return self._wrote(lambda draft: ended_all(draft, body["pods"]))

    async def events(self, request: Request) -> Response:
        body = await _body(request, "events")
        return self._wrote(lambda draft: record_all(draft, body["events"]))

    async def annotate(self, request: Request) -> Response:
        """Set annotations of one object, or remove those that are null."""
        body = await _body(request, "kind", "name", "annotations")
        key = (body["kind"], body.get("namespace") or "", body["name"])

        def change(draft: Draft) -> None:
            obj = draft.get(key)
            if obj is None:
                raise HTTPException(404, f"there is no {key[0]} {'/'.join(filter(None, key[1:]))}")
            merged = {**(obj["metadata"].get("annotations") or {}), **body["annotations"]}
            kept = {name: value for name, value in merged.items() if value is not None}
            draft.put({**obj, "metadata": {**obj["metadata"], "annotations": kept}})

        return self._wrote(change)

    async def heartbeat(self, request: Request) -> Response:
        body = await _body(request, "nodes")
        self._plane.heartbeat(body["nodes"])
        self._settling.run()
        return _json({"revision": self._store.revision})

    def _wrote(self, change: Callable[[Draft], None]) -> Response:
        self._plane.write(change)
        self._settling.run()
        return _json({"revision": self._store.revision})

    async def observed(self, request: Request) -> Response:
        body = await _body(request, "component", "revision")
        self._observed[body["component"]] = Observation(body["revision"], body.get("detail") or {})
        self._wakeup.notify()
        return _json({"revision": self._store.revision})

    async def realised(self, request: Request) -> Response:
        """Answer when a component has observed a revision; 504 if that takes too long."""
        component, revision = request.query_params.get("component", ""), _number(request, "revision", 0)
        deadline = asyncio.get_running_loop().time() + _number(request, "timeout_s", DEFAULT_SYNC_TIMEOUT_S)
        while True:
            event = self._wakeup.next()
            said = self._observed.get(component)
            left_s = deadline - asyncio.get_running_loop().time()
            if said is not None and said.revision >= revision:
                return _json({"revision": said.revision, "detail": said.detail})
            if left_s <= 0 or self._stopping:
                return self._sync_answer([Missing(component, f"has not realised revision {revision:.0f}")], 1)
            await wait(event, left_s)

    async def objects(self, request: Request) -> Response:
        kinds, query = _kinds(request) or self._store.kinds(), request.query_params
        if "name" in query:
            found = (self._store.get((kind, query.get("namespace", ""), query["name"])) for kind in kinds)
            return _json({"revision": self._store.revision, "objects": [obj for obj in found if obj is not None]})
        return _json({"revision": self._store.revision, "objects": list(self._store.list(kinds))})

    async def delete(self, request: Request) -> Response:
        query = request.query_params
        if not query.get("kind") or not query.get("name"):
            raise HTTPException(400, "kind and name must be given")
        key = (query["kind"], query.get("namespace", ""), query["name"])
        revision = self._plane.delete(key)
        if revision is None:
            raise HTTPException(404, f"there is no {key[0]} {'/'.join(filter(None, key[1:]))}")
        self._wakeup.notify()
        return _json({"revision": revision})

    async def watch(self, request: Request) -> Response:
        kinds = frozenset(_kinds(request))
        revision = _number(request, "revision", 0)
        if not kinds:
            raise HTTPException(400, "kinds must name at least one kind")
        if revision:
            try:
                self._store.changes_since(int(revision))
            except CompactedError as error:
                raise HTTPException(410, str(error)) from error
        return StreamingResponse(self._stream(kinds, int(revision)), media_type="application/x-ndjson")

    async def sync(self, request: Request) -> Response:
        timeout_s = _number(request, "timeout_s", DEFAULT_SYNC_TIMEOUT_S)
        shown = _number(request, "shown", math.inf)
        deadline = asyncio.get_running_loop().time() + timeout_s
        target, was_pending = 0, True
        waits_for: Key | None = None
        self._settling.run()
        while True:
            event = self._wakeup.next()
            # The last pod's readiness changes EndpointSlices, so the revision to wait for is fixed when all pods are
            # settled, and not moved by later writes as long as they stay so.
            waits_for = self._an_unsettled_pod(waits_for)
            pending = self._plane.is_behind() or waits_for is not None
            if pending or was_pending:
                target, was_pending = self._store.desired_revision, pending
            behind = self._behind(target)
            if not pending and not behind:
                return self._sync_answer([])
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0 or self._stopping:
                pods = list(self._unsettled(self._store.list(["Pod"])))
                named = [missing_pod(pod) for number, pod in enumerate(pods, len(behind)) if number < shown]
                return self._sync_answer([*behind, *named], len(behind) + len(pods))
            await wait(event, min(left_s, PAUSE_S) if self._plane.is_behind() else left_s)

    def _an_unsettled_pod(self, known: Key | None) -> Key | None:
        """One of them: that which was found before as long as it is one, since to look at all takes a while; else the
        newest, which will be one for longest."""
        pod = None if known is None else self._store.get(known)
        if pod is not None and any(True for _ in unsettled([pod], self._store.list(["Node"]))):
            return known
        return next((key_of(pod) for pod in self._unsettled(reversed(self._store.list(["Pod"])))), None)

    def _unsettled(self, pods: Iterable[Object]) -> Iterator[Object]:
        return unsettled(pods, self._store.list(["Node"]))

    def _behind(self, target: int) -> Sequence[Missing]:
        """Who has more to do, but for the pods."""
        loops = [Missing("control loops", "have more to do")] if self._plane.is_behind() else []
        observed = {component: said.revision for component, said in self._observed.items()}
        return [*loops, *missing_components(observed, target)]

    def _sync_answer(self, missing: Sequence[Missing], count: int = 0) -> Response:
        """200, or 504 with the first of what is missing and the number of all that is."""
        observed = {component: asdict(said) for component, said in self._observed.items()}
        body: dict[str, Any] = {"revision": self._store.revision, "observed": observed}
        if not count:
            return _json(body)
        return _json({**body, "missing": [asdict(one) for one in missing], "missing_count": count}, 504)

    async def _stream(self, kinds: frozenset[str], revision: int) -> AsyncIterator[bytes]:
        """The lines of a watch; ends when the server stops, or when the watcher has fallen behind the history."""
        if revision == 0:
            # Both are read in one step of the event loop, so they belong together.
            revision, objects = self._store.revision, self._store.list(sorted(kinds))
            yield "".join(_event("ADDED", dumps(obj)) for obj in objects).encode() + _bookmark(revision)
        else:
            yield _bookmark(revision)
        desired_revision = revision
        while not self._stopping:
            event = self._wakeup.next()
            try:
                changes = self._store.changes_since(revision)
            except CompactedError:
                return
            lines = "".join(_event(change.type, change.text) for change in changes if change.key[0] in kinds)
            revision = self._store.revision
            # A change of desired state that concerns none of the kinds counts as observed by the bookmark alone.
            if lines or self._store.desired_revision > desired_revision:
                desired_revision = self._store.desired_revision
                yield lines.encode() + _bookmark(revision)
                continue  # more may have come while this was being sent
            await event.wait()


def application(api: Api) -> Starlette:
    return Starlette(
        routes=[
            Route(f"{PREFIX}/watch", api.watch, methods=["GET"]),
            Route(f"{PREFIX}/apply", api.apply, methods=["POST"]),
            Route(f"{PREFIX}/status", api.status, methods=["POST"]),
            Route(f"{PREFIX}/removed", api.removed, methods=["POST"]),
            Route(f"{PREFIX}/events", api.events, methods=["POST"]),
            Route(f"{PREFIX}/annotate", api.annotate, methods=["POST"]),
            Route(f"{PREFIX}/heartbeat", api.heartbeat, methods=["POST"]),
            Route(f"{PREFIX}/observed", api.observed, methods=["POST"]),
            Route(f"{PREFIX}/realised", api.realised, methods=["GET"]),
            Route(f"{PREFIX}/sync", api.sync, methods=["GET"]),
            Route(f"{PREFIX}/objects", api.objects, methods=["GET"]),
            Route(f"{PREFIX}/objects", api.delete, methods=["DELETE"]),
        ]
    )


def _event(change_type: str, text: str) -> str:
    return f'{{"type":"{change_type}","object":{text}}}\n'


def _bookmark(revision: int) -> bytes:
    return f'{{"type":"BOOKMARK","revision":{revision}}}\n'.encode()


async def _body(request: Request, *fields: str) -> Mapping[str, Any]:
    """The JSON object in a request. Raises HTTPException 400 when it is none, or lacks one of the fields."""
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from error
    missing = [field for field in fields if not isinstance(body, dict) or field not in body]
    if missing:
        raise HTTPException(400, f"the body lacks {', '.join(missing)}")
    content: Mapping[str, Any] = body
    return content


def _checked(objects: Any) -> Sequence[Object]:
    """The objects, if the manifests are right. Raises SpecError with all problems, HTTPException when they are none."""
    if not isinstance(objects, list) or not all(isinstance(obj, dict) for obj in objects):
        raise HTTPException(400, "objects must be a list of objects")
    checked = [manifests.check(Document("", 0, obj)) for obj in objects if not is_cluster(obj)]
    if problems := [problem for one in checked for problem in one.problems]:
        raise SpecError(problems)
    return objects


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(dumps(body), status, media_type="application/json")


def _kinds(request: Request) -> Sequence[str]:
    return [kind for kind in request.query_params.get("kinds", "").split(",") if kind]


def _number(request: Request, parameter: str, default: float) -> float:
    text = request.query_params.get(parameter, str(default))
    try:
        return float(text)
    except ValueError as error:
        raise HTTPException(400, f"{parameter}: found {text!r}; must be a number") from error
