"""The API server: `python -m cluster.server`. The store and the control loops behind HTTP.

The directory in $MININETES_RUN holds its sockets and its store; docs/architecture.md describes the requests. The
testbed's own components come over `api.sock`; everybody else over TLS, on a listening socket that was handed in and on
`apiserver.sock`, which the kubelet gives to port 6443 of the control-plane node.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster import seed
from cluster.api import Api, application
from cluster.apiserver import kubeconfig, pki
from cluster.apiserver.app import KubernetesApi, both
from cluster.apiserver.serving import Server, tls_context
from cluster.loops import ControlPlane
from cluster.nodes import cluster_document
from cluster.problems import SpecError
from cluster.reading.config import resolve
from cluster.run_directory import (
    API_SOCKET,
    API_TLS_SOCKET,
    KUBECONFIG,
    NAME_VARIABLE,
    PKI,
    RUN_VARIABLE,
    STORE,
    listen,
)
from cluster.settling import Settling
from cluster.store import Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM. Exit status 2, with every problem on stderr, when the seed is wrong or missing."""
    parser = argparse.ArgumentParser(prog="python -m cluster.server", description=__doc__)
    parser.add_argument("--fd", type=int, help="a listening Unix socket, open in this process")
    parser.add_argument("--tls-fd", type=int, help="a listening TCP socket, open in this process, to answer over TLS")
    parser.add_argument("--seed", type=Path, help='{"cluster": document, "objects": […]} for an empty store')
    options = parser.parse_args(arguments)
    run = Path(os.environ[RUN_VARIABLE])
    # Before the rest of the start: whoever comes meanwhile is in the queue, and need not come again.
    listener = listen(run / API_SOCKET) if options.fd is None else socket.socket(fileno=options.fd)
    store = Store(run / STORE)
    try:
        plane = control_plane(store, options.seed)
    except SpecError as error:
        print(error, file=sys.stderr)
        return SpecError.exit_status
    public = None if options.tls_fd is None else socket.socket(fileno=options.tls_fd)
    serve(plane, run, listener, public)
    store.close()
    return 0


def control_plane(store: Store, file: Path | None) -> ControlPlane:
    """The control plane of this store, filled from the seed, a file, if it is empty. Raises SpecError."""
    clusters = store.list(["Cluster"])
    if clusters:
        return ControlPlane(store, resolve(cluster_document(clusters[0])))
    if file is None:
        raise SystemExit("the store is empty: --seed FILE.json must name the cluster")
    content = seed.read(file)
    plane = ControlPlane(store, resolve(content.cluster_document))
    plane.found(content.cluster_document, content.objects)
    return plane


def serve(plane: ControlPlane, run: Path, listener: socket.socket, public: socket.socket | None) -> None:
    """Answer requests until SIGTERM or SIGINT."""
    settling = Settling(plane)
    internal, kubernetes = Api(plane, settling), KubernetesApi(plane, settling, run)

    def stop() -> None:
        internal.stop()
        kubernetes.stop()

    async def open_to_others(server: Server) -> None:
        """Kept out of the way of the components' first requests: keys may have to be made, and that takes a while."""
        settling.notify()  # what was given at the start, or what a server that was killed left to be done
        host, port = public.getsockname()[:2] if public is not None else ("127.0.0.1", 0)
        names = pki.server_names(plane.cluster, host)
        keys = await asyncio.get_running_loop().run_in_executor(None, pki.ensure, run / PKI, names)
        kubernetes.authenticate_with(keys)
        tls_sockets = [listen(run / API_TLS_SOCKET), *([] if public is None else [public])]
        await server.add_tls(tls_sockets, tls_context(keys))
        if public is not None:
            name = os.environ.get(NAME_VARIABLE, plane.cluster.name)
            pki.write_private(run / KUBECONFIG, kubeconfig.text(name, host, port, keys))

    Server(both(application(internal), kubernetes), stop, open_to_others).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
