"""DaemonSet: one pod on every node that it tolerates and selects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.names import template_hash
from cluster.node_fit import misfit
from cluster.objects import Object, name
from cluster.owned import Changes, NameSource
from cluster.pod_template import CONTROLLER_REVISION_HASH, pod, revision

# A daemon stays where others are driven away ("Taints and tolerations", Kubernetes' DaemonSet documentation).
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_TOLERATED_ON_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", "NoSchedule"),)


def changes(daemon_set: Object, pods: Sequence[Object], nodes: Sequence[Object], names: NameSource) -> Changes:
    """`pods` are those it owns. A pod of another version of the template is replaced."""
    template = daemon_set["spec"]["template"]
    spec = {**template["spec"], "tolerations": _tolerations(template["spec"])}
    version = template_hash(template)
    eligible = [name(node) for node in nodes if misfit(spec, node) is None]
    kept: dict[str, Object] = {}
    for a_pod in pods:
        if revision(a_pod) == version and target_node(a_pod) in eligible:
            kept.setdefault(target_node(a_pod), a_pod)
    keep_names = {name(a_pod) for a_pod in kept.values()}
    return Changes(
        puts=[_pod(daemon_set, node, spec, version, names) for node in eligible if node not in kept],
        deletions=[a_pod for a_pod in pods if name(a_pod) not in keep_names],
    )


def target_node(a_pod: Mapping[str, Any]) -> str:
    """The node that a daemon pod is made for, bound or not."""
    required = a_pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])


def _pod(daemon_set: Object, node: str, spec: Mapping[str, Any], version: str, names: NameSource) -> Object:
    affinity = spec.get("affinity") or {}
    # As the DaemonSet controller does it: the scheduler binds the pod, and has one node to choose from.
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    node_affinity = {"requiredDuringSchedulingIgnoredDuringExecution": required}
    bound = {"tolerations": spec["tolerations"], "affinity": {**affinity, "nodeAffinity": node_affinity}}
    return pod(daemon_set, names.generate(f"{name(daemon_set)}-"), {CONTROLLER_REVISION_HASH: version}, bound)


def _tolerations(spec: Mapping[str, Any]) -> Sequence[Object]:
    tolerated = _TOLERATED + (_TOLERATED_ON_HOST_NETWORK if spec.get("hostNetwork") else ())
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in tolerated]
    return [*(spec.get("tolerations") or ()), *added]
