"""Online Boutique without one of its policies: the table changes, and `mininetes check --diff` says exactly how."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_check import BOUTIQUE

from cluster.objects import Object, name
from cluster.plan import plan
from cluster.policy_oracle import Oracle
from cluster.reading.documents import dump, read
from cluster.reading.spec import load
from controller.check_command import check

MANIFESTS, POLICIES = str(BOUTIQUE / "kubernetes-manifests.yaml"), str(BOUTIQUE / "network-policies.yaml")
GIVEN = [document.data for document in read([POLICIES]).documents] if BOUTIQUE.is_dir() else []
REMOVED = [name(policy) for policy in GIVEN if "MININETES_ALL_CASES" in os.environ or name(policy) in ("deny-all", "frontend")]
"""Each takes a second; all of them in the full run."""
LINE = re.compile(r"([-+]) (\S+) (\S+) > (\S+) \((?:does not reach -> reaches|reaches -> does not reach)\)")
Change = tuple[str, str, str, str]
"""("+" for a pair that is opened or "-", table, from, to)."""


def by_the_oracle(old: Iterable[str], new: Iterable[str]) -> set[Change]:
    """What changes from these files to those, on the ports that the pods declare (by ICMP where they declare none)."""
    objects = {state: _planned(files) for state, files in (("old", old), ("new", new))}
    ports = {_key(pod): _declared(pod) for pod in objects["new"] if pod["kind"] == "Pod"}
    questions = sorted({port for some in ports.values() for port in some})
    before, after = (Oracle(objects[state]).tables(questions, 4).cells for state in ("old", "new"))
    return {
        ("+" if reaches else "-", "any" if protocol == "ICMP" else f"{protocol}/{port}", source, target)
        for protocol, port in questions
        for source, row in after[f"{protocol}/{port}"].items()
        for target, reaches in row.items()
        if (protocol, port) in ports.get(target, ()) and source in ports
        if before[f"{protocol}/{port}"][source][target] != reaches
    }


def _planned(files: Iterable[str]) -> list[Object]:
    spec = load(list(files))
    return [obj for obj in plan(spec.cluster, spec.objects).objects if obj["metadata"].get("namespace") != "kube-system"]


def _key(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{name(pod)}"


def _declared(pod: Object) -> set[tuple[str, int]]:
    ports = [port for each in pod["spec"]["containers"] for port in each.get("ports", ())]
    return {(port.get("protocol", "TCP"), port["containerPort"]) for port in ports} or {("ICMP", 0)}


@pytest.mark.skipif(not GIVEN, reason=f"no published manifests in {BOUTIQUE}")
@pytest.mark.parametrize("removed", REMOVED)
def test_a_removed_policy_changes_the_table_as_the_oracle_says(removed: str, tmp_path: Path) -> None:
    less = tmp_path / "less.yaml"
    less.write_text("---\n".join(dump(policy) for policy in GIVEN if name(policy) != removed))
    files = ("-f", MANIFESTS, "-f", str(less), "--diff", MANIFESTS, "--diff", POLICIES)
    done = CliRunner().invoke(check, files, catch_exceptions=False)
    said = {found.groups() for found in map(LINE.fullmatch, done.output.splitlines()) if found}
    assert said
    assert said == by_the_oracle([MANIFESTS, POLICIES], [MANIFESTS, str(less)])
    assert f"{len(said)} pairs change" in done.output
