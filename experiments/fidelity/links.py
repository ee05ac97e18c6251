"""Where a shaped link is, and what it should be: what `Monitor` needs to hold it to its word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.fidelity.crossing import Cable


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of a shaped link: an interface that sends into it.

    `sandbox`: PID 1 of the sandbox where it is; 0: only its pings are looked at. `netns`: the name of its network namespace there; "" = its own.
    `bandwidth_mbps`: what it should let through; None = whatever its shaper says at the time (a fault may change it).
    `ping`: a command that prints what ping(8) does across `cables` and back; `ping_bare`: the same where no cable does anything.
    """

    name: str
    sandbox: int = 0
    netns: str = ""
    interface: str = ""
    bandwidth_mbps: float | None = None
    ping: tuple[str, ...] = ()
    ping_bare: tuple[str, ...] = ()
    cables: Sequence[Cable] = ()
