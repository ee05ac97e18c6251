"""What a control loop is given: the draft to read and write, the index to look things up in, and the time.

Each loop is a function of a context and a key. It looks at what is, compares it with what should be, and writes the
difference; what it writes marks what has to be looked at next. It remembers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.admission import admit_pod
from cluster.broadcaster import Broadcaster
from cluster.defaults import complete
from cluster.deletion import delete, is_deleting
from cluster.draft import Draft, Key, key_of
from cluster.events import EventType
from cluster.index import Index
from cluster.model import Cluster
from cluster.objects import Object


@dataclass(slots=True)
class Context:
    """`wake(at, key)`: look at this object again at that time, in seconds since the epoch. `later(key)`: not in this
    run, but in the next one, so that others have their turn before."""

    draft: Draft
    index: Index
    cluster: Cluster
    broadcaster: Broadcaster
    heard: Mapping[str, float]
    """When each node gave its last sign of life."""
    wake: Callable[[float, Key], None]
    later: Callable[[Key], None]
    now: float

    def get(self, key: Key) -> Object | None:
        return self.draft.get(key)

    def get_all(self, keys: Iterable[Key]) -> list[Object]:
        """Those of them that are there."""
        return [obj for key in keys if (obj := self.draft.get(key)) is not None]

    def owned(self, owner: Mapping[str, Any], kind: str) -> list[Object]:
        """What names this object as an owner, oldest first."""
        return self.get_all(self.index.owned(owner["metadata"]["uid"], kind))

    def create(self, obj: Object) -> Object | None:
        """None when there is an object of that name (Kubernetes: AlreadyExists): it is not ours to replace."""
        completed = complete(obj, None, self.draft.next_uid(key_of(obj)))
        if self.draft.get(key_of(completed)) is not None:
            return None
        if completed["kind"] == "Pod":
            completed = admit_pod(completed, self.cluster)
        return self.draft.put(completed)

    def delete(self, obj: Mapping[str, Any]) -> None:
        """As an API request without options would."""
        delete(self.draft, key_of(obj))

    def update_status(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Replace the whole status."""
        return self.draft.put_status({**obj, "status": dict(status)})

    def event(self, involved: Mapping[str, Any], type: EventType, reason: str, message: str, component: str) -> None:
        self.broadcaster.tell(self.now, involved, type, reason, message, component)

    def fresh_name(self, kind: str, namespace: str, prefix: str) -> str:
        """A name that no object has, and unlike that of the object it replaces."""
        return self.draft.generated_name(prefix, _Taken(self.draft, kind, namespace))

    def live(self, key: Key) -> Object | None:
        """The object, if it is there and nobody deletes it."""
        obj = self.draft.get(key)
        return None if obj is None or is_deleting(obj) else obj


@dataclass(frozen=True, slots=True)
class _Taken:
    """The names of a kind in a namespace."""

    draft: Draft
    kind: str
    namespace: str

    def __contains__(self, name: object) -> bool:
        return self.draft.get((self.kind, self.namespace, str(name))) is not None
