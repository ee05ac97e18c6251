"""Who must and who must not reach whom, in lines; the later line decides:

    - * > shop/db                        # nobody reaches the database …
    + shop/app=web > shop/db TCP/5432    # … but the pods with this label, on this port

A side is a list of NAMESPACE/POD, each with `*`, `?` and `[…]`, or NAMESPACE/KEY=VALUE for a label, or NAMESPACE/*;
`*` alone is every pod. Ports are a list of PROTOCOL/PORT; without them a line is about all ports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cluster.problems import Problem
from cluster.reading.findings import found

FORM = "must be `+ FROM > TO [PORTS]` or `- FROM > TO [PORTS]`"


@dataclass(frozen=True, slots=True)
class Claim:
    """`reaches`: whether these sources must reach these targets on these ports (none given: on all)."""

    reaches: bool
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    ports: tuple[str, ...]
    line: int
    text: str

    def covers(self, table: str, source: Pod, target: Pod) -> bool:
        return (
            names(self.sources, source)
            and names(self.targets, target)
            and (not self.ports or any(fnmatchcase(table, port) for port in self.ports))
        )


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as a claim names it: "shop/web-1" and its labels."""

    key: str
    labels: Mapping[str, str]


def parse(lines: Iterable[str], file: str) -> tuple[list[Claim], list[Problem]]:
    """The claims, and what could not be read."""
    claims, problems = [], []
    for number, line in enumerate(lines, 1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        claim = _claim(text, number)
        if claim is None:
            problems.append(Problem(file, number, "", "", found(text, FORM)))
        else:
            claims.append(claim)
    return claims, problems


def _claim(text: str, line: int) -> Claim | None:
    left, arrow, right = text[1:].partition(">")
    words, sources = right.split(), _list(left)
    if text[0] not in "+-" or not arrow or len(words) not in (1, 2) or not sources:
        return None
    ports = _list(words[1].upper()) if len(words) == 2 else ()
    return Claim(text[0] == "+", sources, _list(words[0]), ports, line, text)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def names(patterns: Sequence[str], pod: Pod) -> bool:
    """Whether a side of a claim names this pod."""
    return any(_is(pattern, pod) for pattern in patterns)


def _is(pattern: str, pod: Pod) -> bool:
    if "=" not in pattern:
        return pattern == "*" or fnmatchcase(pod.key, pattern)
    in_namespace, _, pair = pattern.partition("/")
    key, _, value = pair.partition("=")
    return fnmatchcase(pod.key.partition("/")[0], in_namespace) and pod.labels.get(key) == value


def deciding(claims: Sequence[Claim], table: str, source: Pod, target: Pod) -> Claim | None:
    """The last claim about this pair on this port; None where nothing is claimed."""
    return next((claim for claim in reversed(claims) if claim.covers(table, source, target)), None)


def unused(claims: Iterable[Claim], pods: Sequence[Pod]) -> Iterator[Claim]:
    """Claims about nobody: a name that no pod has."""
    for claim in claims:
        if not all(any(names((side,), pod) for pod in pods) for side in (*claim.sources, *claim.targets)):
            yield claim
