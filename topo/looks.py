"""When to look at a pod even if nothing happens to it: times in seconds since the epoch, by the pod's uid."""

from __future__ import annotations


class Looks:
    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def put(self, uid: str, at: float | None) -> None:
        """Look at this pod then; None: not before something happens."""
        if at is None:
            self._at.pop(uid, None)
        else:
            self._at[uid] = at

    def wait_s(self, now: float) -> float | None:
        """Until the next look; None where there is none."""
        return max(0.0, min(self._at.values()) - now) if self._at else None

    def due(self, now: float) -> list[str]:
        return [uid for uid, at in self._at.items() if at <= now]
