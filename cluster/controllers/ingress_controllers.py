"""An ingress controller for the first Ingress of a cluster that has none: in Kubernetes such an Ingress does nothing, and
nothing says so.

Looked at when an Ingress or IngressClass comes. Whoever deletes what was made then, but for its namespace, has it deleted
for good.
"""

from __future__ import annotations

from cluster.context import Context
from cluster.draft import Key
from cluster.ingress_controller import IMAGE, NAMESPACE, controller_objects
from cluster.service_ips import allocate
from cluster.templates import TEMPLATE_PATHS

_COMPONENT = "ingress-controllers"


def look(context: Context, key: Key) -> None:
    asking = context.live(key)
    if asking is None or context.get(("Namespace", "", NAMESPACE)) is not None:
        return
    classes = context.draft.objects("IngressClass")
    running = [obj for kind in TEMPLATE_PATHS for obj in context.draft.objects(kind)]
    made = controller_objects([asking, *classes, *running])
    if not made:
        return
    for obj in made:
        context.create(obj)
    context.draft.put_all(allocate(context.draft.objects("Service"), context.cluster.service_subnets))
    message = f"Nothing ran an ingress controller: created {NAMESPACE}, with image {IMAGE}"
    context.event(asking, "Normal", "IngressControllerCreated", message, _COMPONENT)
