"""What tests of Services ask again and again: who answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from service_site import Site, server

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


def outlives(site: Site, of: str, host: str, port: int, app: str, servers: Sequence[tuple[str, str]]) -> None:
    """One UDP socket's port all the way: nobody there, then one server after the other, each (name, node)."""

    def asked() -> set[str]:
        return set(site.prober(of).ask(host, port, "udp", local_port=12345, timeout_s=0.3))

    site.until(lambda: asked() == {"refused"}, "nobody there")
    for name, node in servers:
        with site.pods(server(name, node, {"app": app})):
            site.until(lambda: asked() == {name}, f"{name} answers")  # noqa: B023


AFFINITY = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 2}}}


def keeps_until_silent(site: Site, host: str, port: int = 80, of: str = "client") -> None:
    """A client of AFFINITY keeps its endpoint while it connects, and may get another after the timeout."""
    site.until(lambda: answers(site, host, port=port, of=of, count=1) <= NAMES, "an endpoint")
    (first,) = answers(site, host, port=port, of=of, count=10)
    for _ in range(4):
        time.sleep(1)  # less than the timeout, again and again: connections keep it alive
        assert answers(site, host, port=port, of=of, count=1) == {first}

    def another_after_silence() -> bool:
        time.sleep(4)  # the timeout, and the second or two that a switch takes to look
        return answers(site, host, port=port, of=of, count=1) != {first}

    site.until(another_after_silence, "another endpoint after the timeout")
