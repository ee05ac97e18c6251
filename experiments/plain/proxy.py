"""Services as nftables rules, laid out as kube-proxy's nftables mode has them (KEP-3866). Pure.

One lookup in a map of addresses, a chain per Service that draws an endpoint, a chain per endpoint that translates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.plain.planned import ServicePort

_MASQUERADE = "0x4000"
"""The mark of what has to come back through this node, as kube-proxy's default: a pod that reaches itself."""


def ruleset(services: Sequence[ServicePort], version: int) -> str:
    """The table of one IP version, for every node alike. Empty where there is no Service of that version."""
    family = {4: "ip", 6: "ip6"}[version]
    of_version = [service for service in services if service.address.version == version]
    if not of_version:
        return ""
    return "\n".join((f"table {family} kube-proxy {{", *_body(of_version, family), "}", ""))


def _body(services: Sequence[ServicePort], family: str) -> Iterator[str]:
    # A verdict map names chains, so they come first.
    for number, service in enumerate(services):
        for position, (address, port) in enumerate(service.endpoints):
            to = f"[{address}]:{port}" if family == "ip6" else f"{address}:{port}"
            yield f'chain endpoint-{number}-{position} {{ comment "{service.name}"'
            yield f"{family} saddr {address} meta mark set mark or {_MASQUERADE}"
            yield f"meta l4proto {service.protocol} dnat to {to}"
            yield "}"
        yield f'chain service-{number} {{ comment "{service.name}"'
        yield from _draw(number, len(service.endpoints))
        yield "}"
    kind = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}[family]
    answered, refused = _entries(services, True), _entries(services, False)
    yield f"map service-ips {{ type {kind} . inet_proto . inet_service : verdict;{answered} }}"
    yield "chain refuse { reject; }"
    yield f"map no-endpoint-services {{ type {kind} . inet_proto . inet_service : verdict;{refused} }}"
    lookup = f"{family} daddr . meta l4proto . th dport vmap"
    for name, hook in (("nat-prerouting", "prerouting"), ("nat-output", "output")):
        yield f"chain {name} {{ type nat hook {hook} priority -100; {lookup} @service-ips; }}"
    for name, hook in (("filter-forward", "forward"), ("filter-output", "output")):
        yield f"chain {name} {{ type filter hook {hook} priority -110; {lookup} @no-endpoint-services; }}"
    yield "chain nat-postrouting { type nat hook postrouting priority 100;"
    yield f"meta mark & {_MASQUERADE} == 0 return"
    yield "meta mark set mark and 0xffffbfff masquerade fully-random; }"


def _draw(number: int, count: int) -> Iterator[str]:
    if count == 1:
        yield f"goto endpoint-{number}-0"
    elif count:
        targets = ", ".join(f"{position} : goto endpoint-{number}-{position}" for position in range(count))
        yield f"numgen random mod {count} vmap {{ {targets} }}"


def _entries(services: Sequence[ServicePort], answered: bool) -> str:
    chosen = [
        f"{service.address} . {service.protocol} . {service.port} : goto "
        f"{f'service-{number}' if answered else 'refuse'}"
        for number, service in enumerate(services) if bool(service.endpoints) is answered
    ]  # fmt: skip
    return f" elements = {{ {', '.join(chosen)} }}" if chosen else ""
