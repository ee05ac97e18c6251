"""A node dies under a load balancer's load: requests fail for a second at most, and none after that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import manifests
from testbeds import Testbed

from topo.waiting import wait_until

RATE, BEFORE_S, AFTER_S = 40, 1.5, 4.0
OUTAGE_S = 1.0
_LOAD = """
import json, socket, sys, threading, time
host, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
began, failed, threads = time.time(), [], []
def ask(at):
    try:
        with socket.create_connection((host, 80), 0.4) as connection:
            connection.settimeout(0.4)
            connection.sendall(b"GET /hostname HTTP/1.0\\r\\n\\r\\n")
            if not connection.recv(4096).startswith(b"HTTP/1"):
                failed.append(at)
    except OSError:
        failed.append(at)
for number in range(int(rate * seconds)):
    time.sleep(max(0, began + number / rate - time.time()))
    threads.append(threading.Thread(target=ask, args=(time.time(),)))
    threads[-1].start()
for thread in threads:
    thread.join()
print(json.dumps({"failed": sorted(failed), "made": len(threads)}))
"""


def balanced() -> manifests.Object:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }  # fmt: skip


def test_a_node_dies_under_load(testbed: Callable[..., AbstractContextManager[Testbed]]) -> None:
    objects = (manifests.cluster(workers=2, clients=1), manifests.daemon_set("web", manifests.netexec()), balanced())
    with testbed(*objects) as running:
        host = "172.18.254.1"
        answers = ("curl", "-s", "-m", "1", "-o", "/dev/null", f"http://{host}/hostname")
        wait_until(lambda: running.exec("client/client1", *answers).status == 0, 30, "the load balancer to answer")
        argv = ("python3", "-c", _LOAD, host, str(RATE), str(BEFORE_S + AFTER_S))
        with running.running("client/client1", *argv) as load:
            time.sleep(BEFORE_S)  # under load, before anything happens
            died = time.time()
            running.user.mininetes("fault", "node", "worker2", "off", "--name", running.name).output  # noqa: B018
            said, errors = load.communicate(timeout=60)
        found = json.loads(said or errors)
        assert found["made"] == RATE * (BEFORE_S + AFTER_S)
        assert found["failed"], "nothing was sent to the node that died"
        first, last = found["failed"][0], found["failed"][-1]
        print(f"{len(found['failed'])} of {found['made']} requests failed, begun within {last - first:.2f} s")
        assert first >= died - 0.4
        assert last - first <= OUTAGE_S, found
