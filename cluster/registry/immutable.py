"""What an update may not change, kind by kind, as data; in the words of Kubernetes' validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cluster.objects import Object
from cluster.reading.findings import Path
from cluster.registry.errors import Cause
from cluster.registry.field_errors import dotted, forbidden, invalid_value
from cluster.templates import value_at

FIELD_IS_IMMUTABLE = "field is immutable"

FIELDS: Mapping[str, tuple[str, ...]] = {
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "EndpointSlice": ("addressType",),
    "IngressClass": ("spec.controller",),
    "Job": (
        "spec.completionMode", "spec.completions", "spec.managedBy", "spec.podFailurePolicy", "spec.selector",
        "spec.template",
    ),
    "PriorityClass": ("value", "preemptionPolicy"),
    "ReplicaSet": ("spec.selector",),
    "RuntimeClass": ("handler",),
    "Secret": ("type",),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}  # fmt: skip
"""Fields that keep the value they were created with."""

STATEFUL_SET_MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip
_POD_CONTAINER_LISTS = ("containers", "initContainers")
_POD_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")
_POD_SENTENCE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_WITHOUT_ADDRESS = "ExternalName"

Check = Callable[[Object, Object], Iterator[Cause]]


def causes(new: Object, old: Object) -> list[Cause]:
    """What `new` changes of `old` and may not; both with their defaults."""
    kind = str(new["kind"])
    found = [
        invalid_value(field, value_at(new, path), FIELD_IS_IMMUTABLE)
        for field in FIELDS.get(kind, ())
        for path in [tuple(field.split("."))]
        if value_at(new, path) != value_at(old, path) and not _is_suspended_job(kind, path, old)
    ]
    if check := _CHECKS.get(kind):
        found += check(new, old)
    return found


def _is_suspended_job(kind: str, path: Path, old: Object) -> bool:
    """ "Job template is mutable while the Job is suspended and has not started" (KEP-2926)."""
    return (
        kind == "Job"
        and path == ("spec", "template")
        and bool(old["spec"].get("suspend"))
        and not old.get("status", {}).get("startTime")
    )


def _pod(new: Object, old: Object) -> Iterator[Cause]:
    before, after = _without_mutable(old["spec"]), _without_mutable(new["spec"])
    if not old["spec"].get("nodeName"):
        before.pop("nodeName", None)
    if before != after:
        yield forbidden("spec", _POD_SENTENCE)
    given = new["spec"].get("tolerations") or []
    if any(toleration not in given for toleration in old["spec"].get("tolerations") or []):
        yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    for name in _POD_CONTAINER_LISTS:
        for index, container in enumerate(new["spec"].get(name, ())):
            if not container.get("image"):
                yield Cause("FieldValueRequired", "Required value", f"spec.{name}[{index}].image")


def _without_mutable(spec: Mapping[str, Any]) -> Object:
    kept = {field: value for field, value in spec.items() if field not in _POD_MUTABLE}
    for name in _POD_CONTAINER_LISTS:
        if name in kept:
            kept[name] = [{field: value for field, value in one.items() if field != "image"} for one in kept[name]]
    return kept


def _service(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old["spec"], new["spec"]
    if _WITHOUT_ADDRESS in (before.get("type"), after.get("type")):
        return
    old_ips, new_ips = before.get("clusterIPs") or [], after.get("clusterIPs") or []
    # "… may not change once set": the first; a second may come and go with ipFamilyPolicy.
    if old_ips and new_ips[:1] != old_ips[:1]:
        yield invalid_value("spec.clusterIPs[0]", new_ips, "may not change once set")
    elif len(old_ips) > 1 and len(new_ips) > 1 and new_ips[1] != old_ips[1]:
        yield invalid_value("spec.clusterIPs[1]", new_ips, "may not change once set")
    families, wanted = before.get("ipFamilies") or [], after.get("ipFamilies") or []
    if families and wanted[:1] != families[:1]:
        yield invalid_value("spec.ipFamilies[0]", wanted, "may not change once set")


def _stateful_set(new: Object, old: Object) -> Iterator[Cause]:
    changed = {field for field in {*new["spec"], *old["spec"]} if new["spec"].get(field) != old["spec"].get(field)}
    if changed - set(STATEFUL_SET_MUTABLE):
        names = ", ".join(f"'{field}'" for field in STATEFUL_SET_MUTABLE[:-1])
        detail = (
            f"updates to statefulset spec for fields other than {names} and '{STATEFUL_SET_MUTABLE[-1]}' are forbidden"
        )
        yield forbidden("spec", detail)


def _immutable_data(new: Object, old: Object) -> Iterator[Cause]:
    """ConfigMap and Secret with `immutable: true`."""
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", "field is immutable when `immutable` is set")
    for field in ("data", "binaryData"):
        if new.get(field) != old.get(field):
            yield forbidden(field, "field is immutable when `immutable` is set")


def _node(new: Object, old: Object) -> Iterator[Cause]:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before.get("podCIDRs") and after.get("podCIDRs") != before["podCIDRs"]:
        yield forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        yield forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')


def _claim(new: Object, old: Object) -> Iterator[Cause]:
    loose = ("resources", "volumeName", "volumeAttributesClassName")
    before, after = ({k: v for k, v in obj["spec"].items() if k not in loose} for obj in (old, new))
    if before != after:
        yield forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        )


def _role_ref(new: Object, old: Object) -> Iterator[Cause]:
    if new.get("roleRef") != old.get("roleRef"):
        yield invalid_value("roleRef", new.get("roleRef"), "cannot change roleRef")


_CHECKS: Mapping[str, Check] = {
    "ClusterRoleBinding": _role_ref,
    "ConfigMap": _immutable_data,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "RoleBinding": _role_ref,
    "Secret": _immutable_data,
    "Service": _service,
    "StatefulSet": _stateful_set,
}

__all__ = ["FIELDS", "STATEFUL_SET_MUTABLE", "causes", "dotted"]
