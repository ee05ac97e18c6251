"""sessionAffinity: ClientIP. The first connection of a client leaves a flow in SessionAffinity that names its endpoint;
it goes when no new connection has come for the Service's timeout, or when the endpoint does.
"""

from __future__ import annotations

from controller.actions import Load
from controller.flow import DIGEST_BITS, OWNER_BITS
from controller.learn import Learn
from controller.match import eth_type, ip_proto
from controller.pipeline import PRIORITY_NORMAL, SESSION_AFFINITY, Feature

MAX_IDLE_TIMEOUT_S = 0xFFFF
"""A flow's timeout has 16 bits; Kubernetes allows 86,400 s."""


def learn(ip_version: int, protocol: str, timeout_s: int, identity: int, found: tuple[Load, ...]) -> Learn:
    """`identity` tells this endpoint of this Service port from all others: what is learned of it goes with it.

    A timeout that has no room in a flow is none: the client stays longer than asked, never shorter (decision 010).
    """
    cookie = Feature.AFFINITY << OWNER_BITS + DIGEST_BITS | identity & (1 << OWNER_BITS + DIGEST_BITS) - 1
    return Learn(
        SESSION_AFFINITY,
        PRIORITY_NORMAL,
        timeout_s if timeout_s <= MAX_IDLE_TIMEOUT_S else 0,
        cookie,
        (eth_type(ip_version), ip_proto(protocol)),
        (f"ipv{ip_version}_src", f"ipv{ip_version}_dst", f"{protocol.lower()}_dst"),
        found,
    )
