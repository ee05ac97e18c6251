"""What was seen -> figures. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.fidelity.limits import LINK_WAITED_S, SWITCH_HAD_WORK
from experiments.fidelity.machine import Machine
from experiments.fidelity.processes import SWITCH, Accounts

LINK = "link/"
_NAMED = 3
"""How many culprits of one kind are named."""
_WORTH_NAMING = 0.1
"""Of all of its kind."""


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """`waited_s`: how long packets waited for it; it carried `sent_bits` then, and could have carried `could_bits`.

    `configured_bps`: None = as its shaper says. `crossed`: what pings across it found (`crossing.figures`).
    """

    name: str
    rate_bps: float
    waited_s: float
    sent_bits: float
    could_bits: float
    configured_bps: float | None = None
    crossed: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was seen of a run."""

    processors: int
    began: Machine
    ended: Machine
    accounts: Accounts
    timers: Mapping[str, float]
    """What the canary says; empty if it said nothing."""
    packets: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    """By where."""
    links: tuple[LinkSeen, ...] = ()
    drops_planned: bool = False
    blind: tuple[str, ...] = ()
    """What could not be watched, and why."""


def figures(seen: Seen) -> dict[str, float]:
    """Shares are of the time, those of processors of all processors. What was not seen is not there."""
    began, ended, accounts = seen.began, seen.ended, seen.accounts
    seconds = max(ended.at_s - began.at_s, 1e-9)
    capacity_s = seconds * seen.processors
    found = {
        "seconds": seconds,
        "cpu_busy": (ended.busy_s - began.busy_s) / capacity_s,
        "cpu_own": accounts.own_s.total() / capacity_s,
        "cpu_strangers": accounts.strangers_s.total() / capacity_s,
        "cpu_steal": (ended.steal_s - began.steal_s) / capacity_s,
        "cpu_pressure": (ended.cpu_pressure_s - began.cpu_pressure_s) / seconds,
        "memory_pressure": (ended.memory_pressure_s - began.memory_pressure_s) / seconds,
        "io_pressure": (ended.io_pressure_s - began.io_pressure_s) / seconds,
    }
    found |= _switch(accounts, seconds) | _timers(seen.timers) | _drops(seen)
    for link in seen.links:
        found |= {f"{LINK}{link.name}/{name}": value for name, value in _link(link).items()}
    return found


def _switch(accounts: Accounts, seconds: float) -> dict[str, float]:
    wanted_s = accounts.switch_ran_s + accounts.switch_waited_s
    found = {"switch_busy": accounts.switch_ran_s / seconds}
    if wanted_s > SWITCH_HAD_WORK * seconds:
        found["switch_waiting"] = accounts.switch_waited_s / wanted_s
    return found


def _timers(timers: Mapping[str, float]) -> dict[str, float]:
    return {f"timer_late_{name}_s": timers[name] for name in ("p50", "p99", "max") if name in timers}


def _drops(seen: Seen) -> dict[str, float]:
    lost = sum(all_drops(seen).values())
    packets = seen.packets or (seen.ended.received - seen.began.received)
    ratio = {} if seen.drops_planned else {"drops_ratio": lost / max(packets, lost, 1)}
    return {"drops": float(lost), **ratio}


def all_drops(seen: Seen) -> dict[str, int]:
    """By where, those of the processors' own queues among them."""
    at_processors = seen.ended.dropped - seen.began.dropped
    return {**seen.drops, **({"the processors' queues (netdev_max_backlog)": at_processors} if at_processors else {})}


def _link(link: LinkSeen) -> dict[str, float]:
    found: dict[str, float] = {}
    if link.waited_s >= LINK_WAITED_S:
        could_bits = link.could_bits if link.configured_bps is None else link.configured_bps * link.waited_s
        found["rate"] = link.sent_bits / could_bits
    elif link.configured_bps is not None and not link.rate_bps:
        # It should limit something, and limits nothing.
        found["rate"] = 0.0
    return {**found, **link.crossed}


def who(seen: Seen, figure: str) -> str:
    """Whose fault it is that a figure is what it is; "" where it has no name."""
    amounts: Counter[str] = Counter()
    if figure == "cpu_strangers":
        amounts = seen.accounts.strangers_s
    elif figure == "switch_waiting":
        amounts = seen.accounts.own_s + seen.accounts.strangers_s
        amounts.pop(SWITCH, None)
    elif figure == "drops_ratio":
        amounts = Counter(all_drops(seen))
    floor = _WORTH_NAMING * amounts.total()
    return ", ".join(name for name, amount in amounts.most_common(_NAMED) if amount >= floor)
