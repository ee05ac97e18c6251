"""What a process of a pod or node may do (capabilities(7)): what container runtimes grant, and never enough to
undo the sandbox: no mounting, no device nodes, no kernel modules, no tracing of processes with more rights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from topo import linux

NUMBERS: Mapping[str, int] = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8,
    "NET_BIND_SERVICE": 10, "NET_ADMIN": 12, "NET_RAW": 13, "IPC_LOCK": 14, "SYS_CHROOT": 18, "SYS_NICE": 23,
    "SYS_RESOURCE": 24, "AUDIT_WRITE": 29, "SETFCAP": 31,
}  # fmt: skip
"""Every capability that can be granted here, by the name that manifests use."""

POD_DEFAULT = frozenset(NUMBERS) - {"NET_ADMIN", "IPC_LOCK", "SYS_NICE", "SYS_RESOURCE"}
"""The default set of container runtimes, less MKNOD."""

NODE = frozenset(NUMBERS)


def of_container(container: Mapping[str, Any]) -> frozenset[str]:
    """What `securityContext` leaves of the default set. Capabilities that nobody gets here are left out."""
    context = container.get("securityContext") or {}
    if context.get("privileged"):
        return NODE
    capabilities = context.get("capabilities") or {}
    dropped, added = set(capabilities.get("drop", ())), set(capabilities.get("add", ()))
    base = frozenset() if "ALL" in dropped else POD_DEFAULT - dropped
    granted = NODE if "ALL" in added else added & NODE
    return base | granted


def keep_only(names: Iterable[str]) -> None:
    """Limit what this process's next program can have. Irrevocable."""
    kept = {NUMBERS[name] for name in names}
    for number in _known_to_the_kernel():
        if number not in kept:
            linux.prctl(linux.PR_CAPBSET_DROP, number)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)


def _known_to_the_kernel() -> range:
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return range(int(file.read()) + 1)
