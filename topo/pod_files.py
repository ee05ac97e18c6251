"""The files of /etc that are a pod's or node's own (kubernetes.io, "Adding entries to Pod /etc/hosts"; DNS for Pods)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.model import Cluster
from topo import container_env, resolv_conf

_LOCAL_HOSTS = """\
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
"""
_POD_HOSTS = f"""\
# Kubernetes-managed hosts file.
{_LOCAL_HOSTS}\
fe00::0	ip6-localnet
fe00::0	ip6-mcastprefix
fe00::1	ip6-allnodes
fe00::2	ip6-allrouters
"""
_HOST_NETWORK_HOSTS = f"# Kubernetes-managed hosts file (host network).\n{_LOCAL_HOSTS}"


def etc_of_machine(name: str) -> dict[str, str]:
    """File name -> content, for a node or client. Its resolv.conf is empty: it has no DNS server."""
    return {"hosts": _LOCAL_HOSTS, "hostname": f"{name}\n"}


def etc(pod: Mapping[str, Any], cluster: Cluster) -> dict[str, str]:
    """File name -> content."""
    return {
        "hosts": _hosts(pod),
        "hostname": f"{container_env.hostname(pod)}\n",
        "resolv.conf": resolv_conf.of_pod(pod, cluster).text(),
    }


def _hosts(pod: Mapping[str, Any]) -> str:
    """As the kubelet writes it (pkg/kubelet/kubelet_pods.go, managedHostsFileContent)."""
    if pod["spec"].get("hostNetwork"):
        text = _HOST_NETWORK_HOSTS
    else:
        names = "\t".join(container_env.own_names(pod))
        text = _POD_HOSTS + "".join(f"{entry['ip']}\t{names}\n" for entry in pod.get("status", {}).get("podIPs", ()))
    aliases = pod["spec"].get("hostAliases") or ()
    if aliases:
        text += "\n# Entries added by HostAliases.\n"
    return text + "".join("\t".join((alias["ip"], *alias.get("hostnames", ()))) + "\n" for alias in aliases)
