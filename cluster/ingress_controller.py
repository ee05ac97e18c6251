"""The ingress controller that a cluster gets with its first Ingress or IngressClass that is for it, if it has none.

The objects are those of ingress-nginx's manifest for clouds, less what has no effect here. Like all of a cluster's own
objects they are ordinary ones: a manifest of the same kind and name replaces them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cluster.ingress_annotations import CLASS as CLASS_ANNOTATION
from cluster.objects import Object
from cluster.templates import pod_spec_path, value_at

NAMESPACE = "ingress-nginx"
NAME = "ingress-nginx-controller"
CLASS, CONTROLLER = "nginx", "k8s.io/ingress-nginx"
IMAGE = "registry.k8s.io/ingress-nginx/controller:v1.11.2"
IMAGE_NAME = "ingress-nginx/controller"
PROGRAM = "/nginx-ingress-controller"

_ACCOUNT = "ingress-nginx"
_PORTS = (("http", 80), ("https", 443))
_HEALTH_PORT = 10254
_SELECTOR = {
    "app.kubernetes.io/name": "ingress-nginx",
    "app.kubernetes.io/instance": "ingress-nginx",
    "app.kubernetes.io/component": "controller",
}


def is_controller_image(image: str) -> bool:
    """`registry.k8s.io/ingress-nginx/controller:v1.11.2@sha256:…`"""
    path = image.partition("@")[0]
    head, _, last = path.rpartition("/")
    return f"{head.rpartition('/')[2]}/{last.partition(':')[0]}" == IMAGE_NAME


def runs_controller(objects: Iterable[Object]) -> bool:
    """Whether a pod of any of them runs an ingress controller."""
    return any(is_controller_image(image) for obj in objects for image in _images(obj))


def controller_objects(objects: Sequence[Object]) -> Sequence[Object]:
    """The controller for a cluster with these objects; nothing where nobody needs it or there is one."""
    controllers = {
        str(obj["metadata"]["name"]): obj["spec"].get("controller") for obj in objects if obj["kind"] == "IngressClass"
    }
    if CONTROLLER not in controllers.values() and not any(_asks(obj, controllers) for obj in objects):
        return ()
    if runs_controller(objects):
        return ()
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": dict(_SELECTOR)}}
    account: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(_ACCOUNT)}
    return [space, account, _class(), _deployment(), _service()]


def _asks(obj: Object, controllers: Mapping[str, str | None]) -> bool:
    """Whether this is an Ingress without a class, or of one that is this controller's. `controllers`: by class."""
    if obj["kind"] != "Ingress":
        return False
    annotations = obj["metadata"].get("annotations") or {}
    named = obj["spec"].get("ingressClassName") or annotations.get(CLASS_ANNOTATION)
    return named is None or controllers.get(named, CONTROLLER if named == CLASS else None) == CONTROLLER


def _images(obj: Object) -> Iterator[str]:
    path = pod_spec_path(str(obj["kind"]))
    spec = value_at(obj, path) if path is not None else None
    for container in (spec or {}).get("containers") or ():
        yield container.get("image", "")


def _class() -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": CLASS, "labels": dict(_SELECTOR)},
        "spec": {"controller": CONTROLLER},
    }


def _deployment() -> Object:
    args = [
        PROGRAM,
        f"--publish-service=$(POD_NAMESPACE)/{NAME}",
        f"--controller-class={CONTROLLER}",
        f"--ingress-class={CLASS}",
        "--watch-ingress-without-class=true",
    ]
    # As often as Kubernetes allows: until the first answer nobody can use it.
    probe = {"httpGet": {"path": "/healthz", "port": _HEALTH_PORT}, "periodSeconds": 1, "failureThreshold": 3}
    container = {
        "name": "controller",
        "image": IMAGE,
        "args": args,
        "env": [_own("POD_NAME", "metadata.name"), _own("POD_NAMESPACE", "metadata.namespace")],
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in _PORTS],
        "readinessProbe": probe,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(NAME),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": dict(_SELECTOR)},
            "template": {
                "metadata": {"labels": dict(_SELECTOR)},
                "spec": {"serviceAccountName": _ACCOUNT, "containers": [container]},
            },
        },
    }


def _service() -> Object:
    """externalTrafficPolicy Local, so that the controller sees the true address of a client and can pass it on."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(NAME),
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "ipFamilyPolicy": "PreferDualStack",
            "selector": dict(_SELECTOR),
            "ports": [
                {"name": name, "port": port, "protocol": "TCP", "targetPort": name, "appProtocol": name}
                for name, port in _PORTS
            ],
        },
    }


def _own(variable: str, path: str) -> Mapping[str, object]:
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _metadata(name: str) -> Object:
    return {"name": name, "namespace": NAMESPACE, "labels": dict(_SELECTOR)}
