"""The resources of the API as data: what discovery and `kubectl api-resources` show, and how a path finds its kind.

Which kinds there are, and in which versions, the schemas tell; what they do not tell stands here, as the Kubernetes API
reference has it: plurals, short names, categories, subresources beside `status`. A kind is stored once, whatever the
versions it is served in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from cluster import kinds

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ_VERBS = ("get", "list")
KIND_VERBS: Mapping[str, tuple[str, ...]] = {
    "ComponentStatus": READ_VERBS,
    "Namespace": tuple(verb for verb in VERBS if verb != "deletecollection"),
}
"""Every other kind has all of VERBS."""
_OBJECT_VERBS = ("get", "patch", "update")
_PROXY_VERBS = ("create", "delete", "get", "patch", "update")
_STREAM_VERBS = ("create", "get")


@dataclass(frozen=True, slots=True)
class Subresource:
    """`kind` is what is sent and answered; `group` and `version` are its own where it is of another group."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind in one of its versions."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[Subresource, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified_name(self) -> str:
        """As messages name it: "deployments.apps", "pods"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_stored(self) -> bool:
        """False for requests in the form of objects, such as a SubjectAccessReview."""
        return "list" in self.verbs

    def subresource(self, name: str) -> Subresource | None:
        return next((one for one in self.subresources if one.name == name), None)


REQUEST_KINDS: Mapping[str, str] = {
    "Binding": "bindings",
    "LocalSubjectAccessReview": "localsubjectaccessreviews",
    "SelfSubjectAccessReview": "selfsubjectaccessreviews",
    "SelfSubjectReview": "selfsubjectreviews",
    "SelfSubjectRulesReview": "selfsubjectrulesreviews",
    "SubjectAccessReview": "subjectaccessreviews",
    "TokenReview": "tokenreviews",
}
"""Kinds that can only be created, and are answered instead of stored. kind -> plural."""

SUBRESOURCE_KINDS = frozenset(("Eviction", "Scale", "TokenRequest"))
"""Kinds that are only served below objects of other kinds."""

_ALL = ("all",)
_API_EXTENSIONS = ("api-extensions",)

SHORT_NAMES: Mapping[str, tuple[str, ...]] = {
    "CertificateSigningRequest": ("csr",),
    "ComponentStatus": ("cs",),
    "ConfigMap": ("cm",),
    "CronJob": ("cj",),
    "CustomResourceDefinition": ("crd", "crds"),
    "DaemonSet": ("ds",),
    "Deployment": ("deploy",),
    "Endpoints": ("ep",),
    "Event": ("ev",),
    "HorizontalPodAutoscaler": ("hpa",),
    "IPAddress": ("ip",),
    "Ingress": ("ing",),
    "LimitRange": ("limits",),
    "Namespace": ("ns",),
    "NetworkPolicy": ("netpol",),
    "Node": ("no",),
    "PersistentVolume": ("pv",),
    "PersistentVolumeClaim": ("pvc",),
    "Pod": ("po",),
    "PodDisruptionBudget": ("pdb",),
    "PriorityClass": ("pc",),
    "ReplicaSet": ("rs",),
    "ReplicationController": ("rc",),
    "ResourceQuota": ("quota",),
    "Service": ("svc",),
    "ServiceAccount": ("sa",),
    "StatefulSet": ("sts",),
    "StorageClass": ("sc",),
    "VolumeAttributesClass": ("vac",),
}

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("CronJob", "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Job", "Pod", "ReplicaSet"), _ALL
    ),
    **dict.fromkeys(("ReplicationController", "Service", "StatefulSet"), _ALL),
    **dict.fromkeys(("APIService", "CustomResourceDefinition"), _API_EXTENSIONS),
    **dict.fromkeys(("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"), _API_EXTENSIONS),
    **dict.fromkeys(("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"), _API_EXTENSIONS),
    **dict.fromkeys(("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"), _API_EXTENSIONS),
}

_SCALE = Subresource("scale", "Scale", _OBJECT_VERBS, "autoscaling", "v1")

SUBRESOURCES: Mapping[str, tuple[Subresource, ...]] = {
    "CertificateSigningRequest": (Subresource("approval", "CertificateSigningRequest", _OBJECT_VERBS),),
    "Deployment": (_SCALE,),
    "Namespace": (Subresource("finalize", "Namespace", ("update",)),),
    "Node": (Subresource("proxy", "NodeProxyOptions", _PROXY_VERBS),),
    "Pod": (
        Subresource("attach", "PodAttachOptions", _STREAM_VERBS),
        Subresource("binding", "Binding", ("create",)),
        Subresource("ephemeralcontainers", "Pod", _OBJECT_VERBS),
        Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
        Subresource("exec", "PodExecOptions", _STREAM_VERBS),
        Subresource("log", "Pod", ("get",)),
        Subresource("portforward", "PodPortForwardOptions", _STREAM_VERBS),
        Subresource("proxy", "PodProxyOptions", _PROXY_VERBS),
        Subresource("resize", "Pod", _OBJECT_VERBS),
    ),
    "ReplicaSet": (_SCALE,),
    "ReplicationController": (_SCALE,),
    "Service": (Subresource("proxy", "ServiceProxyOptions", _PROXY_VERBS),),
    "ServiceAccount": (Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
    "StatefulSet": (_SCALE,),
}
"""Beside `status`, which every kind has whose schema has the field."""

STORAGE_VERSIONS: Mapping[str, str] = {"Event": "v1", "HorizontalPodAutoscaler": "autoscaling/v2"}
"""In which version a kind is stored that is stable in several; every other one in its most stable version."""


@cache
def resources() -> tuple[Resource, ...]:
    """All of them, by group (the core first), version (the preferred first) and plural."""
    identities = [
        (group, version, kind)
        for api_version, kind in kinds.definition_names()
        if kind not in SUBRESOURCE_KINDS and not kind.endswith("Options") and kind != "EvictionRequest"
        for group, version in [split(api_version)]
    ]
    found = [_resource(*identity) for identity in identities]
    return tuple(sorted(found, key=lambda one: (one.group, version_priority(one.version), one.plural)))


def split(api_version: str) -> tuple[str, str]:
    """("apps", "v1") of "apps/v1", ("", "v1") of "v1"."""
    group, _, version = api_version.rpartition("/")
    return group, version


def version_priority(version: str) -> tuple[int, int, int]:
    """Sorts the stable versions before beta and alpha, the newer before the older."""
    for rank, word in enumerate(("alpha", "beta")):
        major, found, minor = version[1:].partition(word)
        if found:
            return 2 - rank, -int(major), -int(minor)
    return 0, -int(version[1:]), 0


def find(group: str, version: str, plural: str) -> Resource | None:
    """The resource that a path names."""
    return _by_path().get((group, version, plural))


def of_kind(api_version: str, kind: str) -> Resource | None:
    return _by_kind().get((api_version, kind))


def stored(kind: str) -> Resource:
    """The resource of a kind in the version in which it is stored. Raises KeyError for a kind that never is."""
    return _stored()[kind]


def groups() -> Mapping[str, Sequence[str]]:
    """group -> its versions, the preferred one first. The core group is ""."""
    found: dict[str, list[str]] = {}
    for one in resources():
        versions = found.setdefault(one.group, [])
        if one.version not in versions:
            versions.append(one.version)
    return found


def _resource(group: str, version: str, kind: str) -> Resource:
    singular = kind.lower()
    if kind in REQUEST_KINDS:
        plural = REQUEST_KINDS[kind]
        return Resource(group, version, kind, plural, singular, kinds.namespaced(kind), verbs=("create",))
    return Resource(
        group, version, kind, _plural(singular), singular, kinds.namespaced(kind),
        SHORT_NAMES.get(kind, ()), CATEGORIES.get(kind, ()), KIND_VERBS.get(kind, VERBS),
        tuple(_subresources(group, version, kind)),
    )  # fmt: skip


def _subresources(group: str, version: str, kind: str) -> Iterator[Subresource]:
    name = kinds.definition_names()[f"{group}/{version}" if group else version, kind]
    own = list(SUBRESOURCES.get(kind, ()))
    if "status" in kinds.definitions()["$defs"][name]["properties"]:
        own.append(Subresource("status", kind, _OBJECT_VERBS))
    yield from sorted(own, key=lambda one: one.name)


def _plural(singular: str) -> str:
    if singular == "endpoints":
        return singular
    if singular.endswith("y"):
        return f"{singular[:-1]}ies"
    return f"{singular}es" if singular.endswith("s") else f"{singular}s"


@cache
def _by_path() -> Mapping[tuple[str, str, str], Resource]:
    return {(one.group, one.version, one.plural): one for one in resources()}


@cache
def _by_kind() -> Mapping[tuple[str, str], Resource]:
    return {(one.api_version, one.kind): one for one in resources()}


@cache
def _stored() -> Mapping[str, Resource]:
    found: dict[str, Resource] = {}
    for one in sorted(resources(), key=lambda one: (version_priority(one.version), one.group)):
        if one.is_stored and STORAGE_VERSIONS.get(one.kind, one.api_version) == one.api_version:
            found.setdefault(one.kind, one)
    return found
