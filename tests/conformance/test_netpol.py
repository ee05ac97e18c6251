"""NetworkPolicies with real packets: the titles of upstream, the cases beside the repository where they are, our own, and
random clusters. `make policies` has all of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import netpol_site
import pytest
import yaml
from cases import SHARED, Case, own_cases, shared_cases
from netpol_site import Site, but_to_themselves
from titles import upstream

UPSTREAM: dict[str, dict[str, str]] = yaml.safe_load(
    (Path(__file__).parents[1] / "netpol" / "upstream.yaml").read_text()
)
OWN = list(own_cases())
GIVEN = list(shared_cases())
ALL = "MININETES_ALL_CASES" in os.environ
"""Else every fifth of the given cases, and of our own one; the switches' tests have them all."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with netpol_site.running() as made:
        yield made


@cache
def named(family: str, title: str) -> Case:
    words = title.replace(" ", "-")
    (case,) = (case for case in OWN if case.id.startswith(f"{family}-") and case.id[len(family) + 4 :] == words)
    return case


def run(case: Case, site: Site) -> None:
    evolving = site.evolving()
    try:
        for step in case.steps:
            site.do(step.actions, evolving)
            wrong = site.wrong(step.expected(evolving.objects.values()))
            assert not wrong, f"{step.name}:\n" + "\n".join(wrong)
    finally:
        site.restore()


def test_without_policies_everybody_reaches_everybody(site: Site) -> None:
    assert site.matrix().full
    through_services = [cell for cell in site.matrix("cluster-ip") if not cell[3]]
    assert not through_services


@upstream(*UPSTREAM)
@pytest.mark.parametrize("title", UPSTREAM)
def test_upstream(title: str, site: Site) -> None:
    ((family, own_title),) = UPSTREAM[title].items()
    run(named(family, own_title), site)


@pytest.mark.skipif(not GIVEN, reason=f"there are no cases in {SHARED}")
@pytest.mark.parametrize("case", GIVEN if ALL else GIVEN[::5], ids=lambda case: case.id)
def test_given_case(case: Case, site: Site) -> None:
    run(case, site)


@pytest.mark.parametrize(
    "case", OWN if ALL else [named("delete-and-create", "a namespace goes with its policies")], ids=lambda case: case.id
)
def test_own_case(case: Case, site: Site) -> None:
    run(case, site)


def test_policies_see_what_is_behind_a_service(site: Site) -> None:
    """A Service's client is judged by its own address, and by the address and port of the pod that is behind it."""
    case, evolving = named("ports", "a name and a peer"), site.evolving()
    try:
        site.do(case.steps[0].actions, evolving)
        expected = case.steps[0].expected(evolving.objects.values())
        assert not site.wrong(but_to_themselves(expected), "cluster-ip")
    finally:
        site.restore()


def test_trace_tells_what_packets_do(site: Site) -> None:
    case, evolving = named("ports", "a name and a peer"), site.evolving()
    try:
        site.do(case.steps[0].actions, evolving)
        cells = site.matrix().cells["TCP/81"]
        for source, target, allowed in (("y/a", "x/a", True), ("z/a", "x/a", False), ("x/a", "y/a", True)):
            told = site.testbed.mininetes("trace", source, target, "--port", "81")
            assert told.status == 0, str(told)
            assert cells[source][target] == allowed
            assert f"observed  {'delivered' if allowed else 'denied'}" in told.stdout, str(told)
    finally:
        site.restore()


def test_every_case_of_the_list_is_one_of_ours() -> None:
    for cases in UPSTREAM.values():
        ((family, title),) = cases.items()
        assert named(family, title)
