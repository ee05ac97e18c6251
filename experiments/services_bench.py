"""bench services: what a Service's address costs over its endpoint's, and whether many Services cost more than few.

Beside the pipeline, nftables rules in the styles of kube-proxy's two modes: the sequential one must grow, or the
measurement sees nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median

from cluster.problems import MachineError
from experiments import (
    bulk,
    connections,
    generated,
    hands,
    iperf,
    isolated,
    many_services,
    nft_peer,
    placement,
    statistics,
    testbed,
)
from experiments.goals import Goal, Report
from experiments.hands import Hand
from experiments.iperf import FIRST_PORT
from experiments.statistics import Samples
from experiments.testbed import Machine, Testbed

FEW, MANY = 10, 10_000
_CONNECTIONS, _TURNS = 40, 25
"""In a turn; in how many turns an arm of a round is measured, so that what else the machine does hits all of them."""
_THROUGHPUT, _RATE, _FIRST_PACKET, _SEEN = 0.95, 0.9, 1.1, 1.2
_TARGET_PORT = many_services.TARGET_PORT + 1
"""Not the one on which the pod serves HTTP."""
_DIRECT_PORT = _TARGET_PORT + 1
"""Another one: a source port that is in use towards the Service's would have to be translated, too."""
_PATIENCE_S = 120.0
_IPERF = 0
"""The Service in front of iperf3; that in front of `connecting` is the next."""


def run(rounds: int, seconds: int, many: int, progress: Callable[[str], None]) -> Report:
    """Raises CommandError when an arm does not come up, MachineError where there is no nft."""
    if shutil.which("nft") is None:
        raise MachineError("the program 'nft' is not there; run: sudo apt-get install nftables")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mininetes-bench-")))
        spec = generated.write(generated.for_throughput("overlay"), directory / "spec.yaml")
        few = stack.enter_context(_ours(spec, FEW))
        measured = []
        for number in range(rounds):
            measured.append(_costs(few, seconds))
            progress(_said(f"round {number + 1} of {rounds}", measured[-1]))
        first = _first_packets({"few": few, "many": stack.enter_context(_ours(spec, many))}, many, rounds, progress)
    return report(statistics.by_arm(measured), statistics.by_arm(first), many)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A testbed with so many Services, whose endpoint is `server`; `client` is on another node."""

    testbed: Testbed
    server: Machine
    client: Machine


@contextmanager
def _ours(spec: Path, count: int) -> Iterator[_Pair]:
    with testbed.running(spec, "bench-services") as running:
        pods = generated.servers(running.inventory())
        server = pods[0]
        _add(running, server, 0, count)
        yield _Pair(running, server, next(pod for pod in pods if pod.node != server.node))


def _add(running: Testbed, server: Machine, start: int, end: int) -> None:
    address, ports = str(server.addresses[0]), {_IPERF: FIRST_PORT}
    api = bulk.client_of(running)
    objects = (
        made for number in range(start, end)
        for made in (
            many_services.service(number),
            many_services.endpoints(number, [address], ports.get(number, _TARGET_PORT)),
        )
    )  # fmt: skip
    api.wait_realised("controller", many_services.apply(api, objects), _PATIENCE_S)


def _costs(pair: _Pair, seconds: int) -> dict[str, float]:
    """Gbit/s and connections a second, by the endpoint's own address and by its Service's."""
    inside, own = pair.testbed.prefix(pair.server.target), pair.server.addresses[0]
    with (
        hands.in_machine("server", inside) as server,
        hands.in_machine("client", pair.testbed.prefix(pair.client.target)) as client,
        connections.served(inside, str(own), _TARGET_PORT),
        connections.served(inside, str(own), _DIRECT_PORT),
    ):
        iperf.serve(server, own)
        turns = statistics.in_turn(_TURNS, {
            "direct_gbps": partial(_gbps, client, str(own), FIRST_PORT),
            "service_gbps": partial(_gbps, client, many_services.cluster_ip(_IPERF), many_services.PORT),
            "direct_per_s": partial(_rate, client, str(own), _DIRECT_PORT, seconds),
            "service_per_s": partial(_rate, client, many_services.cluster_ip(1), many_services.PORT, seconds),
        })  # fmt: skip
    return {arm: fmean(of_turns) for arm, of_turns in turns.items()}


def _gbps(client: Hand, address: str, port: int) -> Sequence[float]:
    """Of one turn."""
    return [iperf.ask(client, address, port, iperf.Options(size_bytes=iperf.SHORT_BYTES)).gbps]


def _rate(client: Hand, address: str, port: int, seconds: float) -> Sequence[float]:
    """Of one turn, a part of these seconds."""
    return [connections.per_second(client, address, port, seconds / _TURNS)]


def _first_packets(
    ours: Mapping[str, _Pair], many: int, rounds: int, progress: Callable[[str], None]
) -> list[dict[str, float]]:
    """Milliseconds until a new connection is answered, p50, per arm: ours and both peers, few Services and many.

    All arms are there at the same time, and each has its turn every few hundred connections: what the machine does
    meanwhile, it does to all of them. `placement` says why each has processors of its own.
    """
    with ExitStack() as stack:
        arms: dict[str, Callable[[], Sequence[float]]] = {}
        for size, pair in ours.items():
            inside, own = pair.testbed.prefix(pair.server.target), str(pair.server.addresses[0])
            stack.enter_context(connections.served(placement.beside_switch(inside), own, _TARGET_PORT))
            placement.pin_switch(pair.testbed)
            addresses = [many_services.cluster_ip(number) for number in range(1, FEW)]
            client = _client(stack, f"client of {size}", pair.testbed.prefix(pair.client.target))
            arms[f"ours_{size}"] = partial(_latencies, client, addresses)
            for style in nft_peer.STYLES:
                count = {"few": FEW, "many": many}[size]
                peer = stack.enter_context(isolated.ready("nft_peer", style, str(count)))
                served = peer.prefix(nft_peer.SERVER)
                stack.enter_context(connections.served(served, str(nft_peer.SERVER_ADDRESS), nft_peer.TARGET_PORT))
                last = [nft_peer.cluster_ip(count - 1)]
                client = _client(stack, f"client of {style}, {size}", peer.prefix(nft_peer.CLIENT))
                arms[f"{style}_{size}"] = partial(_latencies, client, last)
        found = []
        for number in range(rounds):
            found.append({f"{arm}_ms": median(all_of) for arm, all_of in statistics.in_turn(_TURNS, arms).items()})
            progress(_said(f"first packets, round {number + 1} of {rounds}", found[-1]))
    return found


def _client(stack: ExitStack, name: str, prefix: Sequence[str]) -> Hand:
    return stack.enter_context(hands.in_machine(name, placement.beside_switch(prefix)))


def _latencies(client: Hand, addresses: Sequence[str]) -> Sequence[float]:
    targets = [f"{address}:{many_services.PORT}" for address in addresses]
    return connections.latencies_ms(client, _CONNECTIONS, targets)


def report(costs: Mapping[str, Samples], first: Mapping[str, Samples], many: int) -> Report:
    """The figures out of the samples."""
    growth = {arm: first[f"{arm}_many_ms"].over(first[f"{arm}_few_ms"]) for arm in ("ours", *nft_peer.STYLES)}
    throughput = costs["service_gbps"].over(costs["direct_gbps"])
    rate = costs["service_per_s"].over(costs["direct_per_s"])
    goals = (
        Goal("throughput by the Service over direct", throughput.median, "at least", _THROUGHPUT, "x"),
        Goal("connections per second by the Service over direct", rate.median, "at least", _RATE, "x"),
        Goal(f"first packet, {many} Services over {FEW}", growth["ours"].median, "at most", _FIRST_PACKET, "x"),
        Goal("control: rules one after the other", growth["iptables"].median, "at least", _SEEN, "x"),
    )
    arms = {**costs, **first, **{f"{arm}_growth": samples for arm, samples in growth.items()}}
    return Report("services", goals, {name: samples.as_json() for name, samples in arms.items()})


def _said(what: str, arms: Mapping[str, float]) -> str:
    return f"{what}: " + ", ".join(f"{arm} {value:.3g}" for arm, value in arms.items())
