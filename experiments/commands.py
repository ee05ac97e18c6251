"""mininetes perf, mininetes bench."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from cluster.commands import name_option, output_option, print_json, print_table
from experiments import (
    api_bench,
    boot,
    dns_bench,
    iperf,
    outside_bench,
    paths,
    policy_bench,
    programming_bench,
    services_bench,
    shaping_bench,
    throughput,
)
from experiments.generated import Size
from experiments.goals import Report
from experiments.paths import Path
from experiments.suite.command import bench_suite
from experiments.testbed import CommandError, Testbed, exit_on_sigterm

Decorator = Callable[[Callable[..., int]], Callable[..., int]]


def _rounds(default: int, text: str = "How often.") -> Decorator:
    return click.option("--rounds", type=click.IntRange(min=1), default=default, show_default=True, help=text)


def _seconds(default: int, text: str = "Seconds per measurement.") -> Decorator:
    return click.option(
        "--time", "seconds", type=click.IntRange(min=1), default=default, show_default=True, metavar="S", help=text
    )


_rounds_option = _rounds(5, "How often each arm is measured; the arms take turns.")


@click.command()
@name_option
@click.argument("targets", nargs=-1, metavar="[SRC DST]")
@_seconds(2)
@click.option("--udp", is_flag=True, help="UDP instead of TCP.")
@click.option("--bandwidth", metavar="RATE", help="Send so much and not more, as 100M or 1G (bit/s).")
@click.option("-P", "--parallel", type=click.IntRange(1, 128), default=1, help="Connections at a time.")
@click.option("-R", "--reverse", is_flag=True, help="DST sends to SRC.")
@click.option("-4", "version", flag_value=4, type=int, help="Over IPv4.")
@click.option("-6", "version", flag_value=6, type=int, help="Over IPv6.")
@output_option("table", "json")
def perf(
    name: str | None, targets: tuple[str, ...], seconds: int, udp: bool, bandwidth: str | None, parallel: int,
    reverse: bool, version: int | None, form: str,
) -> int:  # fmt: skip
    """How much iperf3 gets from SRC to DST: [NS/]POD or node/NAME. Without them: same node and across nodes."""
    if len(targets) not in (0, 2):
        raise click.UsageError(f"name two targets, SRC and DST, or none; found {len(targets)}")
    options = iperf.Options(seconds, udp, bandwidth, parallel, reverse)
    testbed = Testbed(name)
    try:
        inventory = testbed.inventory()
        chosen = [paths.named(inventory, *targets)] if targets else paths.quick_look(inventory, version)
        measured = [(path, _measure(testbed, path, version, options)) for path in chosen]
    except (CommandError, iperf.IperfError) as error:
        raise click.ClickException(str(error)) from error
    _show(measured, form)
    return 0


def _measure(testbed: Testbed, path: Path, version: int | None, options: iperf.Options) -> iperf.Result:
    server, client = testbed.prefix(path.server.target), testbed.prefix(path.client.target)
    return iperf.measure(server, client, path.server.address(version), options)


def _show(measured: Sequence[tuple[Path, iperf.Result]], form: str) -> None:
    if form == "json":
        print_json({"runs": [
            {"from": path.client.target, "to": path.server.target, "path": path.kind, "protocol": result.protocol,
             "bits_per_second": result.bits_per_second, "seconds": result.seconds, "retransmits": result.retransmits,
             "lost_percent": result.lost_percent, "jitter_ms": result.jitter_ms}
            for path, result in measured
        ]})  # fmt: skip
        return
    rows = [
        (path.client.target, path.server.target, path.kind, result.protocol.upper(), f"{result.gbps:.2f} Gbit/s",
         _remark(result)) for path, result in measured
    ]  # fmt: skip
    print_table(("FROM", "TO", "PATH", "PROTOCOL", "RATE", "REMARK"), rows)


def _remark(result: iperf.Result) -> str:
    if result.lost_percent is not None:
        return f"{result.lost_percent:.1f} % lost"
    return f"{result.retransmits} retransmits" if result.retransmits is not None else ""


def _progress(text: str) -> None:
    click.echo(text, err=True)


def _answer(benchmark: Callable[[], Report], form: str) -> int:
    """Run it, print what it found; exit status 1 if a goal does not hold."""
    exit_on_sigterm()
    try:
        report = benchmark()
    except (CommandError, iperf.IperfError) as error:
        raise click.ClickException(str(error)) from error
    if form == "json":
        print_json(report.as_json())
    else:
        print_table(("FIGURE", "VALUE", "GOAL", "HOLDS"), report.rows())
    return 0 if report.holds else 1


@click.group()
def bench() -> None:
    """Measure this program against its floor and its peers, in one run. Exit status 1: a goal does not hold."""


bench.add_command(bench_suite)


@bench.command("boot")
@click.option("--nodes", type=click.IntRange(min=1), default=20, show_default=True, help="Workers.")
@click.option("--pods-per-node", type=click.IntRange(1, 250), default=50, show_default=True)
@click.option("--peer-hosts", type=click.IntRange(min=1), default=100, show_default=True,
              help="Hosts that stock Mininet builds.")  # fmt: skip
@_rounds(3)
@click.option("--large", is_flag=True, help="Also bring up 100 nodes x 20 pods.")
@output_option("table", "json")
def bench_boot(nodes: int, pods_per_node: int, peer_hosts: int, rounds: int, large: bool, form: str) -> int:
    """Time to start and to end, and memory per pod, beside the floor and stock Mininet."""
    size = Size(nodes, pods_per_node)
    return _answer(lambda: boot.run(size, rounds, peer_hosts, boot.LARGE if large else None, _progress), form)


@bench.command("throughput")
@_rounds_option
@_seconds(2)
@output_option("table", "json")
def bench_throughput(rounds: int, seconds: int, form: str) -> int:
    """TCP through the pipeline beside one NORMAL flow on the same datapath; across nodes beside host to host."""
    return _answer(lambda: throughput.run(rounds, seconds, _progress), form)


@bench.command("api")
@_rounds(3)
@click.option("--objects", type=click.IntRange(min=2 * api_bench.PODS), default=api_bench.OBJECTS, show_default=True,
              help="Objects that the server holds in the end.")  # fmt: skip
@click.option("--scale/--no-scale", default=True, help="Also scale a Deployment of a testbed from 10 to 500 pods.")
@output_option("table", "json")
def bench_api(rounds: int, objects: int, scale: bool, form: str) -> int:
    """Writes per second, delivery to watchers and memory of the API server, beside SQLite alone."""
    return _answer(lambda: api_bench.run(rounds, objects, scale, _progress), form)


@bench.command("services")
@_rounds(3)
@_seconds(2)
@click.option("--services", type=click.IntRange(min=20), default=services_bench.MANY, show_default=True,
              help="How many Services are many.")  # fmt: skip
@output_option("table", "json")
def bench_services(rounds: int, seconds: int, services: int, form: str) -> int:
    """A Service's address beside its endpoint's; many Services beside few, and beside nftables rules."""
    return _answer(lambda: services_bench.run(rounds, seconds, services, _progress), form)


@bench.command("shaping")
@_rounds(1)
@_seconds(4)
@output_option("table", "json")
def bench_shaping(rounds: int, seconds: int, form: str) -> int:
    """Links of 10 Mbit/s to 1 Gbit/s: what they carry over what they are configured to carry, in both modes."""
    return _answer(lambda: shaping_bench.run(rounds, seconds, _progress), form)


@bench.command("outside")
@_rounds_option
@click.option("--time", "seconds", type=click.FloatRange(min=0.1), default=2, show_default=True, metavar="S",
              help="Seconds per arm and round.")  # fmt: skip
@output_option("table", "json")
def bench_outside(rounds: int, seconds: float, form: str) -> int:
    """Requests per second from outside by node ports, a load balancer and an Ingress, beside a pod reached directly."""
    return _answer(lambda: outside_bench.run(rounds, seconds, _progress), form)


@bench.command("programming")
@click.option("--services", type=click.IntRange(min=20), default=10_000, show_default=True)
@click.option("--policies", type=click.IntRange(min=1), default=programming_bench.POLICIES, show_default=True)
@click.option("--changes", type=click.IntRange(min=100), default=1000, show_default=True,
              help="How many endpoints change, policies, and labels of pods.")  # fmt: skip
@output_option("table", "json")
def bench_programming(services: int, policies: int, changes: int, form: str) -> int:
    """How fast all switches hold what the API says: after a restart, and after a change of an endpoint or a policy."""
    return _answer(lambda: programming_bench.run(services, policies, changes, _progress), form)


@bench.command("policy")
@_rounds(3)
@click.option("--pods", type=click.IntRange(min=policy_bench.SMALL_PODS), default=policy_bench.PODS, show_default=True,
              help="Pods of the large cluster; ten policies for each fifty.")  # fmt: skip
@click.option("--policies", type=click.IntRange(min=1), default=policy_bench.POLICIES, show_default=True,
              help="Policies around the pods whose throughput is measured.")  # fmt: skip
@_seconds(4, "Seconds in which connections are counted, in turns.")
@output_option("table", "json")
def bench_policy(rounds: int, pods: int, policies: int, seconds: int, form: str) -> int:
    """NetworkPolicies: time and memory to compile, flows, what one relabelled pod costs, and what packets pay."""
    return _answer(lambda: policy_bench.run(rounds, seconds, pods, policies, _progress), form)


@bench.command("dns")
@click.option("--services", type=click.IntRange(min=20, max=16_000), default=10_000, show_default=True)
@click.option("--changes", type=click.IntRange(min=10), default=400, show_default=True, help="Records that change.")
@_rounds(3, "How often rates are measured.")
@_seconds(3)
@output_option("table", "json")
def bench_dns(services: int, changes: int, rounds: int, seconds: int, form: str) -> int:
    """How soon a record follows its object, and queries per second beside dnsmasq."""
    return _answer(lambda: dns_bench.run(services, changes, rounds, seconds, _progress), form)
