"""What is watched -> what every switch must hold. Keeps the objects, so that a changed Cluster can be compiled anew."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping

from cluster.client import Batch
from cluster.model import Cluster
from cluster.nodes import cluster_document
from cluster.objects import Object
from cluster.reading.config import resolve
from controller.compiler import Compiler
from controller.edge import edge_table
from controller.flow import FlowTable, Translation
from controller.state import Change, NetworkState, ObjectKey, apply, object_key, state_of

WATCHED_KINDS = ("Cluster", "Pod", "Service", "EndpointSlice", "Namespace", "NetworkPolicy")


def initial_state(objects: Iterable[Object]) -> NetworkState:
    """The state that these objects describe. Raises ValueError when no Cluster is among them."""
    objects = list(objects)
    clusters = [obj for obj in objects if obj["kind"] == "Cluster"]
    if not clusters:
        raise ValueError("no Cluster is among the objects")
    return state_of(resolve(cluster_document(clusters[0])), *objects)


class Desired:
    """`revision` is the last one taken in; `tables` by node, empty until there is a Cluster."""

    def __init__(self) -> None:
        self.revision = 0
        self.cluster: Cluster | None = None
        self._objects: dict[ObjectKey, Object] = {}
        self._state: NetworkState | None = None
        self._compiler: Compiler | None = None
        self._edge: tuple[object, FlowTable] | None = None
        """The edge's table, and what it was made of."""

    @property
    def tables(self) -> Mapping[str, FlowTable]:
        return self._compiler.tables if self._compiler else {}

    def edge_table(self, alive: frozenset[str]) -> FlowTable:
        """What the edge's switch must hold: the same object as long as it is the same. Only for a cluster with an edge."""
        state = self._state
        assert state is not None
        assert state.cluster.edge is not None
        exposed = sorted({key for keys in state.exposed.values() for key in keys})
        depends_on = (alive, [(state.services[key], state.endpoint_slices.get(key)) for key in exposed])
        if self._edge is None or self._edge[0] != depends_on:
            self._edge = depends_on, edge_table(state, state.cluster.edge, alive)
        return self._edge[1]

    def ended(self) -> list[Translation]:
        """Translations that have ended since the last call."""
        if self._compiler is None:
            return []
        ended, self._compiler.ended = self._compiler.ended, []
        return ended

    def still_ended(self, translations: Iterable[Translation]) -> list[Translation]:
        """Those of them that nothing has called for since."""
        current = self._compiler.translations if self._compiler else {}
        return [each for each in translations if not current.get(each)]

    def take(self, batch: Batch) -> None:
        """Take in one batch. What it does not change is not compiled again, even when it repeats everything."""
        changes = list(_changes(batch))
        if batch.reset:
            named = {(change.kind, change.key) for change in changes}
            changes += [Change(kind, key, None) for kind, key in self._objects.keys() - named]
        cluster_changed = any([self._keep(change) for change in changes])
        self.revision = batch.revision
        if cluster_changed or self._state is None or self._compiler is None:
            self._start_over()
            return
        self._compiler.update(self._state, apply(self._state, changes))

    def _keep(self, change: Change) -> bool:
        """Whether it changes the Cluster."""
        identity = (change.kind, change.key)
        before = self._objects.get(identity)
        if change.obj is None:
            self._objects.pop(identity, None)
        else:
            self._objects[identity] = change.obj
        return change.kind == "Cluster" and before != change.obj

    def _start_over(self) -> None:
        if not any(kind == "Cluster" for kind, _ in self._objects):
            return
        self._state = initial_state(self._objects.values())
        self.cluster = self._state.cluster
        self._compiler, self._edge = Compiler(self._state), None
        # What was made now stays: to look through all of it again and again costs each change milliseconds.
        gc.freeze()


def _changes(batch: Batch) -> Iterable[Change]:
    for event in batch.events:
        obj = event.object
        yield Change(obj["kind"], object_key(obj), None if event.type == "DELETED" else obj)
