"""`python -m topo.kubelet`: serve until SIGTERM. $MININETES_RUN names the run directory."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from pathlib import Path

from cluster.reading.config import resolve
from cluster.run_directory import API_TLS_SOCKET, KUBELET_SOCKET, RUN_VARIABLE, SEED, listen
from topo import limits
from topo.kubelet import api_port
from topo.kubelet.server import Server


async def run(directory: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(directory, resolve(json.loads((directory / SEED).read_text())["cluster"]))
    async with await asyncio.start_unix_server(server.serve, sock=listen(directory / KUBELET_SOCKET)):
        port = asyncio.create_task(
            api_port.listen(server.control_plane_namespace, server.control_plane.addresses, directory / API_TLS_SOCKET)
        )
        port.add_done_callback(lambda done: stop.set() if not done.cancelled() and done.exception() else None)
        await stop.wait()
        if port.done():
            port.result()  # what went wrong with it ends this process, and init starts it anew
        port.cancel()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # Two or three descriptors for every stream.
    limits.raise_open_files()
    asyncio.run(run(Path(os.environ[RUN_VARIABLE])))


if __name__ == "__main__":
    main()
