"""What is where in a testbed's run directory, and which variables tell its processes; for everybody who looks there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

RUN_VARIABLE = "MININETES_RUN"
"""The run directory."""
INSIDE = "/run/mininetes"
"""Where every sandbox has its own."""
NAME_VARIABLE = "MININETES_NAME"
"""The testbed's name."""

API_SOCKET = "api.sock"
"""The internal API, and Kubernetes' for the testbed's owner."""
API_TLS_SOCKET = "apiserver.sock"
"""The Kubernetes API over TLS, for port 6443 of the control-plane node."""
KUBELET_SOCKET = "kubelet.sock"
RESPONDER_SOCKET = "responder.sock"
RUNTIME_SOCKET = "runtime.sock"

SEED = "seed.json"
"""The cluster document and the objects that an empty store starts with."""
STORE = "store.sqlite"
PKI = "pki"
KUBECONFIG = "kubeconfig"

_ONLY_THE_OWNER = 0o177
"""As a umask."""
_BACKLOG = 128


def inside() -> Path:
    """The run directory, for a program that was put into a sandbox; the variable says so where it is another."""
    return Path(os.environ.get(RUN_VARIABLE, INSIDE))


def listen(path: Path) -> socket.socket:
    """A Unix socket that only its owner can connect to. One that a killed process left behind is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_ONLY_THE_OWNER)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener
API_PORT_VARIABLE = "MININETES_API_PORT"
"""The environment variable that names the port where the API server is to listen, if it is free and the cluster names
none: in a virtual machine, the one that the host forwards."""
