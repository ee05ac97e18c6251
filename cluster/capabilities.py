"""What a container may do (capabilities(7)): what container runtimes grant, and never enough to undo the sandbox: no
mounting, no device nodes, no kernel modules, no tracing of processes with more rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.objects import ATTACHMENT_ANNOTATION, annotation

NUMBERS: Mapping[str, int] = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "NET_BIND_SERVICE": 10, "NET_ADMIN": 12, "NET_RAW": 13, "IPC_LOCK": 14, "SYS_CHROOT": 18, "SYS_NICE": 23,
    "SYS_RESOURCE": 24, "AUDIT_WRITE": 29, "SETFCAP": 31,
}  # fmt: skip
"""Every capability that can be granted here, by the name that manifests use."""

NET_ADMIN = "NET_ADMIN"
POD_DEFAULT = frozenset(NUMBERS) - {NET_ADMIN, "IPC_LOCK", "SYS_NICE", "SYS_RESOURCE"}
"""The default set of container runtimes, less MKNOD."""

NODE = frozenset(NUMBERS)


def of_container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> frozenset[str]:
    """What `securityContext` leaves of the default set. Capabilities that nobody gets here are left out.

    A pod without a switch port of its own gets no NET_ADMIN, whatever a container that came later (kubectl debug)
    asks for: it could take its guard away (topo/guard.py).
    """
    wanted = _wanted(container)
    return wanted - {NET_ADMIN} if annotation(pod, ATTACHMENT_ANNOTATION) == "macvlan" else wanted


def changes_interfaces(pod: Mapping[str, Any]) -> bool:
    """Whether a container of this pod asks for NET_ADMIN."""
    spec = pod["spec"]
    return any(NET_ADMIN in _wanted(each) for each in (*spec.get("initContainers", ()), *spec["containers"]))


def _wanted(container: Mapping[str, Any]) -> frozenset[str]:
    context = container.get("securityContext") or {}
    if context.get("privileged"):
        return NODE
    capabilities = context.get("capabilities") or {}
    dropped, added = set(capabilities.get("drop") or ()), set(capabilities.get("add") or ())
    base = frozenset() if "ALL" in dropped else POD_DEFAULT - dropped
    granted = NODE if "ALL" in added else added & NODE
    return base | granted
