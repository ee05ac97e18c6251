"""Resource quantities ("100m", "64Mi"), and what a pod asks for altogether."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")
_SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", 1)},
}  # fmt: skip


@lru_cache(maxsize=4096)
def milli(quantity: str | int | float) -> int:
    """A quantity in thousandths, rounded up as the API does. Raises ValueError."""
    match = _QUANTITY.fullmatch(str(quantity))
    if match is None:
        raise ValueError(f"{quantity!r} is no quantity")
    number, exponent, suffix = match.groups()
    value = Fraction(number) * (Fraction(10) ** int(exponent[1:]) if exponent else _SUFFIXES[suffix or ""])
    return -int(-value * 1000 // 1)


def pod_requests(spec: Mapping[str, Any]) -> Counter[str]:
    """What the scheduler counts for a pod, by resource, in thousandths ("Pod resource requests", kube-scheduler).

    Containers and sidecars run together; an init container runs with the sidecars before it only.
    """
    if not any("resources" in container for container in _all(spec)) and not spec.get("overhead"):
        return Counter()
    running = _sum(_requests(container) for container in spec["containers"])
    sidecars: Counter[str] = Counter()
    peak: Counter[str] = Counter()
    for container in spec.get("initContainers") or ():
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars += asked
            asked = Counter()
        peak |= asked + sidecars
    overhead = Counter({name: milli(amount) for name, amount in (spec.get("overhead") or {}).items()})
    return ((running + sidecars) | peak) + overhead


def _requests(container: Mapping[str, Any]) -> Counter[str]:
    """ "If Requests is omitted for a container, it defaults to Limits if that is explicitly specified"."""
    resources = container.get("resources") or {}
    amounts = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return Counter({name: milli(amount) for name, amount in amounts.items()})


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total += counter
    return total


def _all(spec: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (*(spec.get("initContainers") or ()), *spec["containers"])
