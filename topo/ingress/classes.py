"""Which Ingresses are this controller's (ingress-nginx, internal/ingress/controller/store, GetIngressClass)."""

from __future__ import annotations

from cluster.ingress_annotations import CLASS
from topo.ingress.options import Options
from topo.ingress.world import Object, World, namespace


def is_ours(ingress: Object, world: World, options: Options) -> bool:
    """By the IngressClass that it names, which must be of this controller; else by the old annotation; with neither
    only if the controller takes what has no class."""
    if options.watch_namespace and namespace(ingress) != options.watch_namespace:
        return False
    named = ingress["spec"].get("ingressClassName")
    if named is not None:
        found = world.get("IngressClass", "", named)
        return found is not None and found["spec"].get("controller") == options.controller_class
    annotated = (ingress["metadata"].get("annotations") or {}).get(CLASS)
    if annotated:
        return bool(annotated == options.ingress_class)
    return options.watch_ingress_without_class
