"""ControllerRevisions: the templates that a StatefulSet or DaemonSet had, which `kubectl rollout undo` goes back to.

As pkg/controller/history: `data` is the patch that makes the set what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.context import Context
from cluster.names import template_hash
from cluster.objects import Object, labels, name, namespace
from cluster.ownership import reference

DEFAULT_HISTORY_LIMIT = 10


def history(context: Context, owner: Object) -> Sequence[Object]:
    """The revisions of a set, oldest first."""
    return sorted(context.owned(owner, "ControllerRevision"), key=lambda one: (one["revision"], name(one)))


def current(context: Context, owner: Object, hash_label: str) -> Object:
    """The revision of the present template: made if there is none, the newest again if there is."""
    known = history(context, owner)
    data = _data(owner)
    newest = known[-1]["revision"] if known else 0
    same = next((one for one in reversed(known) if one["data"] == data), None)
    if same is None:
        return _created(context, owner, data, newest + 1, hash_label)
    if same["revision"] != newest:
        return context.draft.put({**same, "revision": newest + 1})
    return same


def forget(context: Context, owner: Object, used: set[str]) -> None:
    """Delete the oldest revisions beyond the limit that no pod is of."""
    limit = owner["spec"].get("revisionHistoryLimit", DEFAULT_HISTORY_LIMIT)
    unused = [one for one in history(context, owner) if name(one) not in used]
    for one in unused[: max(0, len(unused) - limit)]:
        context.delete(one)


def template_of(revision: Mapping[str, Any]) -> Object:
    """The pod template of a revision."""
    template = revision["data"]["spec"]["template"]
    return {field: value for field, value in template.items() if field != "$patch"}


def _data(owner: Mapping[str, Any]) -> Object:
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def _created(context: Context, owner: Object, data: Object, number: int, hash_label: str) -> Object:
    collisions = 0
    template_labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    while True:
        version = template_hash(data if not collisions else [data, collisions])
        made = context.create({
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": f"{name(owner)}-{version}",
                "namespace": namespace(owner),
                "labels": {**template_labels, hash_label: version},
                "annotations": dict(owner["metadata"].get("annotations") or {}),
                "ownerReferences": [reference(owner)],
            },
            "data": data,
            "revision": number,
        })  # fmt: skip
        if made is not None:
            return made
        collisions += 1


def hash_of(revision: Mapping[str, Any], hash_label: str) -> str:
    return labels(revision).get(hash_label, "")
