"""The cluster's objects that matter to Ingresses, found by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]
SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class World:
    """Objects of the kinds Ingress, IngressClass, Service, EndpointSlice and Secret, at one moment."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._found: dict[tuple[str, str, str], Object] = {}
        self._slices: dict[tuple[str, str], list[Object]] = {}
        for obj in objects:
            self._found[(obj["kind"], namespace(obj), name(obj))] = obj
            if obj["kind"] == "EndpointSlice":
                service = (obj["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL, "")
                self._slices.setdefault((namespace(obj), service), []).append(obj)

    def get(self, kind: str, space: str, called: str) -> Object | None:
        return self._found.get((kind, space, called))

    def slices(self, space: str, service: str) -> list[Object]:
        """The EndpointSlices of a Service, by name."""
        return sorted(self._slices.get((space, service), ()), key=name)

    def ingresses(self) -> list[Object]:
        """The oldest first: of two that claim the same, it is the one that has it."""
        found = [obj for (kind, _, _), obj in self._found.items() if kind == "Ingress"]
        return sorted(found, key=lambda obj: (obj["metadata"].get("creationTimestamp", ""), full_name(obj)))


def name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def namespace(obj: Object) -> str:
    return str(obj["metadata"].get("namespace", ""))


def full_name(obj: Object) -> str:
    return f"{namespace(obj)}/{name(obj)}"
