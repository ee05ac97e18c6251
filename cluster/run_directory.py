"""What is where in a testbed's run directory, and which variables tell its processes; for everybody who looks there."""

from __future__ import annotations

RUN_VARIABLE = "MININETES_RUN"
"""The run directory."""
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
