"""Upstream's titles (sig-network e2e, v1.30.2): which test carries which, and which are left out and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

SERVICE_TITLES, DNS_TITLES, INGRESS_TITLES, POLICY_TITLES = (
    Path(__file__).with_name(f"{topic}_titles.txt").read_text().splitlines()
    for topic in ("service", "dns", "ingress", "netpol")
)
Test = TypeVar("Test", bound=Callable[..., object])
carried: dict[str, str] = {}
"""Title -> name of the test function."""


def upstream(*titles: str) -> Callable[[Test], Test]:
    """The decorated test is what upstream calls so."""

    def mark(test: Test) -> Test:
        for title in titles:
            known = (*SERVICE_TITLES, *DNS_TITLES, *INGRESS_TITLES, *POLICY_TITLES)
            assert title in known, f"upstream has no test called {title!r}"
            assert title not in carried, title
            carried[title] = test.__name__
        return test

    return mark


FROM_OUTSIDE = "tests/conformance/test_outside.py carries it, and says so"
_REASONS = {
    "the edge is the one load balancer that there is, inside": ("internal type load balancer",),
    FROM_OUTSIDE: (
        "nodePort", "NodePort", "ExternalIP", "LoadBalancer", "externalTrafficPolicy", "externallTrafficPolicy",
        "health check node port", "HostPort validates",
    ),
    "API behaviour without a packet: covered by the tests of the registry and the loops": (
        "EndpointSlice API operations", "pointing to API Server", "status lifecycle", "delete a collection",
        "listing all namespaces", "lifecycle of an Endpoint", "Endpoint with multiple subsets", "create update and delete",
        "leading zeros", "[Feature:ServiceCIDRs]", "create service with", "single stack service", "ip to host ips",
        "ip to pod ips", "internal node ip", "provide secure master service", "for Pods matching a Service",
        "for a Service with a selector specified", "create endpoints for unready pods", "endpoints latency",
        "unchanging, static URL paths",
    ),
    "the proxy subresource: covered by tests/e2e/test_kubectl_streams.py": ("Proxy version v1",),
    "tests/kernel/test_sctp.py carries it, where the kernel has SCTP: make vm-test": ("sctp", "SCTP"),
    "a first datagram in fragments: after ct() of the userspace datapath only the first one has ports (docs, known gaps)": (
        "large requests: udp",
    ),
    "kube-proxy's own": ("kube-proxy urls", "iptables rules"),
    "needs a real cloud, hours or the Internet": ("iperf2", "evenly"),
    "killing the server is tests/e2e/test_acknowledged_writes.py": ("restarting apiserver",),
    "there is no eviction under pressure: no node runs short": ("evicted pods",),
}  # fmt: skip


def reason_left_out(title: str) -> str | None:
    """Why no test carries a title; None when there is no reason."""
    for reason, words in _REASONS.items():
        if any(word in title for word in words):
            return reason
    return None
