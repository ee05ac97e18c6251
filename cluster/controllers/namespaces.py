"""Namespaces: what every one has from the start, and how one ends with all that is in it."""

from __future__ import annotations

from cluster import deletion
from cluster.context import Context
from cluster.deletion import NAMESPACE_FINALIZER, is_deleting
from cluster.draft import Key, key_of
from cluster.objects import Object, name

ROOT_CA = "kube-root-ca.crt"
CA_KEY = "ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def look(context: Context, key: Key) -> None:
    namespace = context.get(key)
    if namespace is None:
        return
    if is_deleting(namespace):
        _end(context, namespace)
        return
    if (namespace.get("status") or {}).get("phase") != "Active":
        namespace = context.update_status(namespace, {**(namespace.get("status") or {}), "phase": "Active"})
    if "spec" not in namespace or "finalizers" not in namespace["spec"]:
        namespace = context.draft.put_status({**namespace, "spec": {"finalizers": [NAMESPACE_FINALIZER]}})
    _furnish(context, name(namespace))


def _furnish(context: Context, space: str) -> None:
    """The service account that pods run as, and the certificate by which they know the API server."""
    metadata = {"name": "default", "namespace": space}
    if context.get(("ServiceAccount", space, "default")) is None:
        context.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    published = context.get(("ConfigMap", "kube-system", ROOT_CA))
    if published is None or context.get(("ConfigMap", space, ROOT_CA)) is not None:
        return
    annotations = {"kubernetes.io/description": _DESCRIPTION}
    config_map: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": ROOT_CA, "namespace": space, "annotations": annotations},
        "data": {CA_KEY: published["data"][CA_KEY]},
    }
    context.create(config_map)


def _end(context: Context, namespace: Object) -> None:
    if (namespace.get("status") or {}).get("phase") != "Terminating":
        namespace = context.update_status(namespace, {**(namespace.get("status") or {}), "phase": "Terminating"})
    for obj in context.get_all(context.index.in_namespace(name(namespace))):
        if not is_deleting(obj):
            deletion.delete(context.draft, key_of(obj))
    if context.index.in_namespace(name(namespace)):
        return
    left = [held for held in (namespace.get("spec") or {}).get("finalizers") or () if held != NAMESPACE_FINALIZER]
    deletion.finish(context.draft, context.draft.put({**namespace, "spec": {"finalizers": left}}))
