"""`python -m controller.dump`, run inside a sandbox: what the API says and what the switches hold, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys

from cluster import run_directory
from cluster.client import Client
from cluster.run_directory import API_SOCKET
from controller.desired import WATCHED_KINDS, initial_state


def dump_flows(bridge: str) -> str:
    command = ("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", bridge)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    _, objects = Client(run_directory.inside() / API_SOCKET).objects(WATCHED_KINDS)
    nodes = initial_state(objects).cluster.nodes
    json.dump({"objects": objects, "dumps": {node.name: dump_flows(node.bridge) for node in nodes}}, sys.stdout)


if __name__ == "__main__":
    main()
