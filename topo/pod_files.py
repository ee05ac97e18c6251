"""The files of /etc that are a pod's own (kubernetes.io, "Adding entries to Pod /etc/hosts"; DNS for Pods)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.dns import ZONE
from cluster.model import Cluster
from cluster.system import dns_addresses
from topo import container_env

_HOSTS_HEAD = """\
# Kubernetes-managed hosts file.
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
"""


def etc(pod: Mapping[str, Any], cluster: Cluster) -> dict[str, str]:
    """File name -> content."""
    hostname = container_env.hostname(pod)
    lines = [_HOSTS_HEAD]
    for entry in pod.get("status", {}).get("podIPs", ()):
        lines.append(f"{entry['ip']}\t{hostname}\n")
    for alias in pod["spec"].get("hostAliases") or ():
        lines.append(f"{alias['ip']}\t{' '.join(alias.get('hostnames', ()))}\n")
    return {"hosts": "".join(lines), "hostname": f"{hostname}\n", "resolv.conf": _resolv_conf(pod, cluster)}


def _resolv_conf(pod: Mapping[str, Any], cluster: Cluster) -> str:
    namespace = pod["metadata"].get("namespace", "default")
    search = f"{namespace}.svc.{ZONE} svc.{ZONE} {ZONE}"
    servers = "".join(f"nameserver {address}\n" for address in dns_addresses(cluster))
    return f"search {search}\n{servers}options ndots:5\n"
