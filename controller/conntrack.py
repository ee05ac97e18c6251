"""Which connection a packet belongs to, and its translation as it was decided at the connection's first packet.

Connections that use no Service are looked up but never written into the table: they cost one lookup, no entry.
"""

from __future__ import annotations

from cluster.model import Cluster
from controller.actions import Conntrack, Goto, Nat, Resubmit
from controller.flow import Flow, Rules
from controller.match import bits, ct_state, eth_type
from controller.pipeline import (
    CONNTRACK_STATE,
    CONNTRACK_ZONE,
    CONNTRACK_ZONE_TABLE,
    EGRESS_POLICY,
    PRIORITY_MISS,
    PRIORITY_NORMAL,
    SERVICE_LB,
    SERVICE_MARK,
    SESSION_AFFINITY,
    Feature,
)


def conntrack(cluster: Cluster) -> Rules:
    """Two flows per IP family and one more, on every node (ct() needs the family in the match)."""
    owner = f"Cluster {cluster.name}"
    flows: list[Flow] = []
    for subnet in cluster.pod_subnets:
        family = eth_type(subnet.version)
        look_up = (Conntrack(CONNTRACK_ZONE, CONNTRACK_STATE, nat=Nat()),)
        flows.append(Flow(CONNTRACK_ZONE_TABLE, PRIORITY_NORMAL, (family,), look_up, Feature.CONNTRACK, owner))
        translated = (family, ct_state("-new+trk"), bits(SERVICE_MARK, 1))
        flows.append(
            Flow(CONNTRACK_STATE, PRIORITY_NORMAL, translated, (Goto(EGRESS_POLICY),), Feature.CONNTRACK, owner)
        )
    new = (Resubmit(SESSION_AFFINITY), Goto(SERVICE_LB))
    flows.append(Flow(CONNTRACK_STATE, PRIORITY_MISS, (), new, Feature.CONNTRACK, owner))
    return Rules(everywhere=tuple(flows))
