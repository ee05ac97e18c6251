"""What nginx is to serve: hosts, their locations, and where requests go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PathType = Literal["Exact", "Prefix", "ImplementationSpecific"]
Redirect = Literal["never", "with-certificate", "always"]
"""When plain HTTP is sent to HTTPS: never, if the host has a certificate, or in any case."""


@dataclass(frozen=True, slots=True)
class Affinity:
    """A client comes back to its endpoint by a cookie. `attributes` are the rest of the Set-Cookie header."""

    cookie: str
    attributes: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """The endpoints of a Service's port, as "address:port". None: requests are answered with 503."""

    name: str
    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class External:
    """A Service of type ExternalName: a name that is looked up when a request comes."""

    name: str
    hostname: str
    port: int


Backend = Upstream | External


@dataclass(frozen=True, slots=True)
class Location:
    """A path of a host. `is_regex`: the path is a regular expression, not compared by its type. `path` "" is what
    takes all that no path of the host matches."""

    path: str
    path_type: PathType
    backend: Backend
    ingress: str
    is_regex: bool = False
    rewrite: str | None = None
    redirect: Redirect = "with-certificate"
    affinity: Affinity | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its chain, and its key, in PEM."""

    name: str
    chain: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Host:
    """`name` is a host name, "*.example.com", or "" for every host that has no other. Locations are in no order."""

    name: str
    locations: tuple[Location, ...]
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """`warnings` say which part of the Ingresses is not served, and why."""

    hosts: tuple[Host, ...]
    warnings: Sequence[str] = ()
