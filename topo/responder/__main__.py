"""`python -m topo.responder`: serve until SIGTERM. $MININETES_RUN names the run directory."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
from pathlib import Path

from cluster.run_directory import API_SOCKET, RESPONDER_SOCKET, RUN_VARIABLE
from topo.responder.control import Control
from topo.responder.names import Names


async def run(directory: Path) -> None:
    """Serve until SIGTERM or SIGINT; the control socket and the API's are in `directory`."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    names = Names(directory / API_SOCKET)
    async with Control(directory / RESPONDER_SOCKET, names):
        await stop.wait()
    names.stop()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    # One descriptor per server and per connection.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(run(Path(os.environ[RUN_VARIABLE])))


if __name__ == "__main__":
    main()
