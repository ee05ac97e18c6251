"""Ingresses -> hosts and their locations.

Of two Ingresses that claim the same host, path and type the older one has it. "If none of the hosts or paths match the
HTTP request in the Ingress objects, the traffic is routed to your default backend" (kubernetes.io, Ingress): that of an
Ingress with this host, else that of an Ingress without rules, else that of any Ingress, else --default-backend-service,
else there is none and the answer is 404.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from topo.ingress import backends, certificates, classes
from topo.ingress import wishes as annotated
from topo.ingress.certificates import CertificateError
from topo.ingress.options import Options
from topo.ingress.site import Certificate, Host, Location, PathType, Site
from topo.ingress.wishes import Wishes
from topo.ingress.world import Object, World, full_name, namespace

EVERY_HOST = ""
_OPERATORS = re.compile(r"[()\[\]{}*+?|^$\\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def site(world: World, options: Options) -> Site:
    """What this controller is to serve."""
    builder = _Builder(world, options)
    for ingress in world.ingresses():
        if classes.is_ours(ingress, world, options):
            builder.add(ingress)
    return Site(tuple(builder.hosts()), tuple(builder.warnings))


@dataclass(slots=True)
class _Host:
    locations: dict[tuple[str, str], Location] = field(default_factory=dict)
    """By path and type."""
    default: Location | None = None
    certificate: Certificate | None = None


@dataclass(slots=True)
class _Builder:
    world: World
    options: Options
    warnings: list[str] = field(default_factory=list)
    _hosts: dict[str, _Host] = field(default_factory=lambda: {EVERY_HOST: _Host()})
    _tls_hosts: dict[str, Certificate] = field(default_factory=dict)
    """Hosts that an Ingress has a certificate for. Some may have no rule."""
    _catch_all: Location | None = None
    _any_default: Location | None = None

    def add(self, ingress: Object) -> None:
        wishes = annotated.of(ingress["metadata"].get("annotations") or {})
        for said in wishes.warnings:
            self._warn(ingress, said)
        spec = ingress["spec"]
        default = self._location(ingress, wishes, "", "Prefix", spec.get("defaultBackend") or {})
        named = [rule.get("host") or EVERY_HOST for rule in spec.get("rules") or ()]
        for host, rule in zip(named, spec.get("rules") or (), strict=True):
            known = self._hosts.setdefault(host, _Host())
            known.default = known.default or default
            for path in (rule.get("http") or {}).get("paths") or ():
                self._add_path(ingress, wishes, host, path)
        if default is not None:
            self._any_default = self._any_default or default
            self._catch_all = self._catch_all or (None if named else default)
        self._add_certificates(ingress, named)

    def hosts(self) -> Iterable[Host]:
        """In the order of their names."""
        everywhere = self._hosts[EVERY_HOST]
        for name, certificate in self._tls_hosts.items():
            if name not in self._hosts:
                self._hosts[name] = replace(everywhere, certificate=certificate)
        fallback = self._catch_all or self._any_default or self._configured_default()
        for name, host in sorted(self._hosts.items()):
            default = host.default or fallback
            locations = (*host.locations.values(), *([default] if default else []))
            yield Host(name, locations, host.certificate)

    def _add_path(self, ingress: Object, wishes: Wishes, host: str, entry: Mapping[str, Any]) -> None:
        path_type: PathType = entry.get("pathType", "ImplementationSpecific")
        path = entry.get("path") or "/"
        if path_type not in get_args(PathType) or not path.startswith("/") or _CONTROL.search(path):
            self._warn(ingress, f"path {path!r} of type {path_type} is left out: it cannot be")
            return
        if path_type == "Prefix" and path != "/":
            # "If the last element of the path is a substring …"; a trailing slash makes no difference.
            path = path.rstrip("/") or "/"
        location = self._location(ingress, wishes, path, path_type, entry.get("backend") or {})
        if location is None:
            return
        locations = self._hosts[host].locations
        first = locations.setdefault((path, path_type), location)
        if first is not location:
            self._warn(ingress, f"host {host or '*'}, path {path} is left out: {first.ingress} has it")

    def _location(
        self, ingress: Object, wishes: Wishes, path: str, path_type: PathType, entry: Mapping[str, Any]
    ) -> Location | None:
        """None where the backend is no Service, or the path a regular expression that is none."""
        if "service" not in entry:
            if entry:
                self._warn(ingress, f"path {path or '(default)'} is left out: backends are Services, not resources")
            return None
        found, said = backends.backend(self.world, namespace(ingress), entry["service"])
        if said:
            self._warn(ingress, f"{said}; requests get 503")
        is_regex = path != "" and _is_regex(path, path_type, wishes)
        if is_regex and (problem := _regex_problem(path)):
            self._warn(ingress, f"path {path!r} is left out: {problem}")
            return None
        rewrite = wishes.rewrite if path else None
        return Location(
            path, path_type, found, full_name(ingress), is_regex, rewrite, wishes.redirect, wishes.affinity
        )

    def _add_certificates(self, ingress: Object, named: Iterable[str]) -> None:
        for entry in ingress["spec"].get("tls") or ():
            certificate = self._certificate(ingress, entry.get("secretName"))
            if certificate is None:
                continue
            hosts = entry.get("hosts") or ()
            for name in hosts:
                self._tls_hosts.setdefault(name, certificate)
            for name in named:
                host = self._hosts[name]
                if host.certificate is None and (not hosts or name in hosts or _wildcard_of(name) in hosts):
                    host.certificate = certificate

    def _certificate(self, ingress: Object, secret_name: str | None) -> Certificate | None:
        if not secret_name:
            return None
        secret = self.world.get("Secret", namespace(ingress), secret_name)
        try:
            if secret is None:
                raise CertificateError(f"Secret {namespace(ingress)}/{secret_name} does not exist")
            return certificates.certificate(secret)
        except CertificateError as error:
            self._warn(ingress, f"{error}; nobody will trust the certificate")
            return None

    def _configured_default(self) -> Location | None:
        space, _, service = self.options.default_backend_service.partition("/")
        found = self.world.get("Service", space, service)
        ports = (found or {}).get("spec", {}).get("ports")
        if not ports:
            return None
        wanted = {"name": service, "port": {"number": ports[0]["port"]}}
        backend, _ = backends.backend(self.world, space, wanted)
        return Location("", "Prefix", backend, self.options.default_backend_service, redirect="never")

    def _warn(self, ingress: Object, said: str) -> None:
        self.warnings.append(f"Ingress {full_name(ingress)}: {said}")


def _is_regex(path: str, path_type: PathType, wishes: Wishes) -> bool:
    """Where annotations make paths regular expressions: those of type ImplementationSpecific, and those that only make
    sense as one. (ingress-nginx takes every path of the host as one, and so breaks Prefix and Exact.)"""
    if path_type == "Exact" or not (wishes.use_regex or wishes.rewrite is not None):
        return False
    return path_type == "ImplementationSpecific" or _OPERATORS.search(path) is not None


def _regex_problem(path: str) -> str:
    try:
        re.compile(path)
    except re.error as error:
        return f"it is no regular expression: {error}"
    return ""


def _wildcard_of(host: str) -> str:
    return f"*.{host.partition('.')[2]}"
