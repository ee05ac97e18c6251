"""How many replicas each ReplicaSet of a Deployment is to have next. Arithmetic only.

The rules are those of the Deployment controller (rolling.go, deployment_util.go): at no time more than
replicas + maxSurge pods, at no time fewer than replicas - maxUnavailable available ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.controllers.revisions import MAX_REPLICAS
from cluster.objects import Object, annotation, name

Sizes = dict[str, int]
"""ReplicaSet name -> replicas, of those that change."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a rolling update may do, in pods."""

    surge: int
    unavailable: int


def bounds(deployment: Mapping[str, Any]) -> Bounds:
    """maxSurge (rounded up) and maxUnavailable (rounded down) of a Deployment; never both 0."""
    spec = deployment["spec"]
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Bounds(0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    surge = amount(rolling.get("maxSurge", "25%"), spec["replicas"], up=True)
    unavailable = amount(rolling.get("maxUnavailable", "25%"), spec["replicas"], up=False)
    if surge == unavailable == 0:
        # "Validation should never allow that … but the percentages may round to it".
        unavailable = 1
    return Bounds(surge, min(unavailable, spec["replicas"]))


def amount(value: int | str, total: int, up: bool) -> int:
    """An IntOrString: a number, or a percentage of `total`."""
    if isinstance(value, int):
        return value
    share = int(value.rstrip("%")) * total
    return -(-share // 100) if up else share // 100


def size_of_new(deployment: Mapping[str, Any], new_size: int, total: int) -> int:
    """The size of the newest ReplicaSet: up as far as the surge lets it, when `total` replicas are asked for."""
    wanted: int = deployment["spec"]["replicas"]
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate" or new_size > wanted:
        return wanted
    room = wanted + bounds(deployment).surge - total
    return new_size if room <= 0 else new_size + min(room, wanted - new_size)


def sizes_of_old(deployment: Mapping[str, Any], new: Object, old: Sequence[Object]) -> Sizes:
    """How far the old ReplicaSets go down: first what is not available anyway, then what the bounds allow."""
    everything = [*old, new]
    least = deployment["spec"]["replicas"] - bounds(deployment).unavailable
    not_yet = new["spec"]["replicas"] - available(new)
    removable = sum(size(rs) for rs in everything) - least - not_yet
    sizes: Sizes = {}
    if removable <= 0:
        return sizes
    removed = 0
    for rs in old:
        step = min(removable - removed, size(rs) - available(rs))
        if step > 0:
            sizes[name(rs)] = size(rs) - step
            removed += step
    spare = sum(map(available, everything)) - least
    for rs in old:
        step = min(spare, sizes.get(name(rs), size(rs)))
        if step > 0:
            sizes[name(rs)] = sizes.get(name(rs), size(rs)) - step
            spare -= step
    return sizes


def proportional(deployment: Mapping[str, Any], active: Sequence[Object]) -> Sizes:
    """The sizes after the Deployment was scaled in the middle of a rolling update: each grows by its share.

    `active`: the ReplicaSets with replicas, oldest first. What rounding leaves goes to the largest.
    """
    wanted = deployment["spec"]["replicas"]
    most = wanted + bounds(deployment).surge if wanted > 0 else 0
    to_add = most - sum(map(size, active))
    # Of equal ones the newer is first when growing, the older when shrinking.
    ordered = sorted(reversed(active) if to_add > 0 else active, key=lambda rs: -size(rs))
    sizes: Sizes = {}
    added = 0
    for rs in ordered:
        share = _share(deployment, rs, most, to_add, added)
        sizes[name(rs)] = size(rs) + share
        added += share
    if ordered:
        first = name(ordered[0])
        sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _share(deployment: Mapping[str, Any], rs: Object, most: int, to_add: int, added: int) -> int:
    if to_add == added or not size(rs):
        return 0
    if not deployment["spec"]["replicas"]:
        fraction = -size(rs)
    else:
        text = annotation(rs, MAX_REPLICAS) or ""
        before = int(text) if text.isdigit() else deployment.get("status", {}).get("replicas", 0)
        fraction = math.floor(size(rs) * most / before + 0.5) - size(rs) if before else 0
    return min(fraction, to_add - added) if to_add > 0 else max(fraction, to_add - added)


def size(replica_set: Mapping[str, Any]) -> int:
    return int(replica_set["spec"]["replicas"])


def available(replica_set: Mapping[str, Any]) -> int:
    return int(replica_set.get("status", {}).get("availableReplicas", 0))
