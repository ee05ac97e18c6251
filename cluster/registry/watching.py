"""watch: the changes since a revision, as one selector sees them (apiserver/pkg/storage/etcd3/watcher.go).

An object that begins to match is ADDED, one that ceases to is DELETED with the state that matched last. `Watch.poll` never
waits: who serves the stream calls it again after a write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cluster.history import Change
from cluster.json_text import dumps
from cluster.objects import Object
from cluster.registry import errors, reading, selecting, versions
from cluster.registry.requests import Query, WatchEvent
from cluster.registry.selecting import Selector
from cluster.resources import Resource
from cluster.store import CompactedError, Store

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Watch:
    """One watcher's place in the history."""

    def __init__(self, store: Store, resource: Resource, namespace: str | None, query: Query) -> None:
        """Raises StatusError 410 when the revision is too old to go on from."""
        self._store = store
        self._resource = resource
        self._namespace = namespace if resource.namespaced else None
        self._selector = selecting.parse(resource, query.label_selector, query.field_selector)
        self._bookmarks = query.allow_watch_bookmarks
        self._initial, self._marks_end = self._beginning(query)

    def _beginning(self, query: Query) -> tuple[Sequence[Object] | None, bool]:
        """The objects to send as ADDED first, if any, and whether a bookmark closes them."""
        text, match = query.resource_version, query.resource_version_match
        if query.send_initial_events is not None and match != "NotOlderThan":
            raise _refused(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        if query.send_initial_events is None and match:
            raise _refused(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )
        revision = reading.newest_or(self._store, reading.revision_of(text)) if text else 0
        self.revision = self._store.revision
        if query.send_initial_events or (revision == 0 and query.send_initial_events is None):
            page = reading.listing(
                self._store, self._resource, self._namespace,
                Query(label_selector=query.label_selector, field_selector=query.field_selector),
            )  # fmt: skip
            return page.items, bool(query.send_initial_events)
        if revision:
            self.revision = revision
            if revision < self._store.oldest_revision:
                raise errors.too_old(revision, self._store.oldest_revision)
        return None, False

    def poll(self) -> Sequence[WatchEvent]:
        """What happened since the last call, in order. An ERROR event is the last one: the watcher has fallen behind."""
        events = list(self._initial_events())
        try:
            changes = self._store.changes_since(self.revision, self._resource.kind)
        except CompactedError as error:
            return [*events, _error(errors.too_old(error.revision, error.oldest))]
        events += filter(None, map(self._event, changes))
        self.revision = self._store.revision
        return events

    def bookmark(self) -> WatchEvent | None:
        """The revision up to which everything was sent; None where the client did not ask for bookmarks."""
        return self._bookmark({}) if self._bookmarks else None

    def _initial_events(self) -> Iterator[WatchEvent]:
        if self._initial is None:
            return
        for obj in self._initial:
            yield _added(obj)
        self._initial = None
        if self._marks_end:
            yield self._bookmark({"annotations": {INITIAL_EVENTS_END: "true"}})

    def _bookmark(self, metadata: Object) -> WatchEvent:
        obj = {
            "kind": self._resource.kind,
            "apiVersion": self._resource.api_version,
            "metadata": {"resourceVersion": str(self.revision), "creationTimestamp": None, **metadata},
        }
        return WatchEvent("BOOKMARK", self.revision, lambda: obj, lambda: dumps(obj))

    def _event(self, change: Change) -> WatchEvent | None:
        if self._namespace and change.key[1] != self._namespace:
            return None
        if not self._selector:
            return self._as(change.type, change)
        return self._selected(change, self._selector)

    def _selected(self, change: Change, selector: Selector) -> WatchEvent | None:
        before = change.previous is not None and selector.matches(change.previous)
        now = change.type != "DELETED" and selector.matches(change.obj)
        if now:
            return self._as("MODIFIED" if before else "ADDED", change)
        if not before:
            return None
        if change.type == "DELETED":
            return self._as("DELETED", change)
        return self._left(change)

    def _left(self, change: Change) -> WatchEvent:
        """DELETED, with the last state that matched and the revision at which it ceased to."""
        previous = change.previous
        assert previous is not None
        last = {**previous, "metadata": {**previous["metadata"], "resourceVersion": str(change.revision)}}
        obj = versions.served(last, self._resource)
        return WatchEvent("DELETED", change.revision, lambda: obj, lambda: dumps(obj))

    def _as(self, event_type: str, change: Change) -> WatchEvent:
        if self._resource.api_version == versions.stored_form(self._resource).api_version:
            return WatchEvent(event_type, change.revision, lambda: change.obj, lambda: change.text)
        obj = versions.served(change.obj, self._resource)
        return WatchEvent(event_type, change.revision, lambda: obj, lambda: dumps(obj))


def _added(obj: Object) -> WatchEvent:
    return WatchEvent("ADDED", int(obj["metadata"]["resourceVersion"]), lambda: obj, lambda: dumps(obj))


def _error(error: errors.StatusError) -> WatchEvent:
    return WatchEvent("ERROR", 0, lambda: error.status, lambda: dumps(error.status))


def _refused(field: str, why: str) -> errors.StatusError:
    return errors.invalid_options("ListOptions", errors.Cause("FieldValueForbidden", f"Forbidden: {why}", field))
