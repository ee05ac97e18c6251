"""The part of an experiment's file that speaks of its figures: which are reported, ratios, expectations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.reading.findings import Finding, Path, found, suggestion
from experiments.scripted.model import Expectation, Ratio, Variant
from experiments.scripted.step_reading import unmeasured
from experiments.scripted.steps.looking import limits

Static = Mapping[str, Any]


def ratios(static: Static) -> Iterator[Ratio]:
    for entry in static.get("ratios", ()):
        yield Ratio(_ratio_name(entry), entry["figure"], entry["of"], entry["over"])


def expectations(static: Static) -> Iterator[Expectation]:
    for entry in static.get("expect", ()):
        at_least, at_most = entry.get("atLeast"), entry.get("atMost")
        what = entry.get("ratio") or entry.get("figure")
        text = entry.get("text") or f"{what} is {limits(at_least, at_most)}"
        yield Expectation(
            text, entry.get("figure"), entry.get("ratio"), entry.get("of", "each"), at_least, at_most, entry.get("arm"),
            tuple(sorted(entry.get("where", {}).items())),
        )  # fmt: skip


def _ratio_name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or f"{entry['figure']}: {entry['of']} over {entry['over']}")


def conclusion_findings(static: Static, arms: Sequence[str], variants: Sequence[Variant]) -> Iterator[Finding]:
    """What is wrong with them. Without variants (something is wrong with the steps) figures are not looked at."""
    measured = list(dict.fromkeys(figure.name for variant in variants for figure in variant.figures))
    for index, name in enumerate(static.get("figures", ())):
        yield from _figure(name, measured, ("spec", "figures", index))
    names: list[str] = []
    for index, entry in enumerate(static.get("ratios", ())):
        path: Path = ("spec", "ratios", index)
        yield from _figure(entry["figure"], measured, (*path, "figure"))
        for side in ("of", "over"):
            yield from _arm(entry[side], arms, (*path, side))
        if entry["of"] == entry["over"]:
            yield Finding((*path, "over"), found(entry["over"], "must be another arm than 'of'"))
        if _ratio_name(entry) in names:
            yield Finding((*path, "name"), found(_ratio_name(entry), "the name is taken; must be unique"))
        names.append(_ratio_name(entry))
    for index, entry in enumerate(static.get("expect", ())):
        yield from _expectation(static, entry, ("spec", "expect", index), names, arms, measured)


def _expectation(
    static: Static, entry: Mapping[str, Any], path: Path, ratio_names: Sequence[str], arms: Sequence[str],
    measured: Sequence[str],
) -> Iterator[Finding]:  # fmt: skip
    if ("figure" in entry) == ("ratio" in entry):
        told = "both 'figure' and 'ratio'" if "figure" in entry else "neither 'figure' nor 'ratio'"
        yield Finding(path, f"found {told}; must have exactly one of them")
    if "atLeast" not in entry and "atMost" not in entry:
        yield Finding(path, "found no limit; must have atLeast or atMost")
    if "figure" in entry:
        yield from _figure(entry["figure"], measured, (*path, "figure"))
    if "ratio" in entry and entry["ratio"] not in ratio_names:
        near = suggestion(entry["ratio"], ratio_names) or f" (have: {', '.join(ratio_names) or 'none'})"
        yield Finding((*path, "ratio"), found(entry["ratio"], f"there is no such ratio{near}"))
    if "arm" in entry:
        yield from _arm(entry["arm"], arms, (*path, "arm"))
        if "ratio" in entry:
            yield Finding((*path, "arm"), found(entry["arm"], "a ratio is of two arms: leave it out"))
    given = static.get("parameters", {})
    for name, value in entry.get("where", {}).items():
        if name not in given:
            near = suggestion(name, given) or f" (have: {', '.join(given) or 'none'})"
            yield Finding((*path, "where", name), f"found '{name}'; there is no such parameter{near}")
        elif value not in given[name]:
            rule = f"the parameter has no such value (have: {', '.join(map(str, given[name]))})"
            yield Finding((*path, "where", name), found(value, rule))


def _figure(name: str, measured: Sequence[str], path: Path) -> Iterator[Finding]:
    if measured and (wrong := unmeasured(name, measured)):
        yield Finding(path, wrong)


def _arm(name: str, arms: Sequence[str], path: Path) -> Iterator[Finding]:
    if name not in arms:
        near = suggestion(name, arms) or f" (have: {', '.join(arms)})"
        yield Finding(path, found(name, f"there is no such arm{near}"))
