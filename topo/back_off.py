"""When an exited container starts again: restart policy and back-off, as the kubelet's.

"The kubelet restarts them with an exponential backoff delay (10s, 20s, 40s, …), that is capped at 300 seconds (5
minutes). Once a container has executed for 10 minutes without any problems, the kubelet resets the restart backoff
timer for that container." (kubernetes.io, Pod Lifecycle)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RestartPolicy = Literal["Always", "OnFailure", "Never"]

FIRST_DELAY_S = 10.0
LONGEST_DELAY_S = 300.0
RESET_AFTER_S = 2 * LONGEST_DELAY_S


def restarts(policy: RestartPolicy, exit_code: int, init: bool = False) -> bool:
    """Whether a container that ended with `exit_code` is started again.

    An init container is done when it succeeds, whatever the policy of its pod; one with a restartPolicy of its own
    (a sidecar) is no such container: ask with init=False and that policy.
    """
    if policy == "Always" and not init:
        return True
    return exit_code != 0 and policy != "Never"


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long the next restart of one container waits. Times in seconds of any one clock.

    `delay_s` counts from the container's exit; the first restart is immediate. `restarted_at` is the last restart.
    """

    delay_s: float = 0.0
    restarted_at: float | None = None

    def due(self, exited_at: float) -> float:
        """When a container that exited at `exited_at` may start again."""
        return exited_at + (0.0 if self._expired(exited_at) else self.delay_s)

    def after_restart(self, exited_at: float, now: float) -> BackOff:
        """The state once the container that exited at `exited_at` was started again, at `now`."""
        if self.delay_s == 0 or self._expired(exited_at):
            return BackOff(FIRST_DELAY_S, now)
        return BackOff(min(2 * self.delay_s, LONGEST_DELAY_S), now)

    def _expired(self, exited_at: float) -> bool:
        return self.restarted_at is not None and exited_at - self.restarted_at > RESET_AFTER_S
