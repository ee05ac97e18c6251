"""`python -m controller.dump`, run inside a sandbox: what the API says and what the switches hold, as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cluster.client import Client
from controller.desired import WATCHED_KINDS, initial_state

RUN_DIRECTORY = "/run/mininetes"
"""Where every sandbox has its run directory, unless MININETES_RUN says otherwise."""


def dump_flows(bridge: str) -> str:
    command = ("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", bridge)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    run = Path(os.environ.get("MININETES_RUN", RUN_DIRECTORY))
    _, objects = Client(run / "api.sock").objects(WATCHED_KINDS)
    nodes = initial_state(objects).cluster.nodes
    json.dump({"objects": objects, "dumps": {node.name: dump_flows(node.bridge) for node in nodes}}, sys.stdout)


if __name__ == "__main__":
    main()
