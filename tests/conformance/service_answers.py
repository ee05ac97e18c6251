"""What tests of Services ask again and again: who answers."""

from __future__ import annotations

from typing import Any

import pytest
from service_site import Site

WEB = {"app": "web"}
NAMES = {"s1", "s2", "s3"}
HTTP_PORT = {"name": "http", "port": 80, "targetPort": "http"}
UDP_PORT = {"name": "udp", "port": 81, "protocol": "UDP", "targetPort": "udp"}
DUAL = {"ipFamilyPolicy": "PreferDualStack"}
MANY = 24
families = pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])


def answers(site: Site, host: str, protocol: str = "tcp", port: int = 80, of: str = "client", **more: Any) -> set[str]:
    return set(site.prober(of).ask(host, port, protocol, count=more.pop("count", MANY), **more))


def becomes(site: Site, host: str, wanted: set[str], protocol: str = "tcp", port: int = 80, of: str = "client") -> None:
    """Within patience, so many new connections end exactly there."""
    last: set[str] = set()

    def as_wanted() -> bool:
        nonlocal last
        last = answers(site, host, protocol, port, of, timeout_s=0.5, count=2 if wanted == {"timeout"} else MANY)
        return last == wanted

    try:
        site.until(as_wanted, f"{of} reaches {wanted} at {host}")
    except Exception as late:
        raise AssertionError(f"{late}: last answers {last}") from late


def becomes_silent(site: Site, host: str, port: int = 80) -> None:
    site.until(lambda: answers(site, host, port=port, count=1, timeout_s=0.3) == {"timeout"}, f"{host}:{port} silent")
