"""kill -9 of a testbed's API server amid thousands of concurrent writes: none that it acknowledged is lost, no pod restarts.

What a watcher sees meanwhile is tested without a testbed (tests/unit/test_api_survival.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from threading import Event

import pytest
from manifests import cluster, daemon_set, netexec
from testbeds import COMMAND_TIMEOUT_S, PATIENCE_S, Testbed, started

from cluster.waiting import wait_until
from experiments.api_client import Access, ApiClient, read_access

API = "cluster.server"
PATH = "/api/v1/namespaces/default/configmaps"
WRITES, WRITERS, KILLED_AFTER = 10_000, 20, 300
"""More than a server answers before the kill arrives, which takes a command of its own."""
BROKEN = (OSError, HTTPException)


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with started(cluster(), daemon_set("web", netexec())) as running:
        yield running


def access_of(testbed: Testbed) -> Access:
    return read_access(Path(testbed.mininetes("kubeconfig").output))


def write(access: Access, numbers: range, acknowledged: set[str], ending: Event) -> None:
    """Create objects until the server dies or `ending` is set."""
    client = ApiClient(access)
    for number in numbers:
        if ending.is_set():
            break
        body = {"metadata": {"name": f"cm-{number}"}, "data": {"number": str(number)}}
        try:
            client.send("POST", PATH, json.dumps(body).encode())
        except BROKEN:
            return
        acknowledged.add(f"cm-{number}")
    client.close()


def restarts(client: ApiClient) -> dict[str, int]:
    pods = client.get("/api/v1/namespaces/default/pods")["items"]
    return {
        f"{pod['metadata']['uid']}/{status['name']}/{status['containerID']}": status["restartCount"]
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    }


def test_what_was_acknowledged_is_there_and_no_pod_restarts(testbed: Testbed) -> None:
    access, acknowledged, ending = access_of(testbed), set[str](), Event()
    client = ApiClient(access)
    before = restarts(client)
    client.close()
    assert before
    with ThreadPoolExecutor(WRITERS) as pool:
        for start in range(WRITERS):
            pool.submit(write, access, range(start, WRITES, WRITERS), acknowledged, ending)
        wait_until(lambda: len(acknowledged) >= KILLED_AFTER, COMMAND_TIMEOUT_S, "the first writes")
        old = testbed.kill(API)
        ending.set()
    testbed.wait_for_restart(API, old)
    again = ApiClient(access)
    listed = {obj["metadata"]["name"]: obj["data"] for obj in again.get(PATH)["items"]}
    written = {name: data for name, data in listed.items() if name.startswith("cm-")}
    assert KILLED_AFTER <= len(acknowledged) < WRITES
    assert acknowledged <= written.keys()
    assert all(data == {"number": name.removeprefix("cm-")} for name, data in written.items())
    assert testbed.mininetes("sync", "--timeout", f"{PATIENCE_S:g}").status == 0
    assert restarts(again) == before
