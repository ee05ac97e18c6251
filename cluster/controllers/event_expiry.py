"""Events go an hour after they last happened."""

from __future__ import annotations

from cluster.context import Context
from cluster.draft import Key
from cluster.events import TTL_S
from cluster.times import seconds


def look(context: Context, key: Key) -> None:
    event = context.get(key)
    if event is None:
        return
    last = (
        event.get("lastTimestamp")
        or (event.get("series") or {}).get("lastObservedTime")
        or event.get("eventTime")
        or event["metadata"]["creationTimestamp"]
    )
    end = seconds(last) + TTL_S
    if context.now >= end:
        context.draft.delete(key)
    else:
        context.wake(end, key)
