"""The columns of nodes, namespaces, events, configuration, and of kinds that are only kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.apiserver.tables.columns import AGE, CREATED_AT, NAME, WIDE, Column, at, column, count, number
from cluster.apiserver.tables.text import NONE, UNKNOWN, UNSET, age

Object = Mapping[str, Any]

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"
_ACCESS_MODES = {
    "ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP",
}  # fmt: skip

DEFAULT = (NAME, CREATED_AT)
"""Of a kind without columns of its own."""


def _node_status(node: Object) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = [each["status"] for each in conditions if each["type"] == "Ready"]
    words = ["Unknown" if not ready else "Ready" if ready[0] == "True" else "NotReady"]
    if (node.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(node: Object) -> str:
    roles = set()
    for key, value in (node["metadata"].get("labels") or {}).items():
        if key.startswith(_ROLE_PREFIX) and key != _ROLE_PREFIX:
            roles.add(key.removeprefix(_ROLE_PREFIX))
        elif key == _ROLE_LABEL and value:
            roles.add(value)
    return ",".join(sorted(roles)) or NONE


def _node_address(kind: str) -> Any:
    def found(node: Object) -> str:
        addresses = (node.get("status") or {}).get("addresses") or ()
        return next((each["address"] for each in addresses if each["type"] == kind), NONE)

    return found


def _first_seen(event: Object, now_s: float) -> str:
    return age(event.get("firstTimestamp") or event.get("eventTime"), now_s)


def _last_seen(event: Object, now_s: float) -> str:
    series = event.get("series") or {}
    last = series.get("lastObservedTime") or event.get("lastTimestamp")
    return age(last, now_s) if last else _first_seen(event, now_s)


def _event_object(event: Object) -> str:
    about = event.get("involvedObject") or event.get("regarding") or {}
    kind = str(about.get("kind", "")).lower()
    return f"{kind}/{about['name']}" if about.get("name") else kind


def _event_source(event: Object) -> str:
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent") or event.get("reportingController") or ""
    host = source.get("host") or event.get("reportingInstance")
    return f"{component}, {host}" if host else component


def _event_count(event: Object) -> int:
    return int((event.get("series") or {}).get("count") or event.get("count") or event.get("deprecatedCount") or 1)


def _data(config: Object) -> int:
    return len(config.get("data") or ()) + len(config.get("binaryData") or ())


def _access_modes(path: str) -> Any:
    modes = at(path, ())
    return lambda obj: ",".join(_ACCESS_MODES.get(mode, mode) for mode in modes(obj))


def _claim(volume: Object) -> str:
    claim = volume["spec"].get("claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _subjects(kind: str) -> Any:
    def found(binding: Object) -> str:
        subjects = [each for each in binding.get("subjects") or () if each["kind"] == kind]
        names = (f"{each['namespace']}/{each['name']}" if each.get("namespace") else each["name"] for each in subjects)
        return ", ".join(names)

    return found


def _role(binding: Object) -> str:
    return f"{binding['roleRef']['kind']}/{binding['roleRef']['name']}"


def _text(path: str, default: str = "") -> Any:
    return at(path, default)


_BINDING = (
    NAME,
    column("Role", _role),
    AGE,
    column("Users", _subjects("User"), WIDE),
    column("Groups", _subjects("Group"), WIDE),
    column("ServiceAccounts", _subjects("ServiceAccount"), WIDE),
)

COLUMNS: Mapping[str, Sequence[Column]] = {
    "Node": (
        NAME,
        column("Status", _node_status),
        column("Roles", _roles),
        AGE,
        column("Version", _text("status.nodeInfo.kubeletVersion")),
        column("Internal-IP", _node_address("InternalIP"), WIDE),
        column("External-IP", _node_address("ExternalIP"), WIDE),
        column("OS-Image", _text("status.nodeInfo.osImage", UNKNOWN), WIDE),
        column("Kernel-Version", _text("status.nodeInfo.kernelVersion", UNKNOWN), WIDE),
        column("Container-Runtime", _text("status.nodeInfo.containerRuntimeVersion", UNKNOWN), WIDE),
    ),
    "Namespace": (NAME, column("Status", _text("status.phase")), AGE),
    "Event": (
        Column("Last Seen", _last_seen),
        column("Type", _text("type")),
        column("Reason", _text("reason")),
        column("Object", _event_object),
        column("Subobject", _text("involvedObject.fieldPath"), WIDE),
        column("Source", _event_source, WIDE),
        column("Message", lambda event: str(event.get("message") or event.get("note") or "").strip()),
        Column("First Seen", _first_seen, priority=WIDE),
        number("Count", _event_count, WIDE),
        Column("Name", NAME.value, priority=WIDE, format="name"),
    ),
    "ConfigMap": (NAME, number("Data", _data), AGE),
    "Secret": (NAME, column("Type", _text("type")), number("Data", _data), AGE),
    "ServiceAccount": (NAME, number("Secrets", lambda obj: len(obj.get("secrets") or ())), AGE),
    "Lease": (NAME, column("Holder", _text("spec.holderIdentity")), AGE),
    "Role": DEFAULT,
    "ClusterRole": DEFAULT,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "PriorityClass": (
        NAME,
        number("Value", count("value")),
        Column("Global-Default", lambda obj, _: bool(obj.get("globalDefault")), "boolean"),
        AGE,
        column("PreemptionPolicy", _text("preemptionPolicy")),
    ),
    "RuntimeClass": (NAME, column("Handler", _text("handler")), AGE),
    "StorageClass": (
        NAME,
        column("Provisioner", _text("provisioner")),
        column("ReclaimPolicy", _text("reclaimPolicy", "Delete")),
        column("VolumeBindingMode", _text("volumeBindingMode", "Immediate")),
        Column("AllowVolumeExpansion", lambda obj, _: bool(obj.get("allowVolumeExpansion")), "boolean"),
        AGE,
    ),
    "PersistentVolume": (
        NAME,
        column("Capacity", _text("spec.capacity.storage")),
        column("Access Modes", _access_modes("spec.accessModes")),
        column("Reclaim Policy", _text("spec.persistentVolumeReclaimPolicy")),
        column("Status", _text("status.phase")),
        column("Claim", _claim),
        column("StorageClass", _text("spec.storageClassName")),
        column("VolumeAttributesClass", _text("spec.volumeAttributesClassName", UNSET)),
        column("Reason", _text("status.reason")),
        AGE,
        column("VolumeMode", _text("spec.volumeMode", UNSET), WIDE),
    ),
    "PersistentVolumeClaim": (
        NAME,
        column("Status", _text("status.phase")),
        column("Volume", _text("spec.volumeName")),
        column("Capacity", _text("status.capacity.storage")),
        column("Access Modes", _access_modes("status.accessModes")),
        column("StorageClass", _text("spec.storageClassName")),
        column("VolumeAttributesClass", _text("spec.volumeAttributesClassName", UNSET)),
        AGE,
        column("VolumeMode", _text("spec.volumeMode", UNSET), WIDE),
    ),
}
