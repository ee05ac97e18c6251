"""Which endpoints a node's clients reach behind one port of a Service, and the number that each of them has.

Network facts only: addresses and conditions in, addresses out. `cluster/service_oracle.py` says the same from the API
objects, and the tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cluster.model import IPAddress, Node
from controller.flow import digest
from controller.state import Endpoint, EndpointSlice, Service, ServicePort


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint with the port that a Service port leads to."""

    endpoint: Endpoint
    target_port: int

    @property
    def identity(self) -> tuple[IPAddress, int]:
        return self.endpoint.address, self.target_port


@dataclass(frozen=True, slots=True)
class Choice:
    """Where new connections go. Without targets they are refused, or `dropped`: nothing answers."""

    targets: tuple[tuple[IPAddress, int], ...] = ()
    dropped: bool = False


def targets(port: ServicePort, ip_version: int, slices: Iterable[EndpointSlice]) -> list[Target]:
    """All endpoints of a Service port, whatever their conditions; each address and port once, the readiest entry."""
    found: dict[tuple[IPAddress, int], Target] = {}
    for endpoint_slice in slices:
        if endpoint_slice.ip_version != ip_version:
            continue
        for served in endpoint_slice.ports:
            if (served.name, served.protocol) != (port.name, port.protocol):
                continue
            for endpoint in endpoint_slice.endpoints:
                target = Target(endpoint, served.target_port)
                known = found.get(target.identity)
                if known is None or _readiness(endpoint) > _readiness(known.endpoint):
                    found[target.identity] = target
    return list(found.values())


def _readiness(endpoint: Endpoint) -> tuple[bool, bool]:
    return endpoint.ready, endpoint.serving


def choice(service: Service, all_targets: Sequence[Target], node: Node, local: bool) -> Choice:
    """"Ready endpoints; if there are none, those that serve while they terminate" (KEP-1669), of the node's own if
    the traffic policy is Local, of those meant for it where the Service asks for hints (KEP-2433, KEP-3015).
    """
    candidates = all_targets
    if local:
        candidates = [target for target in all_targets if target.endpoint.node == node.name]
    chosen = [target for target in candidates if target.endpoint.ready]
    if chosen and service.uses_hints and not local:
        chosen = _meant_for(node, chosen)
    chosen = chosen or _last_resort(candidates)
    if chosen:
        return Choice(tuple(numbered([target.identity for target in chosen])))
    somewhere = any(target.endpoint.ready for target in all_targets) or bool(_last_resort(all_targets))
    return Choice(dropped=local and somewhere)


def _last_resort(candidates: Iterable[Target]) -> list[Target]:
    return [each for each in candidates if each.endpoint.serving and each.endpoint.terminating]


def _meant_for(node: Node, ready: list[Target]) -> list[Target]:
    """A hint counts only if every endpoint has one of its kind, and one of them names this node (zone)."""
    return (
        _hinted(ready, node.name, lambda endpoint: endpoint.node_hints)
        or _hinted(ready, node.zone, lambda endpoint: endpoint.zone_hints)
        or ready
    )


def _hinted(ready: list[Target], name: str | None, hints: Callable[[Endpoint], frozenset[str]]) -> list[Target]:
    if name is None or not all(hints(target.endpoint) for target in ready):
        return []
    return [target for target in ready if name in hints(target.endpoint)]


_ATTEMPTS = 64
_WORD = (1 << 64) - 1


def numbered(identities: Sequence[tuple[IPAddress, int]]) -> list[tuple[IPAddress, int]]:
    """The same endpoints in the order of their numbers: which number is whose follows from the set alone.

    So a controller that starts anew numbers as the one before did, and a set with one more or one less keeps nearly
    all numbers: each endpoint in turn takes the first free number that its own sequence names, and the sequences are
    consistent hashes, which change only to or from the number that is new.
    """
    count = len(identities)
    places: list[tuple[IPAddress, int] | None] = [None] * count
    late = []
    for state, identity in sorted((digest(address.packed + port.to_bytes(2, "big"), 64), (address, port))
                                  for address, port in identities):  # fmt: skip
        for _ in range(_ATTEMPTS):
            number = _jump_hash(state, count)
            if places[number] is None:
                places[number] = identity
                break
            state = (state * 6364136223846793005 + 1442695040888963407) & _WORD
        else:
            late.append(identity)
    free = (number for number, taken in enumerate(places) if taken is None)
    for number, identity in zip(list(free), late, strict=True):
        places[number] = identity
    return [identity for identity in places if identity is not None]


def _jump_hash(key: int, buckets: int) -> int:
    """Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm": one more bucket takes its share from all
    others and moves nothing else.
    """
    bucket, jump = -1, 0
    while jump < buckets:
        bucket = jump
        key = (key * 2862933555777941757 + 1) & _WORD
        jump = int((bucket + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return bucket
