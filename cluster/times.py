"""Times as the API writes them: RFC 3339 in UTC, in whole seconds (metav1.Time) or microseconds (metav1.MicroTime)."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache


def timestamp(seconds: float) -> str:
    """Seconds since the epoch -> metav1.Time."""
    return _whole(int(seconds))


@lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    """Remembered: many things happen in the same second."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(seconds: float) -> str:
    """Seconds since the epoch -> metav1.MicroTime."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    """A metav1.Time or MicroTime -> seconds since the epoch. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
