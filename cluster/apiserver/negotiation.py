"""Which form of an answer a client accepts (RFC 9110, section 12.5.1, and Kubernetes' parameters as, g and v).

There is JSON and YAML. Protobuf is only read (`protobuf`): clients that prefer it name JSON next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from cluster.registry.errors import not_acceptable

JSON = "application/json"
YAML = "application/yaml"
SUPPORTED = (JSON, YAML)


@dataclass(frozen=True, slots=True)
class MediaType:
    """One element of an Accept header, or a Content-Type."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def quality(self) -> float:
        try:
            return float(self.parameters.get("q", "1"))
        except ValueError:
            return 0.0


@dataclass(frozen=True, slots=True)
class Form:
    """`media_type`: JSON or YAML. `kind`: into what the answer is converted (Table, PartialObjectMetadata…), "" = not."""

    media_type: str = JSON
    kind: str = ""
    group: str = ""
    version: str = ""

    @property
    def content_type(self) -> str:
        if not self.kind:
            return self.media_type
        return f"{self.media_type};as={self.kind};v={self.version};g={self.group}"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"


PLAIN = Form()

Convertible = Mapping[str, Sequence[str]]
"""Kind -> "group/version"s that a path can convert its answer to."""

OBJECT_KINDS: Convertible = {
    "Table": ("meta.k8s.io/v1", "meta.k8s.io/v1beta1"),
    "PartialObjectMetadata": ("meta.k8s.io/v1", "meta.k8s.io/v1beta1"),
}
LIST_KINDS: Convertible = {
    "Table": ("meta.k8s.io/v1", "meta.k8s.io/v1beta1"),
    "PartialObjectMetadataList": ("meta.k8s.io/v1", "meta.k8s.io/v1beta1"),
}
COLLECTION_KINDS: Convertible = {**LIST_KINDS, **OBJECT_KINDS}
"""A list, or a watch, whose events are objects."""


def parse(header: str) -> Iterator[MediaType]:
    for part in header.split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        if name:
            pairs = (parameter.partition("=") for parameter in parameters)
            yield MediaType(name.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs})


def choose(accept: str, convertible: Convertible | None = None) -> Form:
    """The best form that the client accepts. Raises StatusError 406 when there is none."""
    wanted = sorted(parse(accept or "*/*"), key=lambda one: -one.quality)  # stable: equal ones in the client's order
    for media_type in wanted:
        form = _form(media_type, convertible or {})
        if form is not None and media_type.quality > 0:
            return form
    raise not_acceptable(_offers(convertible or {}))


def form_for(request: Request, convertible: Convertible | None = None) -> Form:
    """`choose` by the request's Accept header. Raises StatusError 406."""
    return choose(request.headers.get("accept", ""), convertible)


def _form(wanted: MediaType, convertible: Convertible) -> Form | None:
    name = _concrete(wanted.name)
    kind = wanted.parameters.get("as", "")
    if name is None:
        return None
    if not kind:
        return Form(name)
    group, version = wanted.parameters.get("g", ""), wanted.parameters.get("v", "")
    return Form(name, kind, group, version) if f"{group}/{version}" in convertible.get(kind, ()) else None


def _concrete(name: str) -> str | None:
    if name in ("*/*", "application/*", JSON):
        return JSON
    return YAML if name in (YAML, "application/x-yaml", "text/yaml") else None


def _offers(convertible: Convertible) -> Sequence[str]:
    return [*SUPPORTED, *_conversions(convertible)]


def _conversions(convertible: Convertible) -> Iterable[str]:
    for kind, versions in convertible.items():
        for group, _, version in (api_version.partition("/") for api_version in versions):
            yield f"{JSON};as={kind};v={version};g={group}"
