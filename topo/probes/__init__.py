"""Readiness, liveness and startup probes, as the kubelet makes them.

    spec        what a container's manifest asks for
    state       what a row of results means: thresholds, and the three probes of a container together. Pure
    schedule    which probe is due when, for thousands of containers. Pure
    checks      one attempt, made from the node's namespace
    grpc_client one grpc.health.v1.Health/Check, as bytes
    prober      the loop that makes the attempts when they are due
    thread      that loop in a thread of its own
"""

from topo.probes.checks import Target, check
from topo.probes.prober import Prober
from topo.probes.schedule import Schedule
from topo.probes.spec import (
    ContainerProbes,
    Exec,
    Grpc,
    HttpGet,
    Probe,
    ProbeKind,
    TcpSocket,
    grace_s_of,
    handler_of,
    probes_of,
)
from topo.probes.state import Health, ProbeState, Result
from topo.probes.thread import ProbingThread, initial

__all__ = [
    "ContainerProbes",
    "Exec",
    "Grpc",
    "Health",
    "HttpGet",
    "Probe",
    "ProbeKind",
    "ProbeState",
    "Prober",
    "ProbingThread",
    "Result",
    "Schedule",
    "Target",
    "TcpSocket",
    "check",
    "grace_s_of",
    "handler_of",
    "initial",
    "probes_of",
]
