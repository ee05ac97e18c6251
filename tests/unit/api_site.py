"""A control plane with a registry, and short words for what the tests of the registry do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import samples

from cluster import resources
from cluster.loops import ControlPlane
from cluster.objects import Object
from cluster.registry import Registry, StatusError
from cluster.registry.requests import DeleteOptions, Listing, PatchType, Query, WriteOptions, Written
from cluster.registry.watching import Watch
from cluster.resources import Resource
from cluster.store import Store

NAMESPACE = "default"
ALL = Query()
NO_OPTIONS = DeleteOptions()
STRICT = WriteOptions(field_manager="test", field_validation="Strict")


def resource(kind: str) -> Resource:
    return resources.stored(kind)


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@dataclass(frozen=True)
class Site:
    """A registry on a store of its own. `namespace` of these calls is "default" for kinds that have one."""

    plane: ControlPlane
    registry: Registry

    def create(self, obj: Object, options: WriteOptions = STRICT, namespace: str = NAMESPACE) -> Object:
        kind = resource(obj["kind"])
        return self.registry.create(kind, namespace if kind.namespaced else None, obj, options).obj

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
        return self.registry.get(resource(kind), namespace, name)

    def update(self, obj: Object, options: WriteOptions = STRICT, subresource: str = "") -> Object:
        kind, name = resource(obj["kind"]), obj["metadata"]["name"]
        return self.registry.update(kind, self._home(kind), name, obj, options, subresource).obj

    def patch(
        self,
        kind: str,
        name: str,
        patch_type: PatchType,
        patch: Any,
        options: WriteOptions = STRICT,
        subresource: str = "",
    ) -> Written:
        one = resource(kind)
        return self.registry.patch(one, self._home(one), name, patch_type, patch, options, subresource)

    def apply(self, obj: Object, manager: str, *, force: bool = False) -> Written:
        options = WriteOptions(field_manager=manager, field_validation="Strict", force=force)
        return self.patch(obj["kind"], obj["metadata"]["name"], "apply", obj, options)

    def delete(self, kind: str, name: str, options: DeleteOptions = NO_OPTIONS) -> Object:
        one = resource(kind)
        return self.registry.delete(one, self._home(one), name, options).obj

    def list(self, kind: str, query: Query = ALL) -> Listing:
        one = resource(kind)
        return self.registry.list(one, self._home(one), query)

    def names(self, kind: str, query: Query = ALL) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.list(kind, query).items]

    def watch(self, kind: str, query: Query = ALL) -> Watch:
        one = resource(kind)
        return self.registry.watch(one, self._home(one), query)

    @staticmethod
    def _home(kind: Resource) -> str | None:
        return NAMESPACE if kind.namespaced else None


def site(path: Path, **store: Any) -> Site:
    """A founded cluster of one control-plane node and two workers; its own objects are not settled."""
    plane = ControlPlane(Store(path / "store.sqlite", **store), samples.cluster())
    plane.found(samples.cluster_document(), [])
    return Site(plane, Registry(plane))


def refused(call: Any, *arguments: Any, **options: Any) -> StatusError:
    with pytest.raises(StatusError) as error:
        call(*arguments, **options)
    return error.value


def seen(watch: Watch) -> Sequence[tuple[str, str]]:
    """(type, name) of what a watch has to say now."""
    return [(event.type, event.obj["metadata"].get("name", "")) for event in watch.poll()]
