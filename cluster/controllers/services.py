"""Services get the cluster addresses that admission did not give them: those that were there before their range."""

from __future__ import annotations

from cluster.context import Context
from cluster.draft import Key
from cluster.problems import SpecError
from cluster.service_ips import allocate, is_complete


def look(context: Context, key: Key) -> None:
    service = context.get(key)
    if service is None or is_complete(service):
        return
    try:
        context.draft.put_all(allocate(context.draft.objects("Service"), context.cluster.service_subnets))
    except SpecError as error:
        # The repair loop of the real API server says the same, and tries again when a Service changes.
        message = "; ".join(problem.message for problem in error.problems)
        context.event(service, "Warning", "ClusterIPNotAllocated", message, "ipallocator-repair-controller")
