"""Draw a number below a Service port's count of endpoints: the same for all packets that race at a connection's start,
and every number equally often.

What Open vSwitch 3.1 does with a select group of OpenFlow 1.3 (`group_setup_dp_hash_table`): it spreads the buckets over
a power of two of hash values, at most 64, and takes a hash of addresses and ports that leaves out the ports of UDP, so
that all of a client's UDP connections fall into one bucket. Hence

- TCP and SCTP, up to 64 endpoints: a group shared by all Service ports of that count. Each endpoint has the same number
  of the 64 values; what remains draws by multipath (a bucket is an action set, which knows no multipath: so a flow
  does it). Most connections then need no datapath flow of their own.
- UDP, and more endpoints than that: multipath, which hashes UDP's ports too and divides by any number, at the cost of
  one datapath flow per connection.
- Services with affinity: multipath, too. A datapath flow of dp_hash would take a client's second connection before it
  is thrown out for what the first one has left behind.
"""

from __future__ import annotations

from functools import lru_cache

from controller.actions import Action, Goto, Load, Multipath, Resubmit, ToGroup
from controller.flow import Bucket, Flow, Group
from controller.match import bits
from controller.pipeline import ENDPOINT, ENDPOINT_BY, ENDPOINT_DNAT, PRIORITY_NORMAL, EndpointBy, Feature

HASH_VALUES = 64
OWNER = "all Services"
_BASIS = 1
"""Not the group's own (0): the connections that share what remains of its values must spread again."""


def draw(count: int, protocol: str, affinity: bool = False) -> tuple[tuple[Action, ...], Group | None]:
    """The actions that load ENDPOINT and lead to EndpointDNAT, and the group that they name, if any."""
    if count == 1:
        return (Load(ENDPOINT, 0), Goto(ENDPOINT_DNAT)), None
    if affinity or protocol == "UDP" or count > HASH_VALUES:
        return (Multipath(ENDPOINT, count, _BASIS), Goto(ENDPOINT_DNAT)), None
    group = shared_group(count)
    return (ToGroup(group.group_id),), group


@lru_cache(maxsize=HASH_VALUES)
def shared_group(count: int) -> Group:
    """The group of all Service ports with so many endpoints."""
    share, remainder = divmod(HASH_VALUES, count)
    drawn: list[tuple[int, tuple[Action, ...]]] = [(share, (Load(ENDPOINT, number),)) for number in range(count)]
    if remainder:
        drawn.append((remainder, (Load(ENDPOINT_BY, EndpointBy.COUNT), Load(ENDPOINT, count))))
        # The number of hash values follows from the total weight over the least: one bucket of weight 1 gives all 64.
        share, load = drawn.pop(0)
        drawn += [(weight, load) for weight in (share - 1, 1) if weight]
    else:
        drawn = [(1, load) for _, load in drawn]
    buckets = (Bucket(weight, (*load, Resubmit(ENDPOINT_DNAT))) for weight, load in drawn)
    return Group(f"{count} endpoints", tuple(buckets), OWNER, _remainder(count) if remainder else None)


def _remainder(count: int) -> Flow:
    match = (bits(ENDPOINT_BY, EndpointBy.COUNT), bits(ENDPOINT, count))
    drawn = (Multipath(ENDPOINT, count, _BASIS), Load(ENDPOINT_BY, EndpointBy.NUMBER), Resubmit(ENDPOINT_DNAT))
    return Flow(ENDPOINT_DNAT, PRIORITY_NORMAL, match, drawn, Feature.SERVICES, OWNER)
