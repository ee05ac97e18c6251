"""A container's environment variables, and $(VAR) in its command, as the kubelet computes them."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from typing import Any

from cluster import objects
from cluster.dns import ZONE
from topo.sources import NOTHING, ConfigError, Sources

LONGEST_HOSTNAME = 64
"""What the kernel takes (sethostname(2))."""
_LONGEST_LABEL = 63
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


def environment(
    container: Mapping[str, Any], pod: Mapping[str, Any], sources: Sources = NOTHING
) -> Mapping[str, str]:
    """The container's variables: of Services, of `envFrom`, of `env`, later ones before earlier ones; each of `env`
    may refer to those before it. Raises ConfigError where a ConfigMap or Secret that must be there is not.

    Values from resource limits are not set: there are no limits.
    """
    links = pod["spec"].get("enableServiceLinks") is not False if "spec" in pod else False
    given: dict[str, str] = {}
    variables = ChainMap(given, sources.service_variables(objects.namespace(pod), links))
    for entry in container.get("envFrom") or ():
        given.update(_all_of(entry, pod, sources))
    for entry in container.get("env") or ():
        value = _value(entry, pod, sources)
        if value is None and "valueFrom" not in entry:
            value = expand(entry.get("value") or "", variables)
        if value is not None:
            given[entry["name"]] = value
    return variables


def _all_of(entry: Mapping[str, Any], pod: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    """Every key of an `envFrom` source."""
    for source, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if (reference := entry.get(source)) is None:
            continue
        try:
            data = sources.data(kind, objects.namespace(pod), reference["name"])
        except ConfigError:
            if reference.get("optional"):
                continue
            raise
        return {f"{entry.get('prefix') or ''}{key}": value.decode(errors="replace") for key, value in data.items()}
    return {}


def _value(entry: Mapping[str, Any], pod: Mapping[str, Any], sources: Sources) -> str | None:
    """What `valueFrom` says; None where it says nothing."""
    source = entry.get("valueFrom") or {}
    if (field_ref := source.get("fieldRef")) is not None:
        return field_text(pod, field_ref["fieldPath"])
    for name, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if (reference := source.get(name)) is None:
            continue
        namespace = objects.namespace(pod)
        try:
            data = sources.data(kind, namespace, reference["name"])
            if reference["key"] not in data:
                raise ConfigError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")
            return data[reference["key"]].decode(errors="replace")
        except ConfigError:
            if not reference.get("optional"):
                raise
    return None


def expanded(arguments: Iterable[str] | None, variables: Mapping[str, str]) -> tuple[str, ...]:
    """A command or its arguments with each $(NAME) replaced."""
    return tuple(expand(argument, variables) for argument in arguments or ())


def field_text(pod: Mapping[str, Any], path: str) -> str | None:
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
    pod's name, cut to what DNS accepts (63 characters, no trailing dot or dash); with `setHostnameAsFQDN` and a
    domain, with that."""
    if pod["spec"].get("hostNetwork"):
        return str(pod["spec"].get("nodeName") or pod["metadata"]["name"])
    longest, *short = own_names(pod)
    return longest if pod["spec"].get("setHostnameAsFQDN") or not short else short[0]


def own_names(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """The pod's names in its /etc/hosts: the one with its domain, if `spec.subdomain` gives it one, and its own."""
    spec = pod["spec"]
    own = str(spec.get("hostname") or pod["metadata"]["name"])[:_LONGEST_LABEL].rstrip("-.")
    if not spec.get("subdomain"):
        return (own,)
    return f"{own}.{spec['subdomain']}.{objects.namespace(pod)}.svc.{ZONE}", own


def check_hostname(pod: Mapping[str, Any]) -> None:
    """Raises ConfigError, in the kubelet's words, where the kernel does not take the pod's hostname."""
    name = hostname(pod)
    if len(name) > LONGEST_HOSTNAME:
        raise ConfigError(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {name} is too long "
            f"({LONGEST_HOSTNAME} characters is the max, {len(name)} characters requested)"
        )
