"""A node that is switched off, and on again: `mininetes fault node`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from manifests import Object, cluster, deployment, netexec, pod, shell, tools
from testbeds import PATIENCE_S, Testbed, is_ready, started

from topo.waiting import wait_until

AGENT = "topo.agent"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """`stays` and `bound` can only be on `worker`; the Deployment's pods can be elsewhere."""
    forever = [{"operator": "Exists"}]
    stays = pod("stays", shell("echo up; exec sleep infinity"), nodeName="worker", tolerations=forever)
    bound = pod("bound", tools(), nodeName="worker")
    watcher = pod("watcher", tools(), nodeName="worker2")
    with started(cluster(), stays, bound, watcher, deployment("web", 4, netexec())) as running:
        yield running


def node_ready(testbed: Testbed, name: str) -> bool:
    _, nodes = testbed.client.objects(["Node"])
    node = next(node for node in nodes if node["metadata"]["name"] == name)
    return any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"]["conditions"])


def ready_pods(testbed: Testbed) -> list[Object]:
    """The Deployment's pods that are ready and not about to end."""
    _, pods = testbed.client.objects(["Pod"])
    ours = [each for each in pods if each["metadata"]["name"].startswith("web-")]
    return [each for each in ours if is_ready(each) and "deletionTimestamp" not in each["metadata"]]


def pings(testbed: Testbed, address: str) -> bool:
    return testbed.exec("watcher", "ping", "-c", "1", "-W", "1", address).status == 0


def address_of(testbed: Testbed, node: str) -> str:
    nodes = json.loads(testbed.mininetes("status", "-o", "json").output)["nodes"]
    return str(next(each["ips"][0] for each in nodes if each["name"] == node))


def test_an_unknown_node(testbed: Testbed) -> None:
    done = testbed.user.mininetes("fault", "node", "--name", testbed.name, "nobody", "off")
    assert done.status == 2
    assert "there is no node 'nobody' (have: control-plane, worker, worker2)" in done.stderr


def test_off_and_on(testbed: Testbed) -> None:
    address = address_of(testbed, "worker")
    before = testbed.process_ids("^sleep infinity")
    assert pings(testbed, address)
    assert any(each["spec"]["nodeName"] == "worker" for each in ready_pods(testbed))
    testbed.user.mininetes("fault", "node", "--name", testbed.name, "worker", "off").output  # noqa: B018

    wait_until(lambda: not node_ready(testbed, "worker"), PATIENCE_S, "the node to be NotReady")
    assert len(testbed.process_ids("^sleep infinity")) == len(before) - 2, "its processes have not all died"
    assert not pings(testbed, address)

    def moved() -> bool:
        pods = ready_pods(testbed)
        return len(pods) == 4 and all(each["spec"]["nodeName"] != "worker" for each in pods)

    wait_until(moved, PATIENCE_S, "the pods to be elsewhere")

    # An agent that is started again keeps it off.
    old = testbed.kill(AGENT)
    testbed.wait_for_restart(AGENT, old)
    testbed.client.apply([pod("later", tools(), nodeName="worker2")])
    testbed.wait_for_pod("later", is_ready, "Ready")
    assert not node_ready(testbed, "worker")
    assert len(testbed.process_ids("^sleep infinity")) == len(before) - 1, "it was to start one, and nothing else"
    assert not pings(testbed, address)

    testbed.user.mininetes("fault", "node", "--name", testbed.name, "worker", "on").output  # noqa: B018
    wait_until(lambda: node_ready(testbed, "worker"), PATIENCE_S, "the node to be Ready")
    assert pings(testbed, address)
    testbed.wait_for_pod("stays", lambda obj: is_ready(obj) and restarts(obj) == 1, "Ready again")
    assert testbed.log("stays", run=1) == "up\n"
    # What was to go meanwhile has gone.
    wait_until(lambda: "bound" not in testbed.pods(), PATIENCE_S, "the end of what was evicted")
    assert len(ready_pods(testbed)) == 4


def restarts(obj: Object) -> int:
    return int(obj["status"]["containerStatuses"][0]["restartCount"])
