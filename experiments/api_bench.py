"""bench api: what the API server does per second, how late watchers hear of it, what it weighs; beside SQLite alone.

The server runs without a testbed, so that nothing else takes the machine's time; every round has a fresh one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from cluster.waiting import wait_until
from experiments import api_floor, api_scale, generated, statistics
from experiments.api_client import Access, ApiClient, LoneServer, lone_server
from experiments.goals import Goal, Report
from experiments.isolated import READY
from experiments.statistics import Samples
from experiments.testbed import CommandError

PODS = 1_000
OBJECTS = 10_000
WATCHERS = 20
_WRITERS = 2
_WORKERS = 100
"""Nodes of the cluster that the server keeps: room for all pods."""
_WRITES_PER_S, _DELIVERY_MS, _MEMORY_MB, _SCALE_FACTOR = 500.0, 50.0, 300.0, 2.0
_PERCENTILE = 0.99
_PODS = "/api/v1/namespaces/default/pods"
_CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
_DELIVERY_TIMEOUT_S = 10.0

Progress = Callable[[str], None]


def run(rounds: int, objects: int, scale: bool, progress: Progress) -> Report:
    """Raises CommandError when a request fails."""
    measured: list[dict[str, float]] = []
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        measured.append(_round(objects))
        progress("  " + ", ".join(f"{arm} {value:.3g}" for arm, value in measured[-1].items()))
    scaled = api_scale.measure(progress) if scale else None
    return report(statistics.by_arm(measured), objects, scaled)


def _round(objects: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="mininetes-bench-") as directory:
        run_folder = Path(directory)
        pods = [pod(f"pod-{number}") for number in range(PODS)]
        floor = api_floor.measure(run_folder / "floor.sqlite", pods, WATCHERS)
        with lone_server(run_folder, generated.cluster("bench-api", _WORKERS)) as server:
            result = {**_watched(server, pods), **_listed(server), **_sustained(server, objects - PODS)}
            result["memory_bytes"] = float(server.memory_bytes())
    return {**result, **{f"floor_{arm}": value for arm, value in floor.items()}}


def pod(name: str) -> dict[str, Any]:
    container = {"name": "main", "image": "registry.k8s.io/pause:3.9", "ports": [{"containerPort": 8080}]}
    labels = {"app": "bench"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container]},
    }


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": "x" * 500}}


def _watched(server: LoneServer, pods: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Create pods one after the other, with watchers; when each heard of each, from the request's first byte."""
    sent: dict[str, float] = {}
    client = ApiClient(server.access)
    with _watchers(server) as arrivals:
        began = time.monotonic()
        for one in pods:
            sent[one["metadata"]["name"]] = time.monotonic()
            client.send("POST", _PODS, json.dumps(one).encode())
        create_s = time.monotonic() - began
        client.close()
    delays = [arrived[name] - at for arrived in arrivals for name, at in sent.items() if name in arrived]
    if len(delays) < len(pods) * WATCHERS:
        raise CommandError(f"watchers received {len(delays)} of {len(pods) * WATCHERS} events")
    return {
        "create_s": create_s,
        "delivery_p50_s": quantile(delays, 0.5),
        "delivery_p99_s": quantile(delays, _PERCENTILE),
    }


@contextmanager
def _watchers(server: LoneServer) -> Iterator[list[dict[str, float]]]:
    """The list fills when the context ends."""
    argv = (sys.executable, "-m", "experiments.api_watchers", str(server.kubeconfig), str(WATCHERS))
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    arrivals: list[dict[str, float]] = []
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise CommandError("the watchers could not connect")
        yield arrivals
        time.sleep(_SETTLE_S)
        arrivals += json.loads(process.communicate()[0])["arrivals"]
    finally:
        process.kill()
        process.wait()


_SETTLE_S = 1.0
"""After the last write: events that are later than this count as lost."""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _listed(server: LoneServer) -> dict[str, float]:
    client = ApiClient(server.access)
    began = time.monotonic()
    answer = client.send("GET", _PODS)
    list_s = time.monotonic() - began
    client.close()
    found = len(json.loads(answer)["items"])
    if found != PODS:
        raise CommandError(f"listed {found} of {PODS} pods")
    return {"list_s": list_s}


def _sustained(server: LoneServer, count: int) -> dict[str, float]:
    """So many creations, pods and config maps in turn, by several writers at a time; then all of them must be there."""
    access, failures = server.access, list[Exception]()
    shares = [range(start, count, _WRITERS) for start in range(_WRITERS)]
    threads = [Thread(target=_write, args=(access, share, failures)) for share in shares]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.monotonic() - began
    if failures:
        raise failures[0]
    client = ApiClient(access)
    wait_until(lambda: _counted(client) >= PODS + count, _DELIVERY_TIMEOUT_S, f"{count} objects")
    client.close()
    return {"writes_per_s": count / took_s}


def _counted(client: ApiClient) -> int:
    listings = [client.get(f"{path}?limit=1") for path in (_PODS, _CONFIG_MAPS)]
    return sum(len(one["items"]) + int(one["metadata"].get("remainingItemCount", 0)) for one in listings)


def _write(access: Access, numbers: range, failures: list[Exception]) -> None:
    client = ApiClient(access)
    try:
        for number in numbers:
            is_pod = number // _WRITERS % 2 == 0
            path, make = (_PODS, pod) if is_pod else (_CONFIG_MAPS, config_map)
            client.send("POST", path, json.dumps(make(f"more-{number}")).encode())
    except (CommandError, OSError) as error:
        failures.append(error)
    finally:
        client.close()


def report(arms: Mapping[str, Samples], objects: int, scaled: Mapping[str, float] | None) -> Report:
    """The figures out of the samples. Arms as `_round` names them."""
    pods_per_s = PODS / arms["create_s"].median
    goals = [
        Goal("sustained writes", arms["writes_per_s"].median, "at least", _WRITES_PER_S, "/s"),
        Goal(f"pods created with {WATCHERS} watchers", pods_per_s, "at least", _PODS_PER_S, "/s"),
        Goal("watch delivery p99", arms["delivery_p99_s"].median * 1000, "at most", _DELIVERY_MS, "ms"),
        Goal(f"memory at {objects} objects", arms["memory_bytes"].median / 1e6, "at most", _MEMORY_MB, "MB"),
    ]
    if scaled is not None:
        factor = scaled["scale_s"] / scaled["boot_s"]
        goals.append(Goal("scale 10 to 500 over boot of 490", factor, "at most", _SCALE_FACTOR, "x"))
    derived = {
        "create_over_floor": arms["create_s"].over(arms["floor_create_s"]),
        "list_over_floor": arms["list_s"].over(arms["floor_list_s"]),
    }
    raw: dict[str, Any] = {name: samples.as_json() for name, samples in {**arms, **derived}.items()}
    raw |= {"pods": PODS, "objects": objects, "watchers": WATCHERS, "scale": dict(scaled) if scaled else None}
    return Report("api", tuple(goals), raw)


_PODS_PER_S = 100.0
"""A Deployment of 100 replicas is written in a second, with everybody watching."""
