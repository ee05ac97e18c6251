"""The way out of the switch, and the way on for packets that a table has no flow for."""

from __future__ import annotations

from cluster.model import OF_PORT_TRUNK, OF_PORT_TUNNEL, Cluster, Node
from controller.actions import ClearInPort, Goto, Output, OutputToRegister, SetField
from controller.flow import Flow, Rules
from controller.match import bits, eth_dst
from controller.pipeline import (
    DESTINATION,
    OUTPUT,
    OUTPUT_PORT,
    PIPELINE,
    PRIORITY_MISS,
    PRIORITY_NORMAL,
    Destination,
    Feature,
)


def output(subject: Node | Cluster) -> Rules:
    """Three flows to each node's kernel; a fixed few everywhere."""
    if isinstance(subject, Node):
        to_node = (ClearInPort(), SetField(eth_dst(subject.gateway_mac)), Output(OF_PORT_TRUNK))
        flows = (
            Flow(OUTPUT, PRIORITY_NORMAL, (bits(DESTINATION, way),), to_node, Feature.OUTPUT, f"Node {subject.name}")
            for way in (Destination.NODE, Destination.PEER, Destination.OUTSIDE)
        )
        return Rules(on={subject.name: tuple(flows)})
    owner = f"Cluster {subject.name}"
    to_pod = (ClearInPort(), OutputToRegister(OUTPUT_PORT))
    to_pods = (bits(DESTINATION, Destination.LOCAL_POD),)
    everywhere = [Flow(OUTPUT, PRIORITY_NORMAL, to_pods, to_pod, Feature.OUTPUT, owner)]
    if subject.network.mode == "overlay":
        match = (bits(DESTINATION, Destination.TUNNEL),)
        # A node that reaches another's node port, and by it a pod of its own: by the tunnel the way it came.
        to_tunnel = (ClearInPort(), Output(OF_PORT_TUNNEL))
        everywhere.append(Flow(OUTPUT, PRIORITY_NORMAL, match, to_tunnel, Feature.OUTPUT, owner))
    misses = (
        Flow(table.name, PRIORITY_MISS, (), (Goto(table.miss),), Feature.MISS, owner)
        for table in PIPELINE
        if table.miss is not None
    )
    return Rules(everywhere=(*everywhere, *misses))
