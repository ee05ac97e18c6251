"""bench dns: how soon a record follows its Service or endpoint, how many queries a replica answers, how fast one is.

Beside it dnsmasq, in a pod on the same node, with the same names in a hosts file, asked by the same program.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from statistics import quantiles
from typing import Any

from cluster.client import Client
from cluster.problems import MachineError
from experiments import bulk, dns_asking, generated, many_services, statistics, testbed
from experiments.bulk import Object
from experiments.goals import Goal, Report
from experiments.many_services import NAMESPACE
from experiments.statistics import Samples
from experiments.testbed import Testbed

_LAG_MS, _RATE, _RATIO, _LATENCY_MS = 100.0, 2000.0, 0.5, 5.0
_ASKER, _PEER = "asker", "dnsmasq"
_ZONE = "svc.cluster.local"
_IDLE_NAME = f"kubernetes.default.{_ZONE}"
_LOOKUPS = 2000
_HEADLESS = 50
"""Services whose endpoints change."""
_PATIENCE_S = 180.0
_ASKING = ("python3", "-c", Path(dns_asking.__file__).read_text())
"""As text: a pod has a /tmp of its own, and this file may be in the machine's."""
_FIRST_FRESH = IPv4Address("10.96.192.0")
"""Addresses of Services that come while the bench looks on."""


def run(services: int, changes: int, rounds: int, seconds: int, progress: Callable[[str], None]) -> Report:
    """Raises CommandError when an arm does not come up, MachineError where there is no dnsmasq."""
    if shutil.which("dnsmasq") is None:
        raise MachineError("the program 'dnsmasq' is not there; run: sudo apt-get install dnsmasq-base")
    with tempfile.TemporaryDirectory(prefix="mininetes-bench-") as directory:
        spec = generated.write(_spec(services), Path(directory) / "spec.yaml")
        with testbed.running(spec, "bench-dns") as running:
            server = _service_ip(running)
            idle = _ask(running, "latency", server, _IDLE_NAME, str(_LOOKUPS))
            progress(f"idle: p50 {_percentile(idle, 50):.2f} ms, p99 {_percentile(idle, 99):.2f} ms")
            client = bulk.client_of(running)
            _fill(client, services)
            lags = _lags(running, client, server, changes)
            progress(f"{services} Services: a record follows after p50 {_percentile(lags, 50):.1f} ms")
            measured = [_rates(running, services, seconds, progress) for _ in range(rounds)]
            full = _ask(running, "latency", server, _IDLE_NAME, str(_LOOKUPS))
    return report(services, {"idle_ms": idle, "full_ms": full, "lag_ms": lags}, statistics.by_arm(measured))


def _spec(services: int) -> list[Object]:
    """The asker on a worker; dnsmasq beside the replicas, on the control-plane node."""
    names = (
        "import sys, ipaddress as i\n"
        f"for n in range({services}):\n"
        f" print(i.IPv4Address('{many_services.cluster_ip(0)}') + n, 'many-%d.{NAMESPACE}.{_ZONE}' % n)"
    )
    serve = "dnsmasq --keep-in-foreground --no-resolv --no-hosts --pid-file --user=root --addn-hosts=/tmp/hosts"
    script = f'python3 -c "{names}" > /tmp/hosts && exec {serve}'
    return [
        generated.cluster("dns", 1),
        _pod(_ASKER, "worker", "sleep", "infinity"),
        _pod(_PEER, "control-plane", "sh", "-c", script),
    ]


def _pod(name: str, node: str, *command: str) -> Object:
    container = {"name": "tools", "image": "nicolaka/netshoot", "command": list(command)}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"nodeName": node, "containers": [container]},
    }  # fmt: skip


def _service_ip(running: Testbed) -> str:
    asked = running.output("kubectl", "get", "service", "-n", "kube-system", "kube-dns", "-o", "json")
    return str(json.loads(asked)["spec"]["clusterIP"])


def _ask(running: Testbed, *arguments: str) -> Any:
    return json.loads(running.exec(_ASKER, *_ASKING, *arguments))


def _headless(number: int) -> Object:
    metadata = {"name": f"peers-{number}", "namespace": NAMESPACE}
    spec = {"clusterIP": "None", "ports": [{"port": many_services.PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _peers(number: int, address: str) -> Object:
    made = many_services.endpoints(number, [address])
    metadata = {**made["metadata"], "name": f"peers-{number}", "labels": {"kubernetes.io/service-name": f"peers-{number}"}}
    return {**made, "metadata": metadata}


def _fill(client: Client, services: int) -> None:
    objects = [many_services.service(number) for number in range(services)]
    objects += [made for number in range(_HEADLESS) for made in (_headless(number), _peers(number, "10.244.1.1"))]
    revision = many_services.apply(client, objects)
    client.wait_realised("controller", revision, _PATIENCE_S)


def _changes(count: int) -> Iterator[tuple[Object, str, str]]:
    """What is written, and which name has which address then: an endpoint that changes, a Service that comes."""
    for number in range(count):
        address = str(_FIRST_FRESH + number)
        if number % 2:
            made = many_services.service(number)
            made["metadata"]["name"], made["spec"]["clusterIP"] = f"fresh-{number}", address
            yield made, f"fresh-{number}.{NAMESPACE}.{_ZONE}", address
        else:
            at = number // 2 % _HEADLESS
            yield _peers(at, address), f"peers-{at}.{NAMESPACE}.{_ZONE}", address


@contextmanager
def _following(running: Testbed, server: str) -> Iterator[subprocess.Popen[str]]:
    argv = (*running.prefix(_ASKER), *_ASKING, "follow", server)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _lags(running: Testbed, client: Client, server: str, count: int) -> list[float]:
    """From before the write to the answer that has it, in ms, one change at a time."""
    samples = []
    with _following(running, server) as asker:
        assert asker.stdin is not None
        assert asker.stdout is not None
        for made, name, address in _changes(count):
            asker.stdin.write(f"{name} {address}\n")
            asker.stdin.flush()
            asker.stdout.readline()
            began = time.monotonic()
            client.apply([made])
            samples.append((float(asker.stdout.readline()) - began) * 1000)
    return samples


def _rates(running: Testbed, services: int, seconds: int, progress: Callable[[str], None]) -> dict[str, float]:
    inventory, pattern = running.inventory(), f"many-%d.{NAMESPACE}.{_ZONE}"
    replica = next(pod for pod in inventory.pods if pod.target.startswith("kube-system/coredns-"))
    found: dict[str, float] = {}
    for arm, machine in (("ours", replica), ("dnsmasq", inventory.find(_PEER))):
        said = _ask(running, "load", str(machine.address(4)), pattern, str(services), str(seconds))
        found |= {f"{arm}_{key}": value for key, value in said.items()}
    progress(", ".join(f"{arm} {value:.0f}" for arm, value in found.items()))
    return found


def _percentile(samples: Sequence[float], percent: int) -> float:
    return quantiles(samples, n=100)[percent - 1]


def report(services: int, times_ms: dict[str, list[float]], rates: dict[str, Samples]) -> Report:
    """The figures out of the samples."""
    again = rates["ours_again_per_s"].over(rates["dnsmasq_again_per_s"])
    # In the rounds after the first, no name is new any more.
    first = rates["ours_first_per_s"].values[0]
    goals = (
        Goal("API write to the record, p99", _percentile(times_ms["lag_ms"], 99), "at most", _LAG_MS, "ms"),
        Goal("queries per second of one replica", rates["ours_again_per_s"].median, "at least", _RATE, "queries/s"),
        Goal("the same, each name for the first time", first, "at least", _RATE, "queries/s"),
        Goal("queries per second over dnsmasq", again.median, "at least", _RATIO, "x"),
        Goal("lookup in an idle cluster, p99", _percentile(times_ms["idle_ms"], 99), "at most", _LATENCY_MS, "ms"),
    )
    raw = {"services": services, **times_ms, **{name: samples.as_json() for name, samples in rates.items()}}
    return Report("dns", goals, raw)
