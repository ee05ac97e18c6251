"""Reading Kubernetes objects: names, owners, addresses, conditions. Objects are JSON dicts, as the API carries them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from cluster.model import MAC_POD, OF_PORT_FIRST_POD, OF_PORT_TRUNK, Cluster, PodInterface, mac

Object = dict[str, Any]
"""A Kubernetes object in its JSON form. `Mapping` where it is only read."""

ATTACHMENT_ANNOTATION = "mininetes.dev/attachment"
POWER_ANNOTATION = "mininetes.dev/power"
"""How a pod hangs on its node's switch, veth or macvlan; written when it is bound to a node."""


def name(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"]["name"])


def namespace(obj: Mapping[str, Any]) -> str:
    """The object's namespace; "" for objects that have none."""
    return str(obj["metadata"].get("namespace", ""))


def labels(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def annotation(obj: Mapping[str, Any], key: str) -> str | None:
    value: str | None = (obj["metadata"].get("annotations") or {}).get(key)
    return value


def subject(obj: Mapping[str, Any]) -> str:
    """The object as a user names it: "Service shop/web", "Namespace shop"."""
    meta = obj.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    path = "/".join(str(part) for part in (meta.get("namespace"), meta.get("name")) if part)
    return f"{obj.get('kind', 'object')} {path}".strip()


def pod_interface(pod: Mapping[str, Any], cluster: Cluster) -> PodInterface | None:
    """A Pod as the network sees it, or None: not bound yet, no address yet, finished, or on the host network."""
    spec, status = pod["spec"], pod.get("status", {})
    node = cluster.node_by_name.get(spec.get("nodeName", ""))
    addresses = tuple(ip_address(entry["ip"]) for entry in status.get("podIPs", ()))
    if node is None or not addresses or spec.get("hostNetwork") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    number = int(addresses[0]) - int(node.pod_cidrs[0].network_address)
    veth = annotation(pod, ATTACHMENT_ANNOTATION) == "veth"
    return PodInterface(
        namespace=namespace(pod),
        name=name(pod),
        uid=str(pod["metadata"]["uid"]),
        node=node.name,
        addresses=addresses,
        mac=mac(MAC_POD, node.index, number),
        number=number,
        of_port=OF_PORT_FIRST_POD + number if veth else OF_PORT_TRUNK,
    )


def data(obj: Mapping[str, Any]) -> dict[str, bytes]:
    """Of a ConfigMap or Secret, by key."""
    found = {key: str(value).encode() for key, value in (obj.get("data") or {}).items()}
    if obj["kind"] == "Secret":
        found = {key: base64.b64decode(value) for key, value in found.items()}
    encoded = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {**found, **encoded, **{key: str(value).encode() for key, value in (obj.get("stringData") or {}).items()}}


def ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
