"""iperf3: how much gets from one machine to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cluster.reading.findings import Finding, found
from cluster.reading.quantities import bandwidth_mbps
from experiments import iperf
from experiments.iperf import FIRST_PORT, IperfError
from experiments.scripted import values
from experiments.scripted.scene import Course, Scene
from experiments.scripted.steps.step import Figure, Outcome, StepError
from experiments.scripted.values import Schema, Target, record

DEFAULT_S = 5
_RATE = Figure("rate", "bit/s", "higher", "what the receiver got per second, without headers")
_TCP = (_RATE, Figure("retransmits", "count", "lower", "segments that were sent again"))
_UDP = (
    _RATE,
    Figure("lost_ratio", "ratio", "lower", "datagrams that did not arrive, of those that were sent"),
    Figure("jitter", "s", "lower", "how much the time between datagrams varies (RFC 1889)"),
)


@dataclass(frozen=True, slots=True)
class Iperf3:
    """One iperf3 run. `through`: a Service that leads to the server, which then listens on its target port 5201."""

    KIND: ClassVar[str] = "iperf3"
    TEXT: ClassVar[str] = "iperf3: how much gets from one machine to another."
    SCHEMA: ClassVar[Schema] = record(
        {
            "from": values.MACHINE,
            "to": values.MACHINE,
            "through": values.DESTINATION,
            "protocol": values.one_of("tcp", "udp"),
            "duration": values.DURATION,
            "parallel": {"type": "integer", "minimum": 1, "maximum": 128},
            "reverse": values.FLAG,
            "bandwidth": values.BANDWIDTH,
            "length": {"type": "integer", "minimum": 16, "maximum": 1 << 20},
            "family": values.FAMILY,
        },
        required=("from", "to"),
    )

    source: Target
    to: Target
    through: Target | None
    options: iperf.Options
    family: str | None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Iperf3:
        rate = bandwidth_mbps(data["bandwidth"]) if "bandwidth" in data else None
        options = iperf.Options(
            seconds=int(values.seconds(data.get("duration", DEFAULT_S))),
            udp=data.get("protocol") == "udp",
            bandwidth=None if rate is None else f"{rate * 1e6:.0f}",
            parallel=data.get("parallel", 1),
            reverse=data.get("reverse", False),
            length_bytes=data.get("length"),
        )
        through = Target(data["through"]) if "through" in data else None
        return cls(Target(data["from"]), Target(data["to"]), through, options, data.get("family"))

    @classmethod
    def findings(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        duration = data.get("duration", DEFAULT_S)
        if not _is_whole(duration):
            yield Finding(("duration",), found(duration, "must be whole seconds, at least 1: iperf3 takes no others"))
        if "through" in data and Target(data["through"]).kind != "service":
            yield Finding(("through",), found(data["through"], "must be service/[NAMESPACE/]NAME"))

    def figures(self) -> tuple[Figure, ...]:
        return _UDP if self.options.udp else _TCP

    def seconds(self) -> float:
        return self.options.seconds

    def run(self, scene: Scene, course: Course) -> Outcome:
        server = scene.machine(self.to)
        address = scene.address(self.to, self.family)
        front = None if self.through is None else scene.front_of(self.through, FIRST_PORT, self.family)
        inside, asking = scene.testbed.prefix(server.target), scene.prefix(self.source)
        try:
            result = iperf.measure(inside, asking, address, self.options, front, course.began)
        except IperfError as error:
            raise StepError(f"iperf3 from {self.source} to {server.target}: {error}") from error
        figures = {"rate": result.bits_per_second}
        if self.options.udp:
            figures["lost_ratio"] = (result.lost_percent or 0.0) / 100
            figures["jitter"] = (result.jitter_ms or 0.0) / 1000
        elif result.retransmits is not None:
            figures["retransmits"] = float(result.retransmits)
        return Outcome(figures, {"rate": list(result.intervals)})


def _is_whole(duration: Any) -> bool:
    try:
        seconds = values.seconds(duration)
    except ValueError:
        return True  # said already, of its format
    return seconds >= 1 and seconds == int(seconds)
