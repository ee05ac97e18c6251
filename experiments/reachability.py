"""Whether a large testbed's pods reach each other, by a sample: one pod of every node opens TCP connections.

All pairs of 2,000 pods would be four million connections, and even a pod per node towards all nodes is ten thousand,
each set up by one thread of the userspace datapath. Every node's first pod towards the next few nodes in turn leaves
and enters every node; towards its neighbour it crosses every node's switch.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from experiments.generated import SERVER_PORT
from experiments.testbed import Machine, Testbed

_TIMEOUT_S = 5
_NEXT_NODES = 3
_CONNECT = f"""
import json, socket, sys
def reaches(address):
    try:
        socket.create_connection((address, {SERVER_PORT}), {_TIMEOUT_S}).close()
        return True
    except OSError:
        return False
print(json.dumps([address for address in sys.argv[1:] if not reaches(address)]))
"""


def sample(pods: Sequence[Machine]) -> list[tuple[Machine, list[Machine]]]:
    """(from, to…) for the first pod of every node that has anyone to talk to."""
    by_node: dict[str, list[Machine]] = defaultdict(list)
    for pod in pods:
        by_node[pod.node].append(pod)
    firsts = [on_node[0] for on_node in by_node.values()]
    plan = []
    for number, first in enumerate(firsts):
        following = [*firsts[number + 1 :], *firsts[:number]]
        plan.append((first, [*following[:_NEXT_NODES], *by_node[first.node][1:2]]))
    return [(first, others) for first, others in plan if others]


def unreached(testbed: Testbed, plan: Sequence[tuple[Machine, Sequence[Machine]]]) -> list[str]:
    """The pairs of the plan that no connection was made between."""
    failures: list[str] = []
    for client, servers in plan:
        names = {str(server.address(None)): server.target for server in servers}
        answer = json.loads(testbed.exec(client.target, "python3", "-c", _CONNECT, *names))
        failures += [f"{client.target} -> {names[address]}" for address in answer]
    return failures
