"""Durations as Go writes them: 300ms, 1.5s, 1m30s. (`agnhost.py` has its own copy: in a pod it stands alone.)"""

from __future__ import annotations

import re

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)"


def seconds(text: str) -> float:
    """Raises ValueError where it is no duration. "0" needs no unit."""
    if text == "0":
        return 0.0
    if not re.fullmatch(f"({_PART})+", text):
        raise ValueError(f"not a duration: {text!r}")
    return sum(float(number) * _UNITS_S[unit] for number, unit in re.findall(_PART, text))
