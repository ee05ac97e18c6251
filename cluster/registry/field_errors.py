"""Findings of `cluster.rules` -> the causes of an Invalid Status, in the form and words of Kubernetes' field.Error.

The rules speak to who reads a file ("found 0; must be between …"); the API speaks as the real one does ("Invalid value: 0:
must be between …"), because tests and scripts look for that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cluster.reading import syntax
from cluster.reading.findings import Finding, Path, shown
from cluster.registry.errors import Cause
from cluster.registry.types import Type
from cluster.templates import value_at

_LABEL_REGEX = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_VALUE_REGEX = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_NAME_REGEX = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

WORDS: Mapping[str, str] = {
    syntax.DNS_LABEL_RULE: (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL_REGEX}')"
    ),
    syntax.DNS_1035_RULE: (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation "
        "is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    ),
    syntax.SUBDOMAIN_RULE: (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        rf"'{_LABEL_REGEX}(\.{_LABEL_REGEX})*')"
    ),
    syntax.WILDCARD_RULE: (
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
        rf"regex used for validation is '\*\.{_LABEL_REGEX}(\.{_LABEL_REGEX})*')"
    ),
    syntax.LABEL_KEY_RULE: (
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
        f"'{_NAME_REGEX}')"
    ),
    syntax.LABEL_VALUE_RULE: (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
        "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
        f"is '{_VALUE_REGEX}')"
    ),
    syntax.PORT_NAME_RULE: "must contain at least one letter (a-z)",
}
"""Our rule -> Kubernetes' sentence (apimachinery/pkg/util/validation)."""

_SUPPORTED = re.compile(r"supported values: ('[^']*'(?:, '[^']*')*)")
_PLAIN = ("must be set", "must have at least one", "found ")
"""Rules that Kubernetes does not spell out behind "Required value"."""

_SUGGESTION = re.compile(r"; did you mean '[^']*'\?$")


def dotted(path: Path) -> str:
    """A field.Path: spec.ports[0].port, metadata.labels[app.kubernetes.io/name] for keys of maps."""
    text = ""
    for step in path:
        if isinstance(step, int) or (text and not re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_]*", step)):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def causes(findings: Iterable[Finding], obj: Mapping[str, Any]) -> list[Cause]:
    return [_cause(finding, obj) for finding in findings]


def required(value: Any, of: Type, path: Path = ()) -> Iterable[Cause]:
    """The fields that the schema requires and that are not there."""
    if of.shape == "struct" and isinstance(value, Mapping):
        for name in of.required:
            if name not in value:
                yield Cause("FieldValueRequired", "Required value", dotted((*path, name)))
        fields = of.fields
        for name, below in value.items():
            if isinstance(below, (dict, list)) and name in fields:
                yield from required(below, fields[name], (*path, name))
    elif of.shape == "list" and of.item.shape == "struct":
        for index, item in enumerate(value):
            yield from required(item, of.item, (*path, index))
    elif of.shape == "map" and of.item.shape == "struct":
        for name, below in value.items():
            yield from required(below, of.item, (*path, name))


def invalid_value(field: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {value_text(value)}: {detail}", field)


def forbidden(field: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", field)


def value_text(value: Any) -> str:
    """As field.Error prints a value: Go's %q for strings, JSON for the rest."""
    if value is None:
        return "null"
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _cause(finding: Finding, obj: Mapping[str, Any]) -> Cause:
    field = dotted(finding.path)
    value = value_at(obj, finding.path)
    detail = finding.message
    prefix = f"found {shown(value)}; "
    if detail.startswith(prefix):
        detail = detail[len(prefix) :]
    elif detail.startswith("found"):
        detail = detail.partition("; ")[2] or detail
    detail = _SUGGESTION.sub("", detail)
    if value in (None, "", [], {}) and _says_missing(finding.message) and "does not match" not in detail:
        tail = "" if detail.startswith(_PLAIN) else f": {detail}"
        return Cause("FieldValueRequired", f"Required value{tail}", field)
    if supported := _SUPPORTED.search(detail):
        words = ", ".join(sorted(f'"{word}"' for word in re.findall(r"'([^']*)'", supported[1])))
        return Cause(
            "FieldValueNotSupported", f"Unsupported value: {value_text(value)}: supported values: {words}", field
        )
    if "unique" in detail or " twice" in finding.message:
        return Cause("FieldValueDuplicate", f"Duplicate value: {value_text(value)}", field)
    if detail.startswith(("may not be specified", "may not specify", "may only be set")):
        return forbidden(field, detail)
    if field.startswith("metadata.labels[") or field.startswith("metadata.annotations["):
        # Kubernetes names the map, and the key in the value's place.
        return invalid_value(dotted(finding.path[:-1]), _label_text(finding, value), WORDS.get(detail, detail))
    return invalid_value(field, value, WORDS.get(detail, detail))


def _label_text(finding: Finding, value: Any) -> Any:
    is_value = WORDS.get(finding.message.partition("; ")[2]) == WORDS[syntax.LABEL_VALUE_RULE]
    return value if is_value else finding.path[-1]


def _says_missing(message: str) -> bool:
    return message.startswith(
        ("found nothing", "found no ", "found an empty", "found neither", "found none", "must specify")
    )
