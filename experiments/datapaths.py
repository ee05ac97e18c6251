"""The same cluster on the userspace and on the kernel datapath of one machine, which has both: what a start takes, what
a connection carries, how many there are a second. Run as a program: `mininetes vm -- python -m experiments.datapaths`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cluster.commands import print_table
from experiments import connections, generated, iperf, paths, testbed
from experiments.testbed import Testbed

DATAPATHS = ("userspace", "kernel")
_ROUNDS = 3
_PORT = 9100
_IPERF_S = 3
_CONNECTING_S = 2.0
_WORKERS, _PODS = 2, 4


def spec(datapath: str) -> str:
    """Two workers with two pods each, as JSON documents."""
    document = generated.cluster("datapaths", _WORKERS)
    document["network"]["datapath"] = datapath
    return "\n---\n".join(json.dumps(each) for each in (document, generated.deployment("web", _PODS)))


def measure(datapath: str, folder: Path) -> dict[tuple[str, str], list[float]]:
    """(what, unit) -> samples."""
    file = folder / f"{datapath}.yaml"
    file.write_text(spec(datapath))
    began = time.monotonic()
    with testbed.running(file, "datapaths") as running:
        samples = {("start of the cluster", "s"): [time.monotonic() - began]}
        for path in paths.quick_look(running.inventory(), None):
            samples[f"iperf3, {path.kind}", "Gbit/s"] = _throughput(running, path)
            samples[f"connections, {path.kind}", "1/s"] = _connections(running, path)
    return samples


def _throughput(running: Testbed, path: paths.Path) -> list[float]:
    ends = running.prefix(path.server.target), running.prefix(path.client.target)
    options = iperf.Options(_IPERF_S, False, None, 1, False)
    return [iperf.measure(*ends, path.server.address(None), options).gbps for _ in range(_ROUNDS)]


def _connections(running: Testbed, path: paths.Path) -> list[float]:
    address = str(path.server.address(None))
    with connections.served(running.prefix(path.server.target), address, _PORT):
        client = running.prefix(path.client.target)
        return [connections.per_second(client, address, _PORT, _CONNECTING_S) for _ in range(_ROUNDS)]


def table(measured: dict[str, dict[tuple[str, str], list[float]]]) -> list[tuple[Any, ...]]:
    """A row per figure, a column per datapath: medians."""
    whats = next(iter(measured.values()))
    return [(what, unit, *(f"{median(measured[each][what, unit]):.4g}" for each in measured)) for what, unit in whats]


def main(datapaths: Sequence[str]) -> None:
    testbed.exit_on_sigterm()
    with tempfile.TemporaryDirectory() as folder:
        measured = {datapath: measure(datapath, Path(folder)) for datapath in datapaths}
    print_table(("WHAT", "UNIT", *(datapath.upper() for datapath in datapaths)), table(measured))
    print(json.dumps({each: {what: samples for (what, _), samples in found.items()} for each, found in measured.items()}))


if __name__ == "__main__":
    main(sys.argv[1:] or DATAPATHS)
