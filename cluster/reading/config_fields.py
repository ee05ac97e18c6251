"""The fields of a cluster document, as JSON schemas: kind's own configuration, and ours, which is the same with more.

Source of kind's: https://kind.sigs.k8s.io/docs/user/configuration and sigs.k8s.io/kind/pkg/apis/config/v1alpha4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.reading.quantities import FIELDS
from cluster.reading.underlay import OPTIONS

Schema = dict[str, Any]

KIND_API_VERSION = "kind.x-k8s.io/v1alpha4"
API_VERSION = "mininetes.dev/v1alpha1"

MIN_MTU_BYTES = {"ipv4": 576, "ipv6": 1280, "dual": 1280}
"""The smallest link an IP host must cope with: RFC 791 and RFC 8200, section 5."""
MAX_MTU_BYTES = 9000
MAX_NODES = 1000
MAX_CLIENTS = 200
_MAX_SWITCHES = 1000
_MAX_FANOUT = 16
_MAX_DEPTH = 5

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "integer"}
_AMOUNT: Schema = {"type": ["number", "string"]}


def _record(fields: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(required),
        "additionalProperties": False,
    }


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _count(maximum: int, minimum: int = 1) -> Schema:
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


_MAP_OF_TEXT: Schema = {"type": "object", "additionalProperties": _TEXT}

_JSON6902_PATCH = _record({"group": _TEXT, "version": _TEXT, "kind": _TEXT, "patch": _TEXT})

_EXTRA_MOUNT = _record(
    {
        "hostPath": _TEXT,
        "containerPath": _TEXT,
        "readOnly": _FLAG,
        "selinuxRelabel": _FLAG,
        "propagation": _one_of("None", "HostToContainer", "Bidirectional"),
    }
)

_EXTRA_PORT_MAPPING = _record(
    {
        "containerPort": _NUMBER,
        "hostPort": _NUMBER,
        "listenAddress": _TEXT,
        "protocol": _one_of("TCP", "UDP", "SCTP"),
    }
)

_KIND_NODE: dict[str, Schema] = {
    "role": _one_of("control-plane", "worker"),
    "image": _TEXT,
    "labels": _MAP_OF_TEXT,
    "extraMounts": _list_of(_EXTRA_MOUNT),
    "extraPortMappings": _list_of(_EXTRA_PORT_MAPPING),
    "kubeadmConfigPatches": _list_of(_TEXT),
    "kubeadmConfigPatchesJSON6902": _list_of(_JSON6902_PATCH),
}

_NETWORKING_FIELDS: dict[str, Schema] = {
    "ipFamily": _one_of("ipv4", "ipv6", "dual"),
    "apiServerAddress": _TEXT,
    "apiServerPort": _NUMBER,
    "podSubnet": _TEXT,
    "serviceSubnet": _TEXT,
    "disableDefaultCNI": _FLAG,
    "kubeProxyMode": _one_of("iptables", "ipvs", "nftables", "none"),
    "dnsSearch": _list_of(_TEXT),
}

_KIND: dict[str, Schema] = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "name": _TEXT,
    "nodes": _list_of(_record(_KIND_NODE)),
    "networking": _record(_NETWORKING_FIELDS),
    "featureGates": {"type": "object", "additionalProperties": _FLAG},
    "runtimeConfig": _MAP_OF_TEXT,
    "kubeadmConfigPatches": _list_of(_TEXT),
    "kubeadmConfigPatchesJSON6902": _list_of(_JSON6902_PATCH),
    "containerdConfigPatches": _list_of(_TEXT),
    "containerdConfigPatchesJSON6902": _list_of(_TEXT),
}

_SHAPE = dict.fromkeys(FIELDS, _AMOUNT)

_UNDERLAY = _record(
    {
        "topology": _one_of(*OPTIONS),
        **_SHAPE,
        "links": _list_of(_record({"a": _TEXT, "b": _TEXT, "from": _TEXT, "to": _TEXT, **_SHAPE})),
        "switches": {"type": ["integer", "array"], "minimum": 1, "maximum": _MAX_SWITCHES, "items": _TEXT},
        "leaves": _count(_MAX_SWITCHES),
        "spines": _count(_MAX_SWITCHES),
        "fanout": _count(_MAX_FANOUT),
        "depth": _count(_MAX_DEPTH),
    }
)

_OURS: dict[str, Schema] = {
    **_KIND,
    "nodes": _list_of(_record({**_KIND_NODE, "name": _TEXT, "zone": _TEXT, "count": _count(MAX_NODES)})),
    "networking": _record({**_NETWORKING_FIELDS, "loadBalancerSubnet": _TEXT}),
    "network": _record(
        {
            "mode": _one_of("overlay", "direct"),
            "encapsulation": _one_of("vxlan", "geneve"),
            "attachment": _one_of("auto", "veth", "macvlan"),
            "datapath": _one_of("auto", "kernel", "userspace"),
            "mtu": _NUMBER,
            "policyReevaluation": _FLAG,
            "ipMasqExempt": _list_of(_TEXT),
        }
    ),
    "nodeFailure": _record(
        {
            "gracePeriodSeconds": {"type": "number", "exclusiveMinimum": 0},
            "tolerationSeconds": {"type": "integer", "minimum": 0},
        }
    ),
    "underlay": _UNDERLAY,
    "externalClients": {
        "type": ["integer", "array"],
        "minimum": 0,
        "maximum": MAX_CLIENTS,
        "items": _record({"name": _TEXT}, required=("name",)),
    },
}

OWN_FIELDS = _OURS.keys() - _KIND.keys()
"""Fields at the top of our document that kind's does not have."""

SCHEMAS: Mapping[str, Schema] = {KIND_API_VERSION: _record(_KIND), API_VERSION: _record(_OURS)}
"""By apiVersion."""
