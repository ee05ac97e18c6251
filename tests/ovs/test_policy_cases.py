"""The cases of NetworkPolicies, in real switches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import pytest
from policy_world import PolicyWorld, policy_world, run
from specs import model

from cases import SHARED, Case, Key, base, own_cases, planned, shared_base, shared_cases  # isort: skip
from cluster.objects import Object

THOROUGH = "MININETES_ALL_CASES" in os.environ
"""Else every fourth of our own; all of them are held against the oracle in the unit tests."""
OWN = list(own_cases())[:: 1 if THOROUGH else 4]
GIVEN = list(shared_cases())


@pytest.fixture(scope="module")
def world() -> Iterator[PolicyWorld]:
    with policy_world(model(nodes=3)) as made:
        yield made


@pytest.fixture(scope="module")
def own_base(world: PolicyWorld) -> Mapping[Key, Object]:
    return planned(world.cluster, base())


@pytest.fixture(scope="module")
def given_base(world: PolicyWorld) -> Mapping[Key, Object]:
    return planned(world.cluster, shared_base())


@pytest.mark.parametrize("case", OWN, ids=lambda case: case.id)
def test_own_case(case: Case, world: PolicyWorld, own_base: Mapping[Key, Object]) -> None:
    run(case, world, own_base)


@pytest.mark.skipif(not GIVEN, reason=f"there are no cases in {SHARED}")
@pytest.mark.parametrize("case", GIVEN, ids=lambda case: case.id)
def test_given_case(case: Case, world: PolicyWorld, given_base: Mapping[Key, Object]) -> None:
    run(case, world, given_base)
