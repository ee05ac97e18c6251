"""The ingress controller's command line: the flags of ingress-nginx that have a meaning here.

Its other flags are accepted, since published manifests have them, and told as without effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Defaults are ingress-nginx's, except `shutdown_grace_s` (there 0): here Service and pod end at the same time."""

    controller_class: str = "k8s.io/ingress-nginx"
    ingress_class: str = "nginx"
    watch_ingress_without_class: bool = False
    watch_namespace: str = ""
    publish_service: str = ""
    publish_status_address: str = ""
    default_backend_service: str = ""
    http_port: int = 80
    https_port: int = 443
    healthz_port: int = 10254
    status_port: int = 10246
    shutdown_grace_s: float = 1.0
    ignored: tuple[str, ...] = ()


_TEXTS = {
    "controller-class": "controller_class",
    "ingress-class": "ingress_class",
    "watch-namespace": "watch_namespace",
    "publish-service": "publish_service",
    "publish-status-address": "publish_status_address",
    "default-backend-service": "default_backend_service",
}
_NUMBERS = {
    "http-port": "http_port",
    "https-port": "https_port",
    "healthz-port": "healthz_port",
    "status-port": "status_port",
    "shutdown-grace-period": "shutdown_grace_s",
}
_FLAGS = {"watch-ingress-without-class": "watch_ingress_without_class"}


class OptionError(Exception):
    """A flag has no value, or one that it cannot have."""


def parse(arguments: Sequence[str]) -> Options:
    """`--name=value`, `--name value`, and `--name` for what is true or false. Raises OptionError."""
    given: dict[str, object] = {}
    ignored: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if name in _FLAGS:
            given[_FLAGS[name]] = not equals or value == "true"
        elif name in _TEXTS or name in _NUMBERS:
            if not equals:
                if not waiting:
                    raise OptionError(f"{word}: found no value")
                value = waiting.pop(0)
            given |= {_TEXTS[name]: value} if name in _TEXTS else {_NUMBERS[name]: _number(word, value)}
        elif word.startswith("-"):
            ignored.append(word)
    return Options(**given, ignored=tuple(ignored))  # type: ignore[arg-type]


def _number(word: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise OptionError(f"{word}: found {value!r}; must be a number") from None
