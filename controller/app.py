"""`python -m controller.app`: the Ryu application. Watches the API, programs every switch, tells what is realised.

A dead controller costs no connection: no packet of one is ever sent to it (what nodes answer to the edge is, decision 015).
Restarted, it reads what the switches hold and sends only what differs.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
from pathlib import Path
from typing import Any

from cluster.client import Client
from cluster.run_directory import API_SOCKET, RUN_VARIABLE
from controller import framework
from controller.desired import WATCHED_KINDS
from controller.realiser import Realiser

LOG = logging.getLogger("controller.app")

COMPONENT = "controller"
OFP_TCP_PORT = 6653
"""IANA's port for OpenFlow."""
GC_THRESHOLD = 500_000


def _post_reports(client: Client, reports: Any) -> None:
    """Tell the API of the reports of a queue, in a thread of its own: a slow server must not hold up a switch. Only the
    newest counts."""
    while True:
        revision, detail = reports.get()
        while not reports.empty():
            revision, detail = reports.get()
        client.observed(COMPONENT, revision, detail)
        LOG.info(
            "revision %d realised; sent %d flow-mods, received %d packet-ins, %d refused",
            *(revision, detail["flow_mods_sent"], detail["packet_ins"], len(detail["refused"])),
        )


def _watch(client: Client, application: framework.Application) -> None:
    for batch in client.watch(WATCHED_KINDS):
        application.post(batch)


def _ending(function: Any, *arguments: object) -> None:
    """What may not end while the process goes on: whoever supervises it starts it again."""
    try:
        function(*arguments)
    finally:
        LOG.exception("%s ended", function.__name__)
        logging.shutdown()
        os._exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="controller.app", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on for switches")
    parser.add_argument("--port", type=int, default=OFP_TCP_PORT, help="TCP port to listen on for switches")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # State lives long and has no cycles; to look for some at every 700th new object took 2/3 of a large compilation.
    gc.set_threshold(GC_THRESHOLD)
    client = Client(Path(os.environ[RUN_VARIABLE]) / API_SOCKET)
    reports = framework.Queue()
    realiser = Realiser(
        lambda revision, detail: reports.put((revision, detail)),
        lambda delay_s, item: framework.spawn_after(delay_s, application.post, item),
    )
    application = framework.start(realiser, arguments.host, arguments.port)
    LOG.info("%s listens on %s:%d", framework.NAME, arguments.host, arguments.port)
    framework.spawn(_ending, _post_reports, client, reports)
    _ending(_watch, client, application)


if __name__ == "__main__":
    main()
