"""What a check found, as a table, JSON, JUnit XML or Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from cluster.claims import Claim
from cluster.policy_names import Places
from cluster.problems import Problem
from cluster.reachability import Tables, lines
from controller.check import Findings, Violation
from controller.policy_words import reason

Changed = tuple[str, str, str, bool | None, bool | None]
_REACHES: Mapping[bool | None, str] = {True: "reaches", False: "does not reach", None: "is not there"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that is told. `changed` None: there was nothing to compare with."""

    found: Findings
    places: Places
    expected: Sequence[Claim]
    violations: Sequence[Violation]
    useless: Sequence[Problem]
    changed: Sequence[Changed] | None

    def why(self, table: str, source: str, target: str) -> str:
        return reason(self.found.answers[table, source, target], source, target, self.places)

    def violation(self, violation: Violation) -> str:
        wanted = "must reach" if violation.claim.reaches else "must not reach"
        what = f"{violation.source} {wanted} {violation.target} on {violation.table}"
        return f"{what}: {self.why(violation.table, violation.source, violation.target)}"


def text(outcome: Outcome) -> Iterator[str]:
    if outcome.changed is not None:
        yield from _changes(outcome.changed)
    else:
        yield from lines(outcome.found.tables)
    yield from (str(problem) for problem in outcome.useless)
    if outcome.expected:
        yield from (f"line {each.claim.line}: {outcome.violation(each)}" for each in outcome.violations)
        yield f"{len(outcome.expected)} claims, {len(outcome.violations)} pairs are otherwise"


def _changes(changed: Sequence[Changed]) -> Iterator[str]:
    for table, source, target, before, after in changed:
        yield f"{_sign(after)} {table} {source} > {target} ({_REACHES[before]} -> {_REACHES[after]})"
    yield f"{len(changed)} pairs change"


def _sign(after: bool | None) -> str:
    return "+" if after else "-"


def as_json(outcome: Outcome) -> str:
    content: dict[str, Any] = {
        **outcome.found.tables.to_json(),
        "violations": [
            {"claim": each.claim.text, "line": each.claim.line, "table": each.table, "from": each.source,
             "to": each.target, "reaches": not each.claim.reaches,
             "reason": outcome.why(each.table, each.source, each.target)}
            for each in outcome.violations
        ],
        "findings": [str(problem) for problem in outcome.useless],
    }  # fmt: skip
    if outcome.changed is not None:
        content["changes"] = [
            {"table": table, "from": source, "to": target, "before": before, "after": after}
            for table, source, target, before, after in outcome.changed
        ]
    return json.dumps(content, indent=1)


def junit(outcome: Outcome) -> str:
    """A test case for each claim; without claims, one for each table, which holds it."""
    failures = {claim.line: [each for each in outcome.violations if each.claim is claim] for claim in outcome.expected}
    failed = sum(1 for wrong in failures.values() if wrong)
    count = len(outcome.expected) or len(outcome.found.tables.cells)
    suite = ElementTree.Element("testsuite", name="mininetes check", tests=str(count), failures=str(failed))
    for claim in outcome.expected:
        case = ElementTree.SubElement(suite, "testcase", classname="NetworkPolicy", name=claim.text)
        wrong = failures[claim.line]
        if wrong:
            failure = ElementTree.SubElement(case, "failure", message=f"{len(wrong)} pairs are otherwise")
            failure.text = "\n".join(map(outcome.violation, wrong))
    for table, cells in outcome.found.tables.cells.items() if not outcome.expected else ():
        case = ElementTree.SubElement(suite, "testcase", classname="NetworkPolicy", name=table)
        ElementTree.SubElement(case, "system-out").text = "\n".join(lines(Tables({table: cells})))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def markdown(outcome: Outcome) -> Iterator[str]:
    if outcome.expected:
        verdict = f"{len(outcome.violations)} pairs are otherwise" if outcome.violations else "all hold"
        yield f"**{len(outcome.expected)} claims: {verdict}**\n"
        yield from _bullets(map(outcome.violation, outcome.violations))
    if outcome.changed is not None:
        yield f"**{len(outcome.changed)} pairs change**\n"
        yield from _markdown_table(
            ("", "port", "from", "to"),
            ((f"`{_sign(after)}`", table, source, target) for table, source, target, _, after in outcome.changed),
        )
    for table, rows in outcome.found.tables.cells.items():
        targets = list(dict.fromkeys(target for row in rows.values() for target in row))
        yield f"### {table}\n"
        cells = (
            (source, *({True: "✓", False: "✗", None: ""}[row.get(target)] for target in targets))
            for source, row in rows.items()
        )
        yield from _markdown_table(("from \\ to", *targets), cells)
    if outcome.useless:
        yield "### Without effect\n"
        yield from _bullets(map(str, outcome.useless))


def _bullets(sentences: Iterable[str]) -> Iterator[str]:
    yield "".join(f"- {sentence}\n" for sentence in sentences)


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)) + "\n"
