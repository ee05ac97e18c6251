"""What a name, a label, a port may look like: k8s.io/apimachinery/pkg/util/validation, in its own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from cluster.reading.findings import Finding, found

MAX_LABEL_LENGTH = 63
MAX_SUBDOMAIN_LENGTH = 253
MAX_PORT_NAME_LENGTH = 15
PORTS = range(1, 65536)
NODE_PORTS = range(30000, 32768)

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

DNS_LABEL_RULE = (
    "must be a lowercase RFC 1123 label: lower case alphanumeric characters or '-', at most 63, "
    "starting and ending with an alphanumeric character"
)
DNS_1035_RULE = (
    "must be a DNS-1035 label: lower case alphanumeric characters or '-', at most 63, "
    "starting with a letter and ending with an alphanumeric character"
)
SUBDOMAIN_RULE = (
    "must be a lowercase RFC 1123 subdomain: lower case alphanumeric characters, '-' or '.', at most 253, "
    "starting and ending with an alphanumeric character"
)
WILDCARD_RULE = "must be '*.' and a lowercase RFC 1123 subdomain: a wildcard is only a single label, the first"
PATH_SEGMENT_RULE = "must not be '.' or '..' or hold '/' or '%'"
LABEL_KEY_RULE = (
    "must be a qualified name: alphanumeric characters, '-', '_' or '.', at most 63, starting and ending with an "
    "alphanumeric character, with an optional DNS subdomain prefix and '/'"
)
LABEL_VALUE_RULE = (
    "must be empty or alphanumeric characters, '-', '_' or '.', at most 63, "
    "starting and ending with an alphanumeric character"
)
PORT_RULE = "must be between 1 and 65535, inclusive"
PORT_NAME_RULE = (
    "must be a port name: lower case alphanumeric characters or single '-' inside, at most 15, "
    "with at least one letter"
)
CIDR_RULE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
IP_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def is_dns_label(text: str) -> bool:
    return len(text) <= MAX_LABEL_LENGTH and bool(_LABEL.fullmatch(text))


def is_dns_1035(text: str) -> bool:
    return len(text) <= MAX_LABEL_LENGTH and bool(_DNS_1035.fullmatch(text))


def is_subdomain(text: str) -> bool:
    return len(text) <= MAX_SUBDOMAIN_LENGTH and bool(_SUBDOMAIN.fullmatch(text))


def is_wildcard(text: str) -> bool:
    """*.example.com"""
    return text.startswith("*.") and len(text) <= MAX_SUBDOMAIN_LENGTH and is_subdomain(text[2:])


def is_path_segment(text: str) -> bool:
    """Names that only have to fit into a URL: RBAC's, such as system:node."""
    return text not in (".", "..") and not set("/%") & set(text)


def is_qualified_name(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    return len(name) <= MAX_LABEL_LENGTH and bool(_QUALIFIED.fullmatch(name)) and (not slash or is_subdomain(prefix))


def is_label_value(text: str) -> bool:
    return not text or (len(text) <= MAX_LABEL_LENGTH and bool(_QUALIFIED.fullmatch(text)))


def is_port_name(text: str) -> bool:
    """IANA service name (RFC 6335, section 5.1)."""
    return (
        len(text) <= MAX_PORT_NAME_LENGTH
        and bool(_LABEL.fullmatch(text))
        and "--" not in text
        and any(character.isalpha() for character in text)
    )


def is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_cidr(text: str) -> bool:
    """With a prefix length; host bits may be set, as the API server still admits."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def label_findings(labels: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys and values of a label map; paths relative to it."""
    for key, value in labels.items():
        if not is_qualified_name(key):
            yield Finding((key,), found(key, LABEL_KEY_RULE))
        if not is_label_value(value):
            yield Finding((key,), found(value, LABEL_VALUE_RULE))
