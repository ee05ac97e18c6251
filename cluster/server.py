"""The API server: `python -m cluster.server`. The store and the control loops behind HTTP on a Unix socket.

The directory in $MININETES_RUN holds its socket and its store; docs/architecture.md describes the requests. Watchers
and `sync` are woken by every write and read the store's history themselves, so a slow one holds up nobody.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from cluster.api import Api, application
from cluster.config import resolve
from cluster.loops import ControlPlane
from cluster.nodes import cluster_document
from cluster.problems import SpecError
from cluster.store import Store

RUN_VARIABLE = "MININETES_RUN"
SOCKET_NAME = "api.sock"
STORE_NAME = "store.sqlite"

SHUTDOWN_TIMEOUT_S = 2
"""Streams end by themselves at shutdown; a client that does not read must not hold it up."""

BACKLOG = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM. Exit status 2, with every problem on stderr, when the seed is wrong or missing."""
    parser = argparse.ArgumentParser(prog="python -m cluster.server", description=__doc__)
    parser.add_argument("--fd", type=int, help="a listening Unix socket, open in this process")
    parser.add_argument("--seed", type=Path, help='{"cluster": document, "objects": […]} for an empty store')
    options = parser.parse_args(arguments)
    run = Path(os.environ[RUN_VARIABLE])
    store = Store(run / STORE_NAME)
    try:
        plane = control_plane(store, options.seed)
    except SpecError as error:
        print(error, file=sys.stderr)
        return SpecError.exit_status
    listener = _listen(run / SOCKET_NAME) if options.fd is None else socket.socket(fileno=options.fd)
    serve(plane, listener)
    store.close()
    return 0


def control_plane(store: Store, seed: Path | None) -> ControlPlane:
    """The control plane of this store, filled from the seed if it is empty. Raises SpecError."""
    clusters = store.list(["Cluster"])
    if clusters:
        return ControlPlane(store, resolve(cluster_document(clusters[0])))
    if seed is None:
        raise SystemExit("the store is empty: --seed FILE.json must name the cluster")
    content = json.loads(seed.read_bytes())
    plane = ControlPlane(store, resolve(content["cluster"]))
    plane.found(content["cluster"], content["objects"])
    return plane


def serve(plane: ControlPlane, listener: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT."""
    api = Api(plane)
    config = uvicorn.Config(
        application(api),
        access_log=False,
        interface="asgi3",
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        ws="none",
    )
    _Server(config, api).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, api: Api) -> None:
        super().__init__(config)
        self._api = api

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own: the signal is not raised again afterwards, since a requested end is no failure."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._api.stop()
        super().handle_exit(sig, frame)


def _listen(path: Path) -> socket.socket:
    """A socket that only its owner can connect to. One that a killed server left behind is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return listener


if __name__ == "__main__":
    sys.exit(main())
