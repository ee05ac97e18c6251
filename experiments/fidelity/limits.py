"""From where on a figure makes a run degraded, and from where on invalid."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """`found`: how a culprit is told; {value} and {who} are filled in. What is at least `degraded` is."""

    figure: str
    degraded: float
    invalid: float
    found: str


LIMITS = (
    Limit("cpu_strangers", 0.05, 0.20, "other processes took {value:.0%} of the processors: {who}"),
    Limit("cpu_steal", 0.02, 0.10, "the hypervisor took {value:.0%} of the processors for others (steal)"),
    Limit("memory_pressure", 0.05, 0.20, "something waited for memory {value:.0%} of the time"),
    Limit("switch_waiting", 0.15, 0.50,
          "ovs-vswitchd waited for a processor {value:.0%} of the time in which it had work, behind: {who}"),
    Limit("timer_late_p99_s", 0.005, 0.05, "one timer in a hundred was {value:.3f} s late or more"),
    Limit("timer_late_max_s", 0.25, 1.0, "a timer was {value:.2f} s late: the machine stood still"),
    Limit("drops_ratio", 0.001, 0.01, "{value:.2%} of the packets were lost at {who}"),
)  # fmt: skip
LINK_RATE = Limit(
    "rate", 0.05, 0.15, "{who}: what it carried while packets waited is {value:.0%} off what it is configured to carry"
)  # fmt: skip
CROSSING = (
    Limit("delay", 0.10, 0.30, "{who}: its delay is {value:.0%} off the configured one"),
    Limit("jitter", 0.10, 0.30, "{who}: its jitter is {value:.0%} off the configured one"),
    Limit("loss", 0.10, 0.30, "{who}: its loss is {value:.0%} off the configured one"),
)
SWITCH_HAD_WORK = 0.10
"""Of the time. A switch that has less to do waits for nothing worth a verdict."""
LINK_WAITED_S = 0.5
"""A link's rate is measured over at least that much time in which packets waited for it."""
SURE = 3.0
"""Standard deviations by which a figure of few pings has to be beyond a limit."""
