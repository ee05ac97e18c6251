"""A container's environment variables, and $(VAR) in its command, as the kubelet computes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")
_MAP_KEY = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with each $(NAME) replaced.

    "If a variable cannot be resolved, the reference in the input string will be unchanged. Double $$ are reduced to a
    single $, which allows for escaping the $(VAR_NAME) syntax." (API reference, Container.command)
    """

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "$"
        return variables.get(name, match.group(0))

    return _REFERENCE.sub(replace, text)


def environment(container: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, str]:
    """The variables that the container's `env` sets; each may refer to those before it.

    Values from ConfigMaps, Secrets and resource limits are not set: they do not belong to the network.
    """
    variables: dict[str, str] = {}
    for entry in container.get("env") or ():
        field_path = (entry.get("valueFrom") or {}).get("fieldRef", {}).get("fieldPath")
        value = field(pod, field_path) if field_path else None
        if value is None and "valueFrom" not in entry:
            value = expand(entry.get("value") or "", variables)
        if value is not None:
            variables[entry["name"]] = value
    return variables


def expanded(arguments: Iterable[str] | None, variables: Mapping[str, str]) -> tuple[str, ...]:
    """A command or its arguments with each $(NAME) replaced."""
    return tuple(expand(argument, variables) for argument in arguments or ())


def field(pod: Mapping[str, Any], path: str) -> str | None:
    """What a `fieldRef.fieldPath` of the downward API says about the pod; None where the pod has no such value yet."""
    keyed = _MAP_KEY.fullmatch(path)
    if keyed:
        return str((pod["metadata"].get(keyed.group(1)) or {}).get(keyed.group(2), ""))
    if path in ("status.podIPs", "status.hostIPs"):
        return ",".join(entry["ip"] for entry in pod.get("status", {}).get(path.removeprefix("status."), ()))
    section, _, key = path.partition(".")
    value = (pod.get(section) or {}).get(key)
    if value is None and path == "spec.serviceAccountName":
        value = "default"
    return None if value is None else str(value)


def hostname(pod: Mapping[str, Any]) -> str:
    """What the pod's containers find as their hostname: the node's on the host network, else `spec.hostname` or the
    pod's name, cut to what the kernel and DNS accept (63 characters, no trailing dot or dash)."""
    spec = pod["spec"]
    if spec.get("hostNetwork"):
        return str(spec.get("nodeName") or pod["metadata"]["name"])
    name = str(spec.get("hostname") or pod["metadata"]["name"])
    return name[:63].rstrip("-.")
