"""Which connection a packet belongs to, and what follows: its translation as it was decided at the connection's first
packet, and that no policy is asked again.

Whatever passes the policies is written into the table at its end, also where no policy is: one that is created later
must not cut what is established.
"""

from __future__ import annotations

from collections.abc import Iterator

from cluster.model import Cluster
from controller.actions import Action, Conntrack, Goto, Load, Nat, Resubmit
from controller.flow import Flow, Rules
from controller.match import Match, bits, ct_state, eth_type
from controller.pipeline import (
    CONNTRACK_COMMIT,
    CONNTRACK_STATE,
    CONNTRACK_ZONE,
    CONNTRACK_ZONE_TABLE,
    EGRESS_POLICY,
    ESTABLISHED,
    L3_FORWARDING,
    NODE_ADDRESS_TABLE,
    OUTPUT,
    PRIORITY_MISS,
    PRIORITY_NORMAL,
    SERVICE_LB,
    SERVICE_MARK,
    SESSION_AFFINITY,
    Feature,
)

REPLIES = ("+est+rpl+trk", "+rel+trk")
"""Answers, and errors about a connection: they pass whatever the policies say."""


def conntrack(cluster: Cluster) -> Rules:
    """A few flows per IP family and one more, on every node (ct() needs the family in the match)."""
    owner = f"Cluster {cluster.name}"
    flows = [
        Flow(table, PRIORITY_NORMAL, match, actions, Feature.CONNTRACK, owner)
        for subnet in cluster.pod_subnets
        for table, match, actions in _steps(cluster, subnet.version)
    ]
    new = (Resubmit(NODE_ADDRESS_TABLE), Resubmit(SESSION_AFFINITY), Goto(SERVICE_LB))
    flows.append(Flow(CONNTRACK_STATE, PRIORITY_MISS, (), new, Feature.CONNTRACK, owner))
    return Rules(everywhere=tuple(flows))


def _steps(cluster: Cluster, ip_version: int) -> Iterator[tuple[str, Match, tuple[Action, ...]]]:
    family = eth_type(ip_version)
    yield CONNTRACK_ZONE_TABLE, (family,), (Conntrack(CONNTRACK_ZONE, CONNTRACK_STATE, nat=Nat()),)
    past_policies = (Load(ESTABLISHED, 1), Goto(L3_FORWARDING))
    for state in REPLIES:
        yield CONNTRACK_STATE, (family, ct_state(state)), past_policies
    onward = (Goto(EGRESS_POLICY),) if cluster.network.policy_reevaluation else past_policies
    yield CONNTRACK_STATE, (family, ct_state("+est-rpl-rel+trk")), onward
    # A Service's connection was written down by the flow that chose its endpoint.
    fresh = (family, ct_state("+new+trk"), bits(SERVICE_MARK, 0))
    yield CONNTRACK_COMMIT, fresh, (Conntrack(CONNTRACK_ZONE, OUTPUT, commit=True),)
