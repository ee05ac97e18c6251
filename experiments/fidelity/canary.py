"""How late timers are: sleep 10 ms again and again, until standard input ends; then say so, as JSON.

A process of its own, since a thread would also wait for its interpreter's lock; it needs nothing but the standard
library. It has the priority of everything else: what happens to it happens to a pod's timers.
"""

from __future__ import annotations

import json
import select
import sys
import time

PERIOD_S = 0.01


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def watch() -> dict[str, float]:
    """Seconds by which a sleep was longer than asked for."""
    late = []
    ended = select.poll()
    ended.register(sys.stdin, select.POLLIN | select.POLLHUP)
    while not ended.poll(0):
        began = time.monotonic()
        time.sleep(PERIOD_S)
        late.append(time.monotonic() - began - PERIOD_S)
    ordered = sorted(late) or [0.0]
    return {"sleeps": len(late), "p50": quantile(ordered, 0.5), "p99": quantile(ordered, 0.99), "max": ordered[-1]}


if __name__ == "__main__":
    print("ready", flush=True)
    print(json.dumps(watch()), flush=True)
