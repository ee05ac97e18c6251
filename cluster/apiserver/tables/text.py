"""How the API server writes ages, labels, selectors and long lists in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"
_SHOWN = 3


def seconds(timestamp: str) -> float:
    """RFC 3339 -> seconds since the epoch."""
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).astimezone(timezone.utc).timestamp()


def age(timestamp: str | None, now_s: float) -> str:
    return UNKNOWN if not timestamp else duration(now_s - seconds(timestamp))


def duration(span_s: float) -> str:
    """k8s.io/apimachinery/pkg/util/duration, HumanDuration: two units where one alone would be coarse."""
    whole = int(span_s)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 8 * 365 else f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def labels(values: Mapping[str, str] | None) -> str:
    """ "a=b,c=d" by key."""
    return ",".join(f"{key}={value}" for key, value in sorted((values or {}).items())) or NONE


def selector(value: Mapping[str, Any] | None) -> str:
    """A label selector as kubectl would take it."""
    if value is None:
        return NONE
    wanted = {key: f"{key}={label}" for key, label in (value.get("matchLabels") or {}).items()}
    requirements = [(key, text) for key, text in wanted.items()]
    requirements += [(each["key"], _requirement(each)) for each in value.get("matchExpressions") or ()]
    return ",".join(text for _, text in sorted(requirements, key=lambda pair: pair[0])) or NONE


def _requirement(expression: Mapping[str, Any]) -> str:
    key: str = expression["key"]
    values = ",".join(sorted(expression.get("values") or ()))
    forms: dict[str, str] = {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
    }
    return forms.get(expression["operator"], key)


def shortened(values: Sequence[str], empty: str) -> str:
    """The first few, and how many more there are."""
    if len(values) > _SHOWN:
        return f"{','.join(values[:_SHOWN])} + {len(values) - _SHOWN} more..."
    return ",".join(values) or empty


def host_port(address: str, port: object) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
