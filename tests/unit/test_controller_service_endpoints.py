"""Endpoints have numbers that follow from the set alone, and keep nearly all of them when the set changes by one."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from cluster.model import IPAddress
from controller.service_endpoints import numbered


def identity(number: int) -> tuple[IPAddress, int]:
    return IPv4Address(0x0AF40000 + number), 8080


sets = st.sets(st.integers(0, 1000), max_size=40).map(lambda numbers: [identity(number) for number in numbers])


@given(sets)
def test_everybody_has_one_number_whatever_the_order(identities: list[tuple[IPAddress, int]]) -> None:
    assert sorted(numbered(identities)) == sorted(identities)
    assert numbered(identities) == numbered(identities[::-1])


def test_one_more_endpoint_moves_few_others() -> None:
    moved = 0
    for start in range(50):
        before, after = (numbered([identity(start * 100 + n) for n in range(count)]) for count in (50, 51))
        moved += sum(one != other for one, other in zip(before, after, strict=False))
    assert moved / 50 < 12, "about 2 ln 50"


def test_thousands_of_endpoints() -> None:
    many = [identity(number) for number in range(6000)]
    assert sorted(numbered(many)) == many
