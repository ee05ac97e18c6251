"""StatefulSet: pods with stable names, web-0, web-1 …

All of them are made at once, as with `podManagementPolicy: Parallel`; a pod of another version of the template is
replaced under its name.
"""

from __future__ import annotations

from collections.abc import Sequence

from cluster.names import template_hash
from cluster.objects import Object, name
from cluster.owned import Changes
from cluster.pod_template import CONTROLLER_REVISION_HASH, pod, revision


def changes(stateful_set: Object, pods: Sequence[Object]) -> Changes:
    """`pods` are those it owns."""
    spec = stateful_set["spec"]
    start = (spec.get("ordinals") or {}).get("start", 0)
    wanted = {f"{name(stateful_set)}-{ordinal}": ordinal for ordinal in range(start, start + spec["replicas"])}
    version = f"{name(stateful_set)}-{template_hash(spec['template'])}"
    keep = {name(a_pod) for a_pod in pods if name(a_pod) in wanted and revision(a_pod) == version}
    return Changes(
        puts=[_pod(stateful_set, key, ordinal, version) for key, ordinal in wanted.items() if key not in keep],
        deletions=[a_pod for a_pod in reversed(pods) if name(a_pod) not in keep],
    )


def _pod(stateful_set: Object, pod_name: str, ordinal: int, version: str) -> Object:
    labels = {
        CONTROLLER_REVISION_HASH: version,
        "apps.kubernetes.io/pod-index": str(ordinal),
        "statefulset.kubernetes.io/pod-name": pod_name,
    }
    spec: Object = {"hostname": pod_name}
    if service_name := stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = service_name
    return pod(stateful_set, pod_name, labels, spec)
