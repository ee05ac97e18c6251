"""What the path of a request names: /api/v1/namespaces/shop/pods/web-1/log and its kin.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cluster import resources
from cluster.resources import Resource

_BELOW_A_NAMESPACE_OBJECT = ("status", "finalize")
"""What can follow namespaces/NAME without being a resource in that namespace."""


@dataclass(frozen=True, slots=True)
class Target:
    """`namespace` is "" for all namespaces, and for kinds that have none; `name` is "" for collections.

    `rest` is what follows a `proxy` subresource, with its leading slash.
    """

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""


def parse(path: str) -> Target | None:
    """None when nothing is served there."""
    words = path.split("/")[1:]
    if words[0] == "api":
        group, words = "", words[1:]
    elif words[0] == "apis" and len(words) > 1:
        group, words = words[1], words[2:]
    else:
        return None
    if len(words) < 2 or not words[1]:
        return None
    version, words = words[0], words[1:]
    if words[0] == "namespaces" and len(words) > 2 and words[2] not in _BELOW_A_NAMESPACE_OBJECT:
        return _target(group, version, words[1], words[2:])
    return _target(group, version, "", words)


def _target(group: str, version: str, namespace: str, words: Sequence[str]) -> Target | None:
    resource = resources.find(group, version, words[0])
    name, subresource = (*words[1:3], "", "")[:2]
    if resource is None or (not resource.namespaced and namespace):
        return None
    if name and resource.namespaced and not namespace:
        return None
    if subresource and resource.subresource(subresource) is None:
        return None
    if len(words) > 3 and subresource != "proxy":
        return None
    rest = "/" + "/".join(words[3:]) if subresource == "proxy" else ""
    return Target(resource, namespace, name, subresource, rest)
