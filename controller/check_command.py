"""`mininetes check`: who reaches whom by these manifests, from the compiled pipeline, and whether that was meant."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from cluster import claims
from cluster.claims import Claim
from cluster.commands import files_option, output_option
from cluster.policy_names import Places
from cluster.problems import MachineError, Problem, SpecError
from cluster.reading.spec import load
from controller import check as checking
from controller import check_output
from controller.check_findings import useless
from controller.dummy_switch import DummySwitch

_WRITERS: Mapping[str, Callable[[check_output.Outcome], str]] = {
    "table": lambda outcome: "\n".join(check_output.text(outcome)),
    "json": check_output.as_json,
    "junit": check_output.junit,
    "markdown": lambda outcome: "\n".join(check_output.markdown(outcome)),
}


@click.command()
@files_option
@click.option("--expect", metavar="FILE", help="Who must (`+ FROM > TO [PORTS]`) and must not (`-`) reach whom.")
@click.option("--diff", "old", multiple=True, metavar="OLD", help="Also of these files; tell which pairs change.")
@click.option("--ports", metavar="P,…", help="Ask all pods on these ports; else each on those it declares.")
@click.option("--protocols", default="tcp", show_default=True, metavar="P,…", help="tcp, udp, sctp; goes with --ports.")
@click.option("--with-system", is_flag=True, help="The cluster's own pods (namespace kube-system) too.")
@output_option(*_WRITERS)
def check(
    files: tuple[str, ...], expect: str | None, old: tuple[str, ...], ports: str | None, protocols: str,
    with_system: bool, form: str,
) -> int:  # fmt: skip
    """Who reaches whom by these manifests: every pair, asked of the compiled pipeline in a switch of its own.

    Needs no testbed and no root. Exit status 1: something is otherwise than --expect says.
    """
    if not DummySwitch.available():
        raise MachineError("there is no Open vSwitch here: apt-get install openvswitch-switch")
    with DummySwitch() as switch:
        expected = _expected(expect) if expect else []
        spec = load(files, sys.stdin.buffer)
        world = checking.planned(spec, with_system)
        _refuse_unused(expected, world, expect or "")
        asked = checking.questions(world, _numbers(ports), _protocols(protocols), expected)
        found = checking.ask(world, switch, asked)
    changed = None
    if old:
        changed = list(checking.changes(_found_before(old, with_system, ports, protocols, expected).tables, found.tables))
    outcome = check_output.Outcome(
        found, Places(spec.documents), expected, list(checking.violations(world, found, expected)),
        useless(spec.documents, world.state), changed,
    )  # fmt: skip
    click.echo(_WRITERS[form](outcome))
    return 1 if outcome.violations else 0


def _found_before(
    files: Sequence[str], with_system: bool, ports: str | None, protocols: str, expected: Sequence[Claim]
) -> checking.Findings:
    world = checking.planned(load(files), with_system)
    asked = checking.questions(world, _numbers(ports), _protocols(protocols), expected)
    with DummySwitch() as switch:
        return checking.ask(world, switch, asked)


def _expected(file: str) -> list[Claim]:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError as error:
        raise SpecError([Problem(file, 0, "", "", error.strerror or "cannot be read")]) from error
    parsed, problems = claims.parse(lines, file)
    if problems:
        raise SpecError(problems)
    return parsed


def _refuse_unused(expected: Sequence[Claim], world: checking.World, file: str) -> None:
    """A claim about pods that are not there holds for ever, whatever happens: that must not look like success."""
    lost = claims.unused(expected, world.pods)
    problems = [Problem(file, claim.line, "", "", f"found '{claim.text}'; no pods are so called") for claim in lost]
    if problems:
        raise SpecError(problems)


def _numbers(ports: str | None) -> list[int]:
    words = ports.split(",") if ports else []
    for word in words:
        if not word.isdigit() or not 0 < int(word) < 65536:
            raise SpecError([Problem("--ports", 0, "", "", f"found {word!r}; must be numbers from 1 to 65535")])
    return [int(word) for word in words]


def _protocols(text: str) -> list[str]:
    words = text.upper().split(",")
    for word in words:
        if word not in checking.PROTOCOLS:
            raise SpecError([Problem("--protocols", 0, "", "", f"found {word.lower()!r}; must be tcp, udp or sctp")])
    return words
