"""When requests are due, and what became of them. Comes before the text of a program that runs in a pod.

At a rate, a request is due at its time whatever became of those before it, and its latency counts from then, as a user
sees it. Otherwise so many are under way at a time, and the next one is due when one is answered.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable

_BUCKET_S = 0.25
_PERCENTILES = {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p99": 0.99}

Ask = Callable[[int], Awaitable[str]]
"""One request, by number; who answered. Raises what went wrong."""


class Record:
    """What became of requests: (due, seconds, who or None, what went wrong or None) each, times since the beginning."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.requests: list[tuple[float, float, str | None, str | None]] = []

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    async def make(self, ask: Ask, number: int, due: float, patience_s: float) -> None:
        who, error = None, None
        try:
            who = await asyncio.wait_for(ask(number), patience_s)
        except (asyncio.TimeoutError, TimeoutError):
            error = "timeout"
        except (OSError, EOFError, ValueError) as failed:
            error = type(failed).__name__
        self.requests.append((due, self.now - due, who, error))

    def told(self) -> dict[str, object]:
        seconds = max(self.now, 1e-9)
        good = sorted(taken for _, taken, _, error in self.requests if error is None)
        failed = Counter(error for *_, error in self.requests if error is not None)
        figures = {
            "requests": len(self.requests), "failed": sum(failed.values()), "rate": len(good) / seconds,
            "outage": self._outage_s(),
        }
        if self.requests:
            figures["failed_ratio"] = sum(failed.values()) / len(self.requests)
        if good:
            figures.update({name: good[int(part * (len(good) - 1))] for name, part in _PERCENTILES.items()})
            figures["latency_max"] = good[-1]
        answers = Counter(who for _, _, who, error in self.requests if error is None and who)
        if answers:
            figures["endpoints"] = len(answers)
            squares = sum(count * count for count in answers.values())
            figures["fairness"] = sum(answers.values()) ** 2 / (len(answers) * squares)
        return {
            "figures": figures, "series": self._series(),
            "tables": {"answers": dict(sorted(answers.items())), "failures": dict(sorted(failed.items()))},
        }

    def _outage_s(self) -> float:
        """The longest time in which whatever was due failed: from the first of those to the next that was answered."""
        longest, since = 0.0, None
        for due, _, _, error in sorted(self.requests, key=lambda request: request[0]):
            if since is not None:
                longest = max(longest, due - since)
            since = None if error is None else due if since is None else since
        return longest

    def _series(self) -> dict[str, list[tuple[float, float]]]:
        answered: dict[int, list[float]] = {}
        failed: Counter[int] = Counter()
        for due, taken, _, error in self.requests:
            bucket = int(due / _BUCKET_S)
            if error is None:
                answered.setdefault(bucket, []).append(taken)
            else:
                failed[bucket] += 1
        buckets = range(max([*answered, *failed], default=-1) + 1)
        at = {bucket: round(bucket * _BUCKET_S, 3) for bucket in buckets}
        return {
            "rate": [(at[bucket], len(answered.get(bucket, ())) / _BUCKET_S) for bucket in buckets],
            "failed_per_s": [(at[bucket], failed[bucket] / _BUCKET_S) for bucket in buckets],
            "latency_p50": [(at[bucket], sorted(taken)[len(taken) // 2]) for bucket, taken in sorted(answered.items())],
        }


async def pace(ask: Ask, options: dict[str, float]) -> Record:
    """Make requests for options["seconds"]: options["rate"] a second, or options["concurrency"] at a time."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print("began", flush=True)
    record = Record()
    if options.get("rate"):
        await _at_a_rate(record, ask, options, stopped)
    else:
        await asyncio.gather(*(
            _one_after_the_other(record, ask, options, stopped, first)
            for first in range(int(options["concurrency"]))
        ))
    return record


async def _at_a_rate(record: Record, ask: Ask, options: dict[str, float], stopped: asyncio.Event) -> None:
    under_way = set()
    number = 0
    while number < int(options["rate"] * options["seconds"]) and not stopped.is_set():
        due = number / options["rate"]
        if due > record.now:
            await asyncio.sleep(due - record.now)
        task = asyncio.create_task(record.make(ask, number, due, options["patience_s"]))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        number += 1
    await asyncio.gather(*under_way)


async def _one_after_the_other(
    record: Record, ask: Ask, options: dict[str, float], stopped: asyncio.Event, first: int
) -> None:
    number = first
    while record.now < options["seconds"] and not stopped.is_set():
        await record.make(ask, number, record.now, options["patience_s"])
        number += int(options["concurrency"])


def main(asking: Callable[[dict[str, object]], Ask]) -> None:
    """`asking` makes of the options what asks."""
    options = json.loads(sys.argv[1])
    ask = asking(options)
    print(json.dumps(asyncio.run(pace(ask, options)).told()), flush=True)
