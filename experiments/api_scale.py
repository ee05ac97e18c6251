"""bench api, with a testbed: one Deployment scaled from 10 to 500 pods, beside a testbed that boots with 490."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cluster.waiting import wait_until
from experiments import generated, memory, testbed
from experiments.api_client import ApiClient, read_access
from experiments.generated import Size

_NAME = "scaled"
_BEFORE, _AFTER = 10, 500
_WORKERS = 10
_TIMEOUT_S = 120.0
_DEPLOYMENT = f"/apis/apps/v1/namespaces/default/deployments/{_NAME}"


def measure(progress: Callable[[str], None]) -> dict[str, float]:
    """Seconds of both: until every pod is ready. Raises CommandError, Timeout."""
    with tempfile.TemporaryDirectory(prefix="mininetes-bench-") as directory:
        progress(f"a testbed of {_AFTER - _BEFORE} pods")
        boot_s = _boot(Path(directory))
        progress(f"scaling {_BEFORE} to {_AFTER}")
        scale_s = _scale(Path(directory))
    progress(f"  boot {boot_s:.3g} s, scale {scale_s:.3g} s")
    return {"boot_s": boot_s, "scale_s": scale_s}


def _boot(directory: Path) -> float:
    size = Size(_WORKERS, (_AFTER - _BEFORE) // _WORKERS)
    spec = generated.write(generated.of_size(size), directory / "boot.yaml")
    memory.settled_bytes()
    began = time.monotonic()
    with testbed.running(spec, "bench-api"):
        return time.monotonic() - began


def _scale(directory: Path) -> float:
    objects = [generated.cluster(_NAME, _WORKERS), generated.deployment(_NAME, _BEFORE)]
    spec = generated.write(objects, directory / "scale.yaml")
    memory.settled_bytes()
    with testbed.running(spec, "bench-api") as running:
        client = ApiClient(read_access(Path(running.output("kubeconfig").strip())))
        began = time.monotonic()
        patch = json.dumps({"spec": {"replicas": _AFTER}}).encode()
        client.send("PATCH", f"{_DEPLOYMENT}/scale", patch, "application/merge-patch+json")
        wait_until(lambda: _ready(client) >= _AFTER, _TIMEOUT_S, f"{_AFTER} ready pods")
        took_s = time.monotonic() - began
        client.close()
        return took_s


def _ready(client: ApiClient) -> int:
    ready: int = client.get(_DEPLOYMENT).get("status", {}).get("readyReplicas", 0)
    return ready
