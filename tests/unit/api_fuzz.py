"""Requests to the Kubernetes API as nobody would write them: right ones with a part that is not, and pure noise.

A `Model` remembers what was acknowledged, so that in the end every object must be there that nobody deleted.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode

import samples
from https import Https
from hypothesis import strategies as st

from cluster import resources
from cluster.objects import Object
from cluster.resources import Resource

Draw = Callable[[st.SearchStrategy[Any]], Any]

NAMESPACE = "fuzz"
_NAMES = ("a", "b", "c", "A", "x" * 300, "..", "ä", "")
_TRACKED = ("ConfigMap", "Secret", "Service", "Deployment", "NetworkPolicy", "ServiceAccount", "Lease", "PodTemplate")
"""Kinds whose objects nobody but a request of the test deletes."""

_QUERY: dict[str, Sequence[str]] = {
    "labelSelector": ("a=b", "a in (b,c)", "!a", "a!=b,c", "=", "a in (", "ä", ",", "a>1"),
    "fieldSelector": ("metadata.name=a", "spec.nodeName=", "status.phase!=Running", "x=y", "=", "metadata.name"),
    "limit": ("1", "0", "-1", "x", "99999999999999999999"),
    "continue": ("x", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0", "%00"),
    "resourceVersion": ("0", "1", "5", "x", "-1", "99999999999999999999"),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "x"),
    "dryRun": ("All", "x"),
    "fieldValidation": ("Strict", "Warn", "Ignore", "x"),
    "fieldManager": ("me", "x" * 200, "ä\n"),
    "force": ("true", "false", "x"),
    "gracePeriodSeconds": ("0", "5", "-1", "x"),
    "propagationPolicy": ("Foreground", "Background", "Orphan", "x"),
    "pretty": ("true",),
    "timeoutSeconds": ("1", "x"),
}
_PATCHES = (
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml", "application/json", "text/plain", "",
)  # fmt: skip
_SUBRESOURCES = ("status", "scale", "eviction", "binding", "token", "finalize", "log", "nothing", "ephemeralcontainers")
_INTEGERS = st.integers(-2, 20) | st.sampled_from((500, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**64))
_JSON = st.recursive(
    st.none() | st.booleans() | _INTEGERS | st.floats(-2, 20) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_META = {"labels": {"a": "b"}}


def _object(api_version: str, kind: str, **content: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **copy.deepcopy(_META)}, **content}


_TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": samples.pod_spec()}
RIGHT: Sequence[Object] = (
    _object("v1", "ConfigMap", data={"x": "1"}),
    _object("v1", "Secret", stringData={"x": "1"}),
    _object("v1", "ServiceAccount"),
    _object("v1", "Pod", spec=samples.pod_spec(tolerations=[{"operator": "Exists"}])),
    _object("v1", "Service", spec={"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80}]}),
    _object("v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]),
    _object("v1", "Event", involvedObject={"kind": "Pod", "name": "a", "namespace": NAMESPACE}, message="m"),
    _object("v1", "PodTemplate", template=_TEMPLATE),
    _object("v1", "PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "1Gi"}}}),
    _object("v1", "ReplicationController", spec={"replicas": 1, "template": _TEMPLATE}),
    _object("apps/v1", "Deployment", spec={"selector": {"matchLabels": {"app": "x"}}, "template": _TEMPLATE}),
    _object("apps/v1", "StatefulSet", spec={"selector": {"matchLabels": {"app": "x"}}, "template": _TEMPLATE}),
    _object("apps/v1", "DaemonSet", spec={"selector": {"matchLabels": {"app": "x"}}, "template": _TEMPLATE}),
    _object("apps/v1", "ReplicaSet", spec={"selector": {"matchLabels": {"app": "x"}}, "template": _TEMPLATE}),
    _object("batch/v1", "Job", spec={"template": {"spec": samples.pod_spec(restartPolicy="Never")}}),
    _object("batch/v1", "CronJob", spec={
        "schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": samples.pod_spec(restartPolicy="Never")}}},
    }),
    _object("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}),
    _object("networking.k8s.io/v1", "Ingress", spec={
        "rules": [{"http": {"paths": [{"pathType": "Prefix", "path": "/", "backend": {
            "service": {"name": "a", "port": {"number": 80}}}}]}}],
    }),
    _object("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}),
    _object("autoscaling/v1", "HorizontalPodAutoscaler", spec={
        "maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "a"}, "targetCPUUtilizationPercentage": 50,
    }),
    _object("coordination.k8s.io/v1", "Lease", spec={"holderIdentity": "x"}),
    _object("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["10.1.1.1"]}]),
    _object("events.k8s.io/v1", "Event", reason="R", action="A", type="Normal", eventTime="2024-01-01T00:00:00.000000Z",
            regarding={"kind": "Pod"}, reportingController="c", reportingInstance="i"),
    _object("rbac.authorization.k8s.io/v1", "Role", rules=[{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]),
    _object("v1", "Namespace"),
    _object("v1", "Node"),
    _object("rbac.authorization.k8s.io/v1", "ClusterRole", rules=[]),
)  # fmt: skip
"""One right object of each kind; they get other names and lose or change a part."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it goes out."""

    method: str
    path: str
    body: bytes | None
    content_type: str


@dataclass
class Model:
    """(path of the collection, name) of what must be there -> its uid."""

    present: dict[tuple[str, str], str] = field(default_factory=dict)


def collection(resource: Resource) -> str:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    return f"{root}/namespaces/{NAMESPACE}/{resource.plural}" if resource.namespaced else f"{root}/{resource.plural}"


def request(draw: Draw) -> Request:
    """Any request."""
    kind = draw(st.sampled_from(("create", "create", "create", "update", "patch", "patch", "patch", "delete", "list", "get", "noise")))  # fmt: skip
    if kind == "noise":
        return _noise(draw)
    given = copy.deepcopy(draw(st.sampled_from(RIGHT)))
    resource = resources.of_kind(given["apiVersion"], given["kind"])
    assert resource is not None
    name = draw(st.sampled_from(_NAMES[:3]) if draw(st.integers(0, 9)) else st.sampled_from(_NAMES))
    if given["kind"] in ("Namespace", "Node"):
        name = f"own-{name}"  # never the one that holds what must not be lost
    given["metadata"]["name"] = name
    return _REQUESTS[kind](draw, collection(resource), name, given)


def _create(draw: Draw, path: str, name: str, given: Object) -> Request:
    return Request("POST", path + _query(draw), _body(draw, given), "application/json")


def _update(draw: Draw, path: str, name: str, given: Object) -> Request:
    return Request("PUT", _one(draw, path, name), _body(draw, given), "application/json")


def _patch(draw: Draw, path: str, name: str, given: Object) -> Request:
    content_type = draw(st.sampled_from(_PATCHES))
    if content_type == _PATCHES[0]:
        operations = [_operation(draw, given) for _ in range(draw(st.integers(0, 3)))]
        return Request("PATCH", _one(draw, path, name), json.dumps(operations).encode(), content_type)
    return Request("PATCH", _one(draw, path, name), _body(draw, _directed(draw, given)), content_type)


def _operation(draw: Draw, given: Object) -> Object:
    path = draw(st.sampled_from(_places(given)))
    pointer = "/" + "/".join(str(step).replace("/", "~1") for step in path) if path else ""
    op = draw(st.sampled_from(("add", "remove", "replace", "move", "copy", "test", "x")))
    return {"op": op, "path": pointer + draw(st.sampled_from(("", "/-", "/0"))), "from": pointer, "value": draw(_JSON)}


def _directed(draw: Draw, given: Object) -> Object:
    """With a directive of strategic merge patches somewhere."""
    if draw(st.booleans()):
        return given
    maps = [path for path in _places(given) if isinstance(_at(given, path), dict)]
    place = _at(given, draw(st.sampled_from(maps)))
    key = draw(st.sampled_from(("$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/args")))
    place[key] = draw(st.sampled_from(("delete", "replace", "merge", "x", [], ["name"], [{"name": "main"}])))
    return given


def _delete(draw: Draw, path: str, name: str, given: Object) -> Request:
    body = draw(st.sampled_from((None, {"gracePeriodSeconds": 0}, {"preconditions": {"uid": "x"}}, "noise")))
    content = None if body is None else b"\xff{" if body == "noise" else json.dumps(body).encode()
    everything = draw(st.integers(0, 30)) == 0
    return Request("DELETE", path + _query(draw) if everything else _one(draw, path, name), content, "application/json")


def _list(draw: Draw, path: str, name: str, given: Object) -> Request:
    return Request("GET", path + _query(draw), None, "")


def _get(draw: Draw, path: str, name: str, given: Object) -> Request:
    return Request("GET", _one(draw, path, name), None, "")


_REQUESTS = {"create": _create, "update": _update, "patch": _patch, "delete": _delete, "list": _list, "get": _get}


def _noise(draw: Draw) -> Request:
    method = draw(st.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")))
    steps = draw(st.lists(st.text(max_size=6) | st.sampled_from(("api", "apis", "v1", "pods", "apps", "..")), max_size=6))
    path = "/" + "/".join(quote(step, safe="") for step in steps)
    content_type = draw(st.sampled_from(_PATCHES))
    return Request(method, path + _query(draw), draw(st.none() | st.binary(max_size=30)), content_type)


def _one(draw: Draw, path: str, name: str) -> str:
    below = "" if draw(st.integers(0, 4)) else "/" + draw(st.sampled_from(_SUBRESOURCES))
    return f"{path}/{quote(name, safe='')}{below}{_query(draw)}"


def _query(draw: Draw) -> str:
    if draw(st.integers(0, 2)):
        return ""
    names = draw(st.lists(st.sampled_from(sorted(_QUERY)), max_size=3, unique=True))
    return "?" + urlencode({name: draw(st.sampled_from(_QUERY[name])) for name in names}) if names else ""


def _body(draw: Draw, given: Object) -> bytes:
    """The object, right in one of three cases; else a part of it is gone or is something else."""
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(_places(given)))
        if not path:
            continue
        holder = _at(given, path[:-1])
        if draw(st.booleans()) and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw(_JSON)
    return json.dumps(given).encode()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for step, below in inner for place in _places(below, (*path, step)))]


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


class Client:
    """Sends requests on one connection, and keeps the model."""

    def __init__(self, server: Https) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {server.token}"}
        self._context = server.context()
        self._connection: HTTPSConnection | None = None
        self.model = Model()

    def send(self, request: Request) -> tuple[int, Any]:
        """The status and the JSON of the answer (None where it has none)."""
        if self._connection is None:
            self._connection = HTTPSConnection("127.0.0.1", self._server.port, timeout=20, context=self._context)
        headers = {**self._headers, **({"Content-Type": request.content_type} if request.content_type else {})}
        connection, self._connection = self._connection, None
        connection.request(request.method, request.path, request.body, headers)
        response = connection.getresponse()
        body = response.read()
        if response.will_close:
            connection.close()
        else:
            self._connection = connection
        answer = json.loads(body) if body and "json" in response.headers.get("content-type", "") else None
        self._remember(request, response.status, answer)
        return response.status, answer

    def lost(self) -> list[tuple[str, str]]:
        """What must be there and is not."""
        present: dict[str, dict[str, str]] = {}
        for path, _ in self.model.present:
            if path not in present:
                status, listing = self.send(Request("GET", path, None, ""))
                assert status == 200
                present[path] = {obj["metadata"]["name"]: obj["metadata"]["uid"] for obj in listing["items"]}
        return [key for key, uid in self.model.present.items() if present[key[0]].get(key[1]) != uid]

    def _remember(self, request: Request, status: int, answer: Any) -> None:
        path, _, query = request.path.partition("?")
        if not 200 <= status < 300 or "dryRun" in query or not isinstance(answer, dict):
            return
        if request.method == "DELETE":
            gone = [key for key in self.model.present if path in (key[0], f"{key[0]}/{quote(key[1], safe='')}")]
            for key in gone:
                del self.model.present[key]
        elif answer.get("kind") in _TRACKED:
            resource = resources.of_kind(answer["apiVersion"], answer["kind"])
            metadata = answer["metadata"]
            # What has an owner may go with it, what is being deleted may go when its finalizers do.
            key = (collection(resource) if resource else "", metadata["name"])
            if metadata.get("deletionTimestamp") or metadata.get("ownerReferences"):
                self.model.present.pop(key, None)
            else:
                self.model.present[key] = metadata["uid"]
