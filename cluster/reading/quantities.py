"""What a link does to packets, as people write it: "100Mbit", 10, "5ms", "1%". Units as tc(8) and iperf3 use them."""

from __future__ import annotations

import re
from typing import Any

from cluster.model import LinkShape

_NUMBER = r"(\d+(?:\.\d+)?)"
_MBPS_PER_UNIT = {"bit": 1e-6, "kbit": 1e-3, "mbit": 1.0, "gbit": 1e3, "": 1.0}
_MS_PER_UNIT = {"us": 1e-3, "ms": 1.0, "s": 1e3, "": 1.0}
_PERCENT_PER_UNIT = {"%": 1.0, "": 1.0}
_MAX_LOSS_PERCENT = 100

FIELDS = ("bandwidth", "delay", "jitter", "loss")


def bandwidth_mbps(value: Any) -> float:
    """Raises ValueError, as the others here, with the sentence that says what would be right."""
    rule = "must be greater than 0: Mbit/s as a number, or '100Mbit', '10Gbit'"
    mbps = _scaled(value, _MBPS_PER_UNIT, rule)
    if mbps <= 0:
        raise ValueError(rule)
    return mbps


def time_ms(value: Any) -> float:
    return _scaled(value, _MS_PER_UNIT, "must be 0 or more: milliseconds as a number, or '5ms', '200us'")


def loss_percent(value: Any) -> float:
    rule = "must be between 0 and 100: percent as a number, or '1%'"
    percent = _scaled(value, _PERCENT_PER_UNIT, rule)
    if percent > _MAX_LOSS_PERCENT:
        raise ValueError(rule)
    return percent


PARSERS = {"bandwidth": bandwidth_mbps, "delay": time_ms, "jitter": time_ms, "loss": loss_percent}


def shape(fields: dict[str, Any]) -> LinkShape:
    """The shape that these fields of the spec ask for; other fields are passed over. Raises ValueError."""
    parsed = {name: parse(fields[name]) for name, parse in PARSERS.items() if name in fields}
    return LinkShape(parsed.get("bandwidth"), parsed.get("delay"), parsed.get("jitter"), parsed.get("loss"))


def _scaled(value: Any, factors: dict[str, float], rule: str) -> float:
    match = re.fullmatch(_NUMBER + r"\s*([A-Za-z%]*)", str(value).strip())
    factor = factors.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(rule)
    return float(match[1]) * factor
