"""A pod's /etc/resolv.conf: dnsPolicy and dnsConfig as the kubelet applies them (pkg/kubelet/network/dns/dns.go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.dns import ZONE
from cluster.model import Cluster
from cluster.objects import namespace
from cluster.rules.pods import MOST_NAMESERVERS, MOST_SEARCH_CHARACTERS, MOST_SEARCH_PATHS
from cluster.system import dns_addresses

_CLUSTER_OPTIONS = {"ndots": "5"}


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """`warnings`: what was left out because of limits, in the words of the kubelet's Event DNSConfigForming."""

    nameservers: Sequence[str] = ()
    searches: Sequence[str] = ()
    options: Mapping[str, str | None] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def text(self) -> str:
        lines = [f"search {' '.join(self.searches)}"] if self.searches else []
        lines += [f"nameserver {address}" for address in self.nameservers]
        words = [option if value is None else f"{option}:{value}" for option, value in self.options.items()]
        lines += [f"options {' '.join(words)}"] if words else []
        return "".join(f"{line}\n" for line in lines)


def of_pod(pod: Mapping[str, Any], cluster: Cluster) -> ResolvConf:
    """What the pod's programs find. A node's own file names nobody, and so does that of a pod that inherits it."""
    spec = pod["spec"]
    nameservers: list[str] = []
    searches: list[str] = []
    options: dict[str, str | None] = {}
    if _asks_the_cluster(spec):
        nameservers += dns_addresses(cluster)
        searches += [f"{namespace(pod)}.svc.{ZONE}", f"svc.{ZONE}", ZONE]
        options |= _CLUSTER_OPTIONS
    config = spec.get("dnsConfig") or {}
    nameservers += config.get("nameservers") or ()
    searches += config.get("searches") or ()
    options |= {option["name"]: option.get("value") for option in config.get("options") or ()}
    return _within_limits(list(dict.fromkeys(nameservers)), list(dict.fromkeys(searches)), options)


def _asks_the_cluster(spec: Mapping[str, Any]) -> bool:
    """"Pods running with hostNetwork should set ClusterFirstWithHostNet; otherwise they fall back to Default.\""""
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    return policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not spec.get("hostNetwork"))


def _within_limits(nameservers: list[str], searches: list[str], options: Mapping[str, str | None]) -> ResolvConf:
    warnings = []
    if len(nameservers) > MOST_NAMESERVERS:
        nameservers = nameservers[:MOST_NAMESERVERS]
        warnings.append(
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
            + " ".join(nameservers)
        )
    kept = searches[:MOST_SEARCH_PATHS]
    while len(" ".join(kept)) > MOST_SEARCH_CHARACTERS:
        kept.pop()
    if kept != searches:
        warnings.append(
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
            + " ".join(kept)
        )
    return ResolvConf(nameservers, kept, options, warnings)
