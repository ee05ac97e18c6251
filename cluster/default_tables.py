"""Kubernetes' defaults as data (k8s.io/kubernetes/pkg/apis/*/v1/defaults.go), kind by kind.

A path leads through maps by name and through lists by "*". A default is filled in where the map that holds it is there and the
field is not; "" counts as not there, as Go's zero value does. A path that ends in a map ({}) makes that map, so that the
defaults below it apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.templates import TEMPLATE_PATHS

Holder = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Default:
    """`value` may be a function of the map that holds the field; None from it means no default. `zero`: 0 counts as not
    there, since the field is no pointer in Go. `when` is (field, values): the default is for these values of a field beside."""

    path: str
    value: Any
    zero: bool = False
    when: tuple[str, tuple[Any, ...]] | None = None


def _image_pull_policy(container: Holder) -> str:
    """ "Always if :latest tag is specified, or IfNotPresent otherwise." No tag and no digest is :latest."""
    image = str(container.get("image", ""))
    name = image.rpartition("/")[2]
    return "IfNotPresent" if "@" in name or (":" in name and not name.endswith(":latest")) else "Always"


def _requests(resources: Holder) -> Any:
    """ "If Requests is omitted for a container, it defaults to Limits if that is explicitly specified"."""
    limits = resources.get("limits")
    return {**limits, **(resources.get("requests") or {})} if limits else None


def _own(field: str) -> Callable[[Holder], Any]:
    return lambda holder: holder.get(field)


def _volume_source(volume: Holder) -> Any:
    """ "If a volume has no source, it is an EmptyDir"."""
    return {} if volume.keys() <= {"name"} else None


def _policy_types(spec: Holder) -> list[str]:
    """An empty egress section is none: `len(obj.Spec.Egress) != 0` (SetDefaults_NetworkPolicy)."""
    return ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _completions(spec: Holder) -> int | None:
    """ "If both are unset, both default to 1"."""
    return 1 if spec.get("parallelism") is None else None


def _replacement_policy(spec: Holder) -> str:
    return "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"


def _template_labels(spec: Holder) -> Any:
    """ "Selector … If empty, the labels of the Pod template are used"."""
    return ((spec.get("template") or {}).get("metadata") or {}).get("labels")


def _under(prefix: str, defaults: Sequence[Default]) -> tuple[Default, ...]:
    start = f"{prefix}." if prefix else ""
    return tuple(Default(start + one.path, one.value, one.zero, one.when) for one in defaults)


_HTTP_GET = (Default("httpGet.path", "/"), Default("httpGet.scheme", "HTTP"))
_PROBE = (
    *_HTTP_GET,
    Default("grpc.service", lambda _: ""),
    Default("timeoutSeconds", 1, zero=True),
    Default("periodSeconds", 10, zero=True),
    Default("successThreshold", 1, zero=True),
    Default("failureThreshold", 3, zero=True),
)
_CONTAINER = (
    Default("imagePullPolicy", _image_pull_policy),
    Default("terminationMessagePath", "/dev/termination-log"),
    Default("terminationMessagePolicy", "File"),
    Default("resources", {}),
    Default("ports.*.protocol", "TCP"),
    Default("env.*.valueFrom.fieldRef.apiVersion", "v1"),
    *_under("lifecycle.postStart", _HTTP_GET),
    *_under("lifecycle.preStop", _HTTP_GET),
    *_under("livenessProbe", _PROBE),
    *_under("readinessProbe", _PROBE),
    *_under("startupProbe", _PROBE),
)
_MODE = 0o644
_TOKEN_EXPIRATION_S = 3600
_VOLUME = (
    Default("emptyDir", _volume_source),
    Default("configMap.defaultMode", _MODE),
    Default("secret.defaultMode", _MODE),
    Default("downwardAPI.defaultMode", _MODE),
    Default("downwardAPI.items.*.fieldRef.apiVersion", "v1"),
    Default("hostPath.type", lambda _: ""),
    Default("projected.defaultMode", _MODE),
    Default("projected.sources.*.serviceAccountToken.expirationSeconds", _TOKEN_EXPIRATION_S),
    Default("projected.sources.*.downwardAPI.items.*.fieldRef.apiVersion", "v1"),
)
_POD_SPEC = (
    Default("dnsPolicy", "ClusterFirst"),
    Default("restartPolicy", "Always"),
    Default("schedulerName", "default-scheduler"),
    Default("securityContext", {}),
    Default("terminationGracePeriodSeconds", 30),
    Default("serviceAccount", _own("serviceAccountName")),
    Default("serviceAccountName", _own("serviceAccount")),
    *_under("containers.*", _CONTAINER),
    *_under("initContainers.*", _CONTAINER),
    *_under("volumes.*", _VOLUME),
)
_POD = (
    *_under("spec", _POD_SPEC),
    Default("spec.enableServiceLinks", True),
    Default("spec.containers.*.resources.requests", _requests),
    Default("spec.initContainers.*.resources.requests", _requests),
)

_ROLLING: Mapping[str, Any] = {"maxSurge": "25%", "maxUnavailable": "25%"}
_JOB_SPEC = (
    Default("completions", _completions),
    Default("parallelism", 1),
    Default("backoffLimit", 6),
    Default("completionMode", "NonIndexed"),
    Default("suspend", False),
    Default("podReplacementPolicy", _replacement_policy),
)

_OWN: Mapping[str, tuple[Default, ...]] = {
    "Pod": _POD,
    "Service": (
        Default("spec.type", "ClusterIP"),
        Default("spec.sessionAffinity", "None"),
        Default("spec.sessionAffinityConfig", lambda _: {}, when=("sessionAffinity", ("ClientIP",))),
        Default("spec.sessionAffinityConfig.clientIP", {}),
        Default("spec.sessionAffinityConfig.clientIP.timeoutSeconds", 10800),
        Default("spec.ports.*.protocol", "TCP"),
        Default("spec.ports.*.targetPort", _own("port"), zero=True),
        Default("spec.internalTrafficPolicy", "Cluster", when=("type", ("ClusterIP", "NodePort", "LoadBalancer"))),
        Default("spec.externalTrafficPolicy", "Cluster", when=("type", ("NodePort", "LoadBalancer"))),
        Default("spec.allocateLoadBalancerNodePorts", True, when=("type", ("LoadBalancer",))),
    ),
    "Deployment": (
        Default("spec.replicas", 1),
        Default("spec.strategy", {}),
        Default("spec.strategy.type", "RollingUpdate"),
        Default("spec.strategy.rollingUpdate", lambda _: {}, when=("type", ("RollingUpdate",))),
        *_under("spec.strategy.rollingUpdate", [Default(name, value) for name, value in _ROLLING.items()]),
        Default("spec.revisionHistoryLimit", 10),
        Default("spec.progressDeadlineSeconds", 600),
    ),
    "ReplicaSet": (Default("spec.replicas", 1),),
    "ReplicationController": (Default("spec.replicas", 1), Default("spec.selector", _template_labels)),
    "StatefulSet": (
        Default("spec.replicas", 1),
        Default("spec.podManagementPolicy", "OrderedReady"),
        Default("spec.serviceName", lambda _: ""),
        Default("spec.updateStrategy", {}),
        Default("spec.updateStrategy.type", "RollingUpdate"),
        Default("spec.updateStrategy.rollingUpdate", lambda _: {}, when=("type", ("RollingUpdate",))),
        Default("spec.updateStrategy.rollingUpdate.partition", 0),
        Default("spec.revisionHistoryLimit", 10),
        Default("spec.persistentVolumeClaimRetentionPolicy", {}),
        Default("spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "Retain"),
        Default("spec.persistentVolumeClaimRetentionPolicy.whenScaled", "Retain"),
        Default("spec.volumeClaimTemplates.*.apiVersion", "v1"),
        Default("spec.volumeClaimTemplates.*.kind", "PersistentVolumeClaim"),
        Default("spec.volumeClaimTemplates.*.spec.volumeMode", "Filesystem"),
        Default("spec.volumeClaimTemplates.*.status", {}),
        Default("spec.volumeClaimTemplates.*.status.phase", "Pending"),
    ),
    "DaemonSet": (
        Default("spec.updateStrategy", {}),
        Default("spec.updateStrategy.type", "RollingUpdate"),
        Default("spec.updateStrategy.rollingUpdate", lambda _: {}, when=("type", ("RollingUpdate",))),
        Default("spec.updateStrategy.rollingUpdate.maxSurge", 0),
        Default("spec.updateStrategy.rollingUpdate.maxUnavailable", 1),
        Default("spec.revisionHistoryLimit", 10),
    ),
    "Job": _under("spec", _JOB_SPEC),
    "CronJob": (
        Default("spec.concurrencyPolicy", "Allow"),
        Default("spec.suspend", False),
        Default("spec.successfulJobsHistoryLimit", 3),
        Default("spec.failedJobsHistoryLimit", 1),
    ),
    "NetworkPolicy": (
        Default("spec.podSelector", {}),
        Default("spec.policyTypes", _policy_types),
        Default("spec.ingress.*.ports.*.protocol", "TCP"),
        Default("spec.egress.*.ports.*.protocol", "TCP"),
    ),
    "Endpoints": (Default("subsets.*.ports.*.protocol", "TCP"),),
    "EndpointSlice": (Default("ports.*.protocol", "TCP"), Default("ports.*.name", lambda _: "")),
    "IngressClass": (Default("spec.parameters.scope", "Cluster"),),
    "Secret": (Default("type", "Opaque"),),
    "HorizontalPodAutoscaler": (Default("spec.minReplicas", 1),),
    "PersistentVolumeClaim": (Default("spec.volumeMode", "Filesystem"),),
    "PersistentVolume": (
        Default("spec.persistentVolumeReclaimPolicy", "Retain"),
        Default("spec.volumeMode", "Filesystem"),
    ),
    "StorageClass": (Default("reclaimPolicy", "Delete"), Default("volumeBindingMode", "Immediate")),
    "PriorityClass": (Default("preemptionPolicy", "PreemptLowerPriority"),),
    **dict.fromkeys(
        ("RoleBinding", "ClusterRoleBinding"),
        (
            Default("roleRef.apiGroup", "rbac.authorization.k8s.io"),
            Default("subjects.*.apiGroup", "rbac.authorization.k8s.io", when=("kind", ("User", "Group"))),
        ),
    ),
}


def _of_kind(kind: str) -> tuple[Default, ...]:
    own = _OWN.get(kind, ())
    path = TEMPLATE_PATHS.get(kind)
    if not path:
        return own
    prefix = ".".join(map(str, path))
    steps = list(map(str, path))
    # In Go none of these is a pointer, so what was left out is empty, and its containers are what is missing.
    holders = tuple(Default(".".join(steps[:length]), {}) for length in range(2, len(steps) + 1))
    template = (*holders, Default(f"{prefix}.metadata", {}), Default(f"{prefix}.spec", {}))
    return (*own, *template, *_under(f"{prefix}.spec", _POD_SPEC))


DEFAULTS: Mapping[str, tuple[Default, ...]] = {kind: _of_kind(kind) for kind in sorted({*_OWN, *TEMPLATE_PATHS})}
"""kind -> its defaults, outer before inner."""
