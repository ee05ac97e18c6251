"""Events: what a component did or could not do about an object, told as client-go's recorder tells it.

The same said again about the same object counts up; the eleventh thing of one kind that differs in its words only
is counted with all that follow, "(combined from similar events)" (client-go, tools/record/events_cache.go). So a
ReplicaSet of 500 leaves eleven Events and not 500. An Event's name derives from what it says, so to count is to look
up a name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from cluster.draft import Draft, Key
from cluster.objects import Object, name, namespace

EventType = Literal["Normal", "Warning"]

MAX_SIMILAR = 10
"""Events about one object that differ in the message only, before they are combined (defaultAggregateMaxEvents)."""

TTL_S = 3600
"""How long an Event is kept after it last happened (kube-apiserver --event-ttl)."""

COMBINED = "(combined from similar events): "

_COMBINED_SLOT = "f"


def record(
    draft: Draft,
    involved: Mapping[str, Any],
    type: EventType,
    reason: str,
    message: str,
    component: str,
    host: str = "",
) -> Object:
    """Tell one thing about an object, or about a reference to one ({"kind", "namespace", "name", "uid" …}); the Event."""
    about = involved_object(involved)
    where = about.get("namespace") or "default"
    identity = "\0".join((about["kind"], where, about["name"], str(about.get("uid")), about.get("fieldPath", ""),
                          type, reason, component, host))  # fmt: skip
    digest = hashlib.sha256(identity.encode()).hexdigest()[:15]
    for slot in (*(f"{number:x}" for number in range(MAX_SIMILAR)), _COMBINED_SLOT):
        key: Key = ("Event", where, f"{about['name']}.{digest}{slot}")
        known = draft.get(key)
        said = COMBINED + message if slot == _COMBINED_SLOT else message
        if known is None:
            return draft.put_status(_event(key, about, type, reason, said, component, host, draft.now))
        if known["message"] == message or slot == _COMBINED_SLOT:
            return draft.put_status({**known, "message": said, "count": known["count"] + 1, "lastTimestamp": draft.now})
    raise AssertionError("the last slot is always taken")


def record_all(draft: Draft, events: Iterable[Mapping[str, Any]]) -> None:
    """`record` for each of {"involved", "type", "reason", "message", "component", "host"}."""
    for event in events:
        said = (event["type"], event["reason"], event["message"], event["component"])
        record(draft, event["involved"], *said, host=event.get("host", ""))


def involved_object(obj: Mapping[str, Any]) -> Object:
    """The ObjectReference to an object, or the one that is given."""
    if "metadata" not in obj:
        return dict(obj)
    metadata = obj["metadata"]
    reference = {"kind": obj["kind"], "namespace": namespace(obj), "name": name(obj), "uid": metadata.get("uid")}
    reference |= {"apiVersion": obj.get("apiVersion"), "resourceVersion": metadata.get("resourceVersion")}
    return {field: value for field, value in reference.items() if value}


def _event(
    key: Key, about: Object, type: EventType, reason: str, message: str, component: str, host: str, now: str
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": key[2], "namespace": key[1]},
        "involvedObject": about,
        "type": type,
        "reason": reason,
        "message": message,
        "source": {"component": component, **({"host": host} if host else {})},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": host,
    }
