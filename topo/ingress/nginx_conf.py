"""A site -> the text of nginx.conf.

How nginx chooses (ngx_http_core_module): of the servers, the one with that name, else the first whose regular
expression matches it; in it the location `=` the path, else the first regular expression that matches, else the longest
prefix. A Kubernetes wildcard is "only a single label", so it is an expression here; nginx's own takes any number.

nginx answers /foo with a redirect to /foo/ if a location of that name is there but none for /foo, which no Ingress
asks for. So a path with a slash at its end becomes an expression, unless it is of type Prefix, which has both. Once a
host has an expression that may match what a longer path should, all of its paths are expressions, the longest first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from topo.ingress.certificates import file_name
from topo.ingress.options import Options
from topo.ingress.site import Affinity, Backend, External, Host, Location, Site, Upstream

_ORDER = {"Exact": 0, "Prefix": 1, "ImplementationSpecific": 2}
_INDENT = "    "
_END = r"\z"
_END_OF_ELEMENT = r"(?:/|\z)"
GENERATION_PATH = "/generation"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration depends on besides Ingresses. `directory` is where nginx may write and has its
    certificates, `resolvers` are name servers, `open_files` how many files a worker may open."""

    options: Options
    directory: str
    resolvers: Sequence[str] = ()
    has_ipv6: bool = False
    as_root: bool = True
    open_files: int = 4096
    listen_address: str = "*"


def text(site: Site, settings: Settings) -> tuple[str, str]:
    """The configuration, and the name of its generation, which nginx tells at GENERATION_PATH of the status port."""
    sticky = _sticky(site)
    body = "\n".join(
        (
            *_header(settings),
            "http {",
            *_indented(_common(settings)),
            *_indented(_affinity_maps(sticky)),
            *_indented(_upstreams(site, sticky)),
            *_indented(_servers(site, settings, sticky)),
        )
    )
    generation = hashlib.sha256(body.encode()).hexdigest()[:16]
    return "\n".join((body, *_indented(_status_server(settings, generation)), "}", "")), generation


def quoted(value: str) -> str:
    """As one word of nginx's language; a `$` keeps its meaning."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


Sticky = Mapping[Affinity, int]
"""A number for each way of affinity, in the order in which they first occur."""


def _sticky(site: Site) -> dict[Affinity, int]:
    found: dict[Affinity, int] = {}
    for location in _all_locations(site):
        if location.affinity is not None:
            found.setdefault(location.affinity, len(found))
    return found


def _all_locations(site: Site) -> Iterator[Location]:
    for host in site.hosts:
        yield from host.locations


def _header(settings: Settings) -> Iterator[str]:
    if settings.as_root:
        yield "user root;"
    # One worker: its choice among endpoints is strictly in turn, and a testbed has few processors for many nodes.
    yield "worker_processes 1;"
    yield f"worker_rlimit_nofile {settings.open_files};"
    yield "worker_shutdown_timeout 240s;"
    yield "daemon off;"
    yield f"pid {settings.directory}/nginx.pid;"
    yield "error_log stderr warn;"
    yield "events {"
    yield f"{_INDENT}worker_connections {max(64, settings.open_files - 32)};"
    yield f"{_INDENT}multi_accept on;"
    yield "}"


def _common(settings: Settings) -> Iterator[str]:
    common = Path(__file__).with_name("common.conf").read_text()
    for line in common.replace("@DIRECTORY@", settings.directory).splitlines():
        if line and not line.startswith("#"):
            yield line
    if settings.resolvers:
        yield f"resolver {' '.join(settings.resolvers)} valid=1s{'' if settings.has_ipv6 else ' ipv6=off'};"


def _affinity_maps(sticky: Sticky) -> Iterator[str]:
    """The key by which a request finds its endpoint: its cookie, or a new one that it is then given."""
    for affinity, number in sticky.items():
        known = rf"~(?:^|;\s*){re.escape(affinity.cookie)}=(?<affinity_{number}_value>[^;]+)"
        yield f"map $http_cookie $affinity_{number} {{"
        yield f"{_INDENT}default $request_id;"
        yield f"{_INDENT}{quoted(known)} $affinity_{number}_value;"
        yield "}"
        yield f"map $http_cookie $affinity_{number}_cookie {{"
        yield f"{_INDENT}default {quoted(f'{affinity.cookie}=$request_id; {affinity.attributes}')};"
        yield f"{_INDENT}{quoted(known.replace('_value', '_known'))} \"\";"
        yield "}"


def _upstreams(site: Site, sticky: Sticky) -> Iterator[str]:
    written: set[str] = set()
    for location in _all_locations(site):
        backend = location.backend
        if not isinstance(backend, Upstream) or not backend.endpoints:
            continue
        name = _upstream_name(backend, location.affinity, sticky)
        if name in written:
            continue
        written.add(name)
        yield f"upstream {name} {{"
        if location.affinity is not None:
            yield f"{_INDENT}hash $affinity_{sticky[location.affinity]} consistent;"
        for endpoint in backend.endpoints:
            yield f"{_INDENT}server {endpoint} max_fails=0;"
        yield f"{_INDENT}keepalive 320;"
        yield "}"


def _upstream_name(backend: Upstream, affinity: Affinity | None, sticky: Sticky) -> str:
    return backend.name if affinity is None else f"{backend.name}.affinity{sticky[affinity]}"


def _servers(site: Site, settings: Settings, sticky: Sticky) -> Iterator[str]:
    for host in site.hosts:
        yield "server {"
        yield from _indented(_server(host, settings, sticky))
        yield "}"


def _server(host: Host, settings: Settings, sticky: Sticky) -> Iterator[str]:
    options = settings.options
    default = "" if host.name else " default_server"
    yield f"server_name {_server_name(host.name)};"
    for port, how in ((options.http_port, ""), (options.https_port, " ssl http2")):
        yield f"listen {settings.listen_address}:{port}{default}{how};"
        if settings.has_ipv6:
            yield f"listen [::]:{port}{default}{how};"
    file = file_name(host.certificate) if host.certificate else "fake.pem"
    yield f"ssl_certificate {settings.directory}/ssl/{file};"
    yield f"ssl_certificate_key {settings.directory}/ssl/{file};"
    yield 'set $proxy_upstream_name "";'
    for where, location in _placed(host):
        yield f"location {where} {{"
        yield from _indented(_location(location, host, sticky))
        yield "}"


def _server_name(name: str) -> str:
    if not name:
        return "_"
    if name.startswith("*."):
        return quoted(rf"~^[^.]+\.{re.escape(name[2:])}$")
    return name


def _placed(host: Host) -> Iterator[tuple[str, Location | None]]:
    """Each location with what stands behind the word `location`. None: nobody serves this, 404."""
    by_expression = any(_needs_expression(location) for location in host.locations)
    taken: set[str] = set()
    for location in sorted(host.locations, key=_precedence):
        for where in _places(location, by_expression):
            if where not in taken:
                taken.add(where)
                yield where, location
    if '"/"' not in taken:
        yield '"/"', None


def _precedence(location: Location) -> tuple[int, int, int, str]:
    """Exact paths first, then the longest: "precedence will be given first to the longest matching path. If two paths
    are still equally matched, precedence will be given to paths with an exact path type over prefix path type"."""
    exact = location.path_type == "Exact"
    return 0 if exact else 1, -len(location.path), _ORDER[location.path_type], location.path


def _needs_expression(location: Location) -> bool:
    """Whether the location has to be an expression that may match more than one path."""
    slash = location.path_type == "ImplementationSpecific" and location.path.endswith("/") and location.path != "/"
    return location.is_regex or slash


def _places(location: Location, by_expression: bool) -> Iterable[str]:
    path, literal = location.path, re.escape(location.path)
    if location.path_type == "Exact":
        return [f"~ {quoted(f'^{literal}{_END}')}" if path.endswith("/") and path != "/" else f"= {quoted(path)}"]
    if path == "":
        return ['"/"']
    if location.is_regex:
        return [f"~* {quoted(f'^{path}')}"]
    if path == "/":
        return [f"~ {quoted('^/')}"] if by_expression else ['"/"']
    if by_expression:
        end = _END_OF_ELEMENT if location.path_type == "Prefix" else ""
        return [f"~ {quoted(f'^{literal}{end}')}"]
    return [f"= {quoted(path)}", quoted(f"{path}/")] if location.path_type == "Prefix" else [quoted(path)]


def _location(location: Location | None, host: Host, sticky: Sticky) -> Iterator[str]:
    if location is None:
        yield "return 404;"
        return
    if location.redirect == "always" or (location.redirect == "with-certificate" and host.certificate):
        yield "if ($scheme = http) {"
        yield f"{_INDENT}return 308 https://$host$request_uri;"
        yield "}"
    yield f"set $proxy_upstream_name {quoted(location.backend.name)};"
    if location.rewrite is not None:
        matched = f"(?i)^{location.path}" if location.is_regex else "^"
        yield f"rewrite {quoted(matched)} {quoted(location.rewrite)} break;"
    if location.affinity is not None:
        yield f"add_header Set-Cookie $affinity_{sticky[location.affinity]}_cookie always;"
    yield from _pass(location.backend, location.affinity, sticky)


def _pass(backend: Backend, affinity: Affinity | None, sticky: Sticky) -> Iterator[str]:
    if isinstance(backend, External):
        # A variable, so that the name is looked up when it is needed and not once for all.
        yield f"set $external {quoted(backend.hostname)};"
        yield f"proxy_pass http://$external:{backend.port};"
    elif backend.endpoints:
        yield f"proxy_pass http://{_upstream_name(backend, affinity, sticky)};"
    else:
        yield "return 503;"


def _status_server(settings: Settings, generation: str) -> Iterator[str]:
    yield "server {"
    yield f"{_INDENT}listen 127.0.0.1:{settings.options.status_port};"
    yield f"{_INDENT}access_log off;"
    yield f"{_INDENT}location = {GENERATION_PATH} {{ return 200 {generation}; }}"
    yield f"{_INDENT}location = /nginx_status {{ stub_status; }}"
    yield "}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"{_INDENT}{line}" for line in lines)
