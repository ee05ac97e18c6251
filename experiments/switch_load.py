"""Run inside a sandbox: how long until every switch is programmed again after flows, groups and controller are gone,
and how long `ovs-ofctl --bundle` takes to load the same. Prints JSON.

    python -m experiments.switch_load
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

CONTROLLER = "controller.app"
_TIMEOUT_S = 120.0
_POLL_S = 0.02
_OFCTL = ("ovs-ofctl", "-O", "OpenFlow13")


def _run(*argv: str, text: str | None = None) -> str:
    return subprocess.run(argv, input=text, check=True, capture_output=True, text=True).stdout


def _controller() -> int | None:
    found = subprocess.run(("pgrep", "-f", f"{CONTROLLER}"), capture_output=True, text=True).stdout.split()
    return int(found[0]) if found else None


def _flow_count(bridge: str) -> int:
    found = re.search(r"flow_count=(\d+)", _run(*_OFCTL, "dump-aggregate", bridge))
    return int(found[1]) if found else 0


def _clear(bridges: list[str]) -> None:
    for bridge in bridges:
        _run(*_OFCTL, "del-flows", bridge)
        _run(*_OFCTL, "del-groups", bridge)


def _until(condition: object, what: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(_POLL_S)


def main() -> None:
    bridges = _run("ovs-vsctl", "list-br").split()
    counts = {bridge: _flow_count(bridge) for bridge in bridges}
    flows = {bridge: _run(*_OFCTL, "--no-stats", "dump-flows", bridge) for bridge in bridges}
    groups = {bridge: _run(*_OFCTL, "dump-groups", bridge).partition("\n")[2] for bridge in bridges}
    old = _controller()
    assert old is not None, "no controller runs"
    os.kill(old, signal.SIGKILL)
    _clear(bridges)
    _until(lambda: _controller() not in (None, old), "another controller")
    began = time.monotonic()
    _until(lambda: all(_flow_count(bridge) >= counts[bridge] for bridge in bridges), "all flows back")
    installed_s = time.monotonic() - began
    resident = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{_controller()}/status").read_text())
    _clear(bridges)
    began = time.monotonic()
    for bridge in bridges:
        _run(*_OFCTL, "add-groups", bridge, "-", text=groups[bridge])
        _run(*_OFCTL, "--bundle", "add-flows", bridge, "-", text=flows[bridge])
    floor_s = time.monotonic() - began
    memory = int(resident[1]) * 1024 if resident else 0
    print(json.dumps({"installed_s": installed_s, "floor_s": floor_s, "memory_bytes": memory, "flows": counts}))


if __name__ == "__main__":
    main()
