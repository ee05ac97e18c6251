"""Services get the cluster addresses that admission did not give them: those that were there before their range."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.context import Context
from cluster.draft import Key
from cluster.problems import SpecError
from cluster.service_ips import allocate, is_complete


def look_at_all(context: Context, keys: Sequence[Key]) -> None:
    incomplete = [service for service in context.get_all(keys) if not is_complete(service)]
    if not incomplete:
        return
    try:
        context.draft.put_all(allocate(context.draft.objects("Service"), context.cluster.service_subnets))
    except SpecError as error:
        # The repair loop of the real API server says the same, and tries again when a Service changes.
        for service in incomplete:
            message = "; ".join(problem.message for problem in error.problems)
            context.event(service, "Warning", "ClusterIPNotAllocated", message, "ipallocator-repair-controller")
