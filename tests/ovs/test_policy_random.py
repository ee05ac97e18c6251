"""Random clusters and policies: what the switches say is what the oracle says, of every pair. One grows out of the one
before, so what is kept by difference is tried at the same time; after each it is what would be compiled now.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from policy_world import PolicyWorld, policy_world
from random_clusters import QUESTIONS, clusters
from specs import model

EXAMPLES = int(os.environ.get("MININETES_RANDOM_CLUSTERS", "40"))
"""500 in the full run."""
PHASES = (Phase.generate,) if "MININETES_NO_SHRINKING" in os.environ else tuple(Phase)
"""Without shrinking, a wrong engine is noticed in seconds instead of minutes."""
CLUSTER = model(nodes=3, ip_family="dual")


@pytest.fixture(scope="module")
def world() -> Iterator[PolicyWorld]:
    with policy_world(CLUSTER) as made:
        yield made


@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(clusters(CLUSTER))
def test_switches_and_oracle_agree(world: PolicyWorld, objects: list[Any]) -> None:
    by_key = {
        (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj for obj in objects
    }
    world.become(by_key)
    world.check_from_scratch()
    for ip_version in (4, 6):
        wrong = world.disagreements(QUESTIONS, ip_version)
        assert not wrong, f"IPv{ip_version}:\n" + "\n".join(wrong)
