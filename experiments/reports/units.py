"""Values with their units, as people read them: three digits and a prefix that fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from experiments.reports.result import Unit

_DIGITS = 3
_STEPS: dict[Unit, tuple[tuple[float, str], ...]] = {
    "bit/s": ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1, "bit/s")),
    "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "bytes")),
    "1/s": ((1, "per second"),),
    "percent": ((1, "%"),),
    "ratio": ((1, ""),),
    "count": ((1, ""),),
}
SUFFIXES: dict[str, tuple[float, Unit]] = {
    "_per_s": (1, "1/s"),
    "_bps": (1, "bit/s"),
    "_bytes": (1, "bytes"),
    "_percent": (1, "percent"),
    "_ratio": (1, "ratio"),
    "_ms": (1e-3, "s"),
    "_s": (1, "s"),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """What values are divided by, and what the result is in."""

    divisor: float
    label: str
    axis: str = ""
    """What an axis says, where the values themselves need no unit."""

    def of(self, value: float) -> float:
        return value / self.divisor

    def text(self, value: float) -> str:
        return f"{digits(self.of(value))} {self.label}".rstrip()


def scale(unit: Unit, values: Iterable[float]) -> Scale:
    """The largest prefix with which the largest value is not below 1."""
    largest = max(map(abs, values), default=0.0)
    steps = _STEPS[unit]
    if largest == 0:
        divisor, label = next(step for step in steps if step[0] == 1)
    else:
        divisor, label = next((step for step in steps if largest >= step[0]), steps[-1])
    return Scale(divisor, label, label or ("ratio" if unit == "ratio" else ""))


def text(unit: Unit, value: float) -> str:
    return scale(unit, [value]).text(value)


def digits(value: float) -> str:
    """Three significant digits without an exponent; whole numbers whole, with a comma between thousands."""
    if value == int(value) or abs(value) >= 10**_DIGITS:
        return f"{value:,.0f}"
    return f"{value:#.{_DIGITS}g}".rstrip(".") if abs(value) >= 1e-4 else f"{value:.1e}"


def of_name(name: str) -> tuple[float, Unit]:
    """Factor and unit of a sample by the suffix of its name, what stands behind a "/" aside: cpu_percent/ovsdb."""
    stem = name.partition("/")[0]
    return next((unit for suffix, unit in SUFFIXES.items() if stem.endswith(suffix)), (1, "count"))
