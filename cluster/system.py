"""The objects that a cluster has of its own, as `kind create cluster` leaves them: cluster DNS; and the ingress
controller, where somebody needs it.

They are ordinary objects. A manifest of the same kind and name replaces them, and deleting them lasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.ingress_controller import controller_objects
from cluster.model import Cluster
from cluster.objects import Object
from cluster.service_ips import FAMILY_NAMES
from cluster.well_known import CONTROL_PLANE

NAMESPACE = "kube-system"
DNS_SERVICE = "kube-dns"
DNS_PORT = 53
DNS_OFFSET = 10
"""Where in the service range the DNS Service is: kubeadm's choice, and what pods' /etc/resolv.conf names."""

CONFIG_MAP, COREFILE_KEY = "coredns", "Corefile"
"""What the DNS servers go by (cluster/corefile.py)."""
COREFILE = """\
.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods verified
    }
    prometheus :9153
    loop
    reload
    loadbalance
}
"""
"""kubeadm's, but for `forward`: a testbed reaches no other DNS server unless it is told of one."""

_REPLICAS = 2
_LABELS = {"k8s-app": "kube-dns"}
_PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))
_IMAGE = "registry.k8s.io/coredns/coredns:v1.11.3"


def system_objects(cluster: Cluster, objects: Sequence[Object] = ()) -> Sequence[Object]:
    """The DNS server, its Service and its configuration, named and labelled as kubeadm does
    (cmd/kubeadm/app/phases/addons/dns), and what `objects`, those of the user, need."""
    return [_service(cluster), _config_map(), _deployment(), *controller_objects(objects)]


def dns_addresses(cluster: Cluster) -> Sequence[str]:
    """The addresses of the DNS Service, one per IP family, the primary family first."""
    return [str(subnet.network_address + DNS_OFFSET) for subnet in cluster.service_subnets]


def _service(cluster: Cluster) -> Object:
    ips = dns_addresses(cluster)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(DNS_SERVICE, {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}),
        "spec": {
            "selector": dict(_LABELS),
            "clusterIP": ips[0],
            "clusterIPs": ips,
            "ipFamilies": [FAMILY_NAMES[subnet.version] for subnet in cluster.service_subnets],
            "ipFamilyPolicy": "SingleStack" if len(ips) == 1 else "RequireDualStack",
            "ports": [{"name": name, "port": DNS_PORT, "protocol": protocol} for name, protocol in _PORTS],
        },
    }


def _config_map() -> Object:
    metadata = {"name": CONFIG_MAP, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {COREFILE_KEY: COREFILE}}


def is_dns_config(obj: Mapping[str, Any]) -> bool:
    """Whether it is the ConfigMap that holds the Corefile."""
    metadata = obj.get("metadata") or {}
    return (obj.get("kind"), metadata.get("namespace"), metadata.get("name")) == ("ConfigMap", NAMESPACE, CONFIG_MAP)


def _deployment() -> Object:
    ports = [{"name": name, "containerPort": DNS_PORT, "protocol": protocol} for name, protocol in _PORTS]
    # kind's run on the control-plane node too, since they are scheduled before the first worker has joined.
    preference = {"matchExpressions": [{"key": CONTROL_PLANE, "operator": "Exists"}]}
    wish = [{"weight": 100, "preference": preference}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata("coredns"),
        "spec": {
            "replicas": _REPLICAS,
            "selector": {"matchLabels": dict(_LABELS)},
            "template": {
                "metadata": {"labels": dict(_LABELS)},
                "spec": {
                    "dnsPolicy": "Default",
                    "tolerations": [{"key": CONTROL_PLANE, "effect": "NoSchedule"}],
                    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": wish}},
                    "containers": [{"name": "coredns", "image": _IMAGE, "ports": ports}],
                },
            },
        },
    }


def _metadata(name: str, more_labels: Object | None = None) -> Object:
    return {"name": name, "namespace": NAMESPACE, "labels": {**_LABELS, **(more_labels or {})}}
