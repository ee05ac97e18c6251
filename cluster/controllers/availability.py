"""Since when a pod has been ready, and whether that is long enough (`minReadySeconds`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cluster.context import Context
from cluster.draft import Key
from cluster.objects import Object, ready
from cluster.times import seconds


def ready_since(pod: Mapping[str, Any]) -> float | None:
    """In seconds since the epoch; None for a pod that is not ready."""
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready" and condition["status"] == "True":
            changed = condition.get("lastTransitionTime")
            return 0.0 if changed is None else seconds(changed)
    return None


def available(pods: Iterable[Object], min_ready_s: int, context: Context, key: Key) -> Sequence[Object]:
    """Those that have been ready for long enough; the loop looks at `key` again when the next one will have been."""
    found = []
    for pod in pods:
        if not min_ready_s:
            if ready(pod):
                found.append(pod)
            continue
        since = ready_since(pod)
        if since is None:
            continue
        if since + min_ready_s <= context.now:
            found.append(pod)
        else:
            context.wake(since + min_ready_s, key)
    return found
