"""What a request asks and what it is answered: the parameters and results of the registry's verbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cluster.objects import Object
from cluster.resources import Resource

FieldValidation = Literal["Strict", "Warn", "Ignore"]
PatchType = Literal["json", "merge", "strategic", "apply"]
PATCH_CONTENT_TYPES: dict[str, PatchType] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
    "application/apply-patch+json": "apply",
}


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """metav1.CreateOptions, UpdateOptions, PatchOptions. `field_manager` falls back on the first part of the user agent,
    which the HTTP layer knows."""

    dry_run: bool = False
    field_manager: str = "unknown"
    field_validation: FieldValidation = "Warn"
    force: bool = False


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """metav1.DeleteOptions."""

    dry_run: bool = False
    grace_period_s: int | None = None
    propagation_policy: str | None = None
    uid: str | None = None
    resource_version: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """metav1.ListOptions."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    allow_watch_bookmarks: bool = False
    send_initial_events: bool | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `items` belong to the store: not to be changed."""

    resource: Resource
    items: Sequence[Object]
    resource_version: str
    continue_token: str = ""
    remaining_item_count: int | None = None

    def to_json(self) -> Object:
        metadata: Object = {"resourceVersion": self.resource_version}
        if self.continue_token:
            metadata["continue"] = self.continue_token
        if self.remaining_item_count is not None:
            metadata["remainingItemCount"] = self.remaining_item_count
        return {
            "kind": f"{self.resource.kind}List",
            "apiVersion": self.resource.api_version,
            "metadata": metadata,
            "items": list(self.items),
        }


@dataclass(frozen=True, slots=True)
class Written:
    """`obj` is what the store holds now (or would hold, in a dry run); `warnings` go into Warning headers."""

    obj: Object
    created: bool = False
    warnings: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Deleted:
    """`obj`: the object where it goes later (grace period, finalizers), else a Status of success."""

    obj: Object


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """`type` is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR. `text` is the JSON of `obj`, encoded once for all watchers."""

    type: str
    revision: int
    _obj: Callable[[], Object]
    _text: Callable[[], str]

    @property
    def obj(self) -> Object:
        return self._obj()

    @property
    def text(self) -> str:
        return self._text()
