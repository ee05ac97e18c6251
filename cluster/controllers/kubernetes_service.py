"""The Service `kubernetes`: how pods find the API server, at the first address of the service range.

As the API server itself does it (pkg/controlplane/controller/kubernetesservice): its endpoints are the control-plane
nodes, where the node agent passes port 6443 on to the API server. Whoever deletes them gets them back.
"""

from __future__ import annotations

from cluster.context import Context
from cluster.controllers.mirroring import SKIP_LABEL
from cluster.draft import Key
from cluster.model import Cluster
from cluster.objects import Object
from cluster.service_ips import FAMILY_NAMES
from cluster.well_known import SERVICE_NAME_LABEL

NAME = "kubernetes"
SERVICE_PORT = 443
API_PORT = 6443
_PORT_NAME = "https"


def look(context: Context, key: Key) -> None:
    for obj in (_service(context.cluster), _endpoints(context.cluster), _slice(context.cluster)):
        existing = context.get((obj["kind"], "default", NAME))
        if existing is None:
            context.create(obj)
        elif any(existing.get(field) != value for field, value in obj.items() if field in ("endpoints", "subsets")):
            context.draft.put({**existing, **obj, "metadata": {**existing["metadata"], **obj["metadata"]}})


def _service(cluster: Cluster) -> Object:
    subnet = cluster.service_subnets[0]
    ip = str(subnet.network_address + 1)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata({"component": "apiserver", "provider": "kubernetes"}),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": ip,
            "clusterIPs": [ip],
            "ipFamilies": [FAMILY_NAMES[subnet.version]],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "ports": [{"name": _PORT_NAME, "protocol": "TCP", "port": SERVICE_PORT, "targetPort": API_PORT}],
        },
    }


def _endpoints(cluster: Cluster) -> Object:
    port = {"name": _PORT_NAME, "port": API_PORT, "protocol": "TCP"}
    subset = {"addresses": [{"ip": ip} for ip in _addresses(cluster)], "ports": [port]}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": _metadata({SKIP_LABEL: "true"}),
        "subsets": [subset],
    }


def _slice(cluster: Cluster) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata({SERVICE_NAME_LABEL: NAME}),
        "addressType": FAMILY_NAMES[cluster.service_subnets[0].version],
        "endpoints": [{"addresses": [ip], "conditions": {"ready": True}} for ip in _addresses(cluster)],
        "ports": [{"name": _PORT_NAME, "port": API_PORT, "protocol": "TCP"}],
    }


def _addresses(cluster: Cluster) -> list[str]:
    """One of the Service's family per control-plane node."""
    version = cluster.service_subnets[0].version
    nodes = [node for node in cluster.nodes if node.role == "control-plane"]
    return [str(address) for node in nodes for address in node.addresses if address.version == version]


def _metadata(its_labels: dict[str, str]) -> Object:
    return {"name": NAME, "namespace": "default", "labels": its_labels}
