"""What stands in report.html, section by section: texts from the result, beside the plots of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape

from experiments.reports import summary, units
from experiments.reports.markup import Html, element, folded, join, table, unordered
from experiments.reports.plots import style
from experiments.reports.plots.style import Plot
from experiments.reports.result import Figure, Result, Run, Verdict

_WORDS: dict[Verdict, str] = {
    "valid": "nothing that was watched disturbed the run",
    "degraded": "something disturbed it a little: its figures count, and are marked",
    "unwatched": "nobody watched the machine, so nothing is known: its figures count, and are marked",
    "invalid": "the machine, not what was measured, set the figures: they are shown and enter no median",
}
_OPEN = 12
"""So many claims are read at once; the others are folded."""
_HOLDS = {True: "✓ holds", False: "✗ does not hold", None: "? not decided"}


def opening(result: Result) -> Html:
    when = f"{result.started}, {result.seconds:.0f} s, seed {result.seed}"
    return join((element("h1", result.title), element("p", result.question, class_="question"),
                 element("p", f"Experiment {result.name}: {when}", class_="note")))  # fmt: skip


def verdict(result: Result) -> Html:
    """The worst verdict of all runs, before any number."""
    counts = Counter(run.fidelity.verdict for run in result.runs)
    worst = next((word for word in ("invalid", "unwatched", "degraded") if counts[word]), "valid")
    said = ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word]) or "none"
    culprits = Counter(culprit for run in result.runs for culprit in run.fidelity.culprits)
    reasons = unordered(f"{culprit}" + (f" ({times} runs)" if times > 1 else "") for culprit, times in culprits.most_common(5))
    content = [element("span", "How far to trust it: ", class_="verdict"), f"of {len(result.runs)} runs {said}."]
    return element("div", *content, reasons if culprits else "", class_=f"banner {worst}", role="note")


def answer(result: Result) -> Html:
    content = [element("h2", "What was found"), unordered(result.claims[:_OPEN])]
    if result.claims[_OPEN:]:
        content.append(folded(f"{len(result.claims) - _OPEN} more", unordered(result.claims[_OPEN:])))
    if result.expectations:
        rows = [(one.text, _HOLDS[one.holds], one.found) for one in result.expectations]
        content += [element("h3", "What was expected"), table(("Expectation", "", "Found"), rows)]
    return join(content)


def method(result: Result) -> Html:
    arms = f"Arms: {', '.join(result.arms)}." if len(result.arms) > 1 else ""
    swept = "".join(f" {name.replace('_', ' ').capitalize()}: {', '.join(map(summary.word, values))}."
                    for name, values in result.parameters.items())  # fmt: skip
    repetitions = len({run.repetition for run in result.runs})
    order = ", ".join(_place(run) for run in sorted(result.runs, key=lambda run: run.order))
    return join((
        element("h2", "How it was measured"), element("p", result.method),
        element("p", f"{arms}{swept} Each combination {repetitions} time{'s' if repetitions != 1 else ''}.".strip()),
        folded("The order of all runs", element("p", order, class_="note")),
    ))  # fmt: skip


def _place(run: Run) -> str:
    return f"{run.arm} ({summary.said(run.parameters)})" if run.parameters else run.arm


def figures(result: Result, plots: Sequence[Plot]) -> Html:
    drawn = {plot.name: plot for plot in plots}
    content: list[str] = [element("h2", "The figures")]
    for figure in result.own:
        better = f" {figure.better.capitalize()} is better." if figure.better else ""
        content += [element("h3", figure.name.replace("_", " ")), element("p", figure.text + better)]
        if (plot := drawn.get(style.file_name(figure.name))) is not None:
            content.append(picture(plot))
        content.append(_table(result, figure))
    if (plot := drawn.get("ratios")) is not None:
        content += [element("h3", plot.title), picture(plot)]
    if measured := [figure for figure in result.others if any(figure.name in run.figures for run in result.runs)]:
        tables = (part for figure in measured for part in (
            element("h4", figure.name.replace("_", " ")), element("p", figure.text), _table(result, figure)))  # fmt: skip
        content.append(folded("What was measured besides", *tables))
    return join(content)


def _table(result: Result, figure: Figure) -> Html:
    head = ("Arm", "Parameters", "Median", "Smallest", "Largest", "Runs that count", "Not simply valid")
    return table(head, _medians(result, figure))


def _medians(result: Result, figure: Figure) -> Iterator[tuple[str, ...]]:
    groups = summary.groups(result, figure)
    scale = units.scale(figure.unit, [value for group in groups for value in group.values])
    for group in groups:
        told = [scale.text(value) for value in (group.median, min(group.values), max(group.values)) if value is not None] \
            if group.values else ["none"] * 3  # fmt: skip
        yield group.arm, summary.said(group.parameters), *told, str(len(group.values)), group.remark


def over_time(plots: Sequence[Plot]) -> Html:
    """What the load saw is open, what the machine did meanwhile is folded."""
    timed = [plot for plot in plots if plot.name.startswith("time-")]
    if not timed:
        return Html()
    load = [picture(plot) for plot in timed if not plot.aside]
    machine = [picture(plot) for plot in timed if plot.aside]
    content = [element("h2", "Over time"), *load]
    return join([*content, folded("What the machine did meanwhile", *machine)] if machine else content)


def picture(plot: Plot) -> Html:
    drawn = style.svg(plot).replace("<svg ", f'<svg role="img" aria-label="{escape(plot.title)}" ', 1)
    return element("figure", Html(drawn), element("figcaption", plot.text))


def trust(result: Result) -> Html:
    rows = [(str(run.order), _place(run), str(run.repetition), run.fidelity.verdict, _reasons(run)) for run in result.runs]
    names = sorted({name for run in result.runs for name in run.fidelity.figures})
    watched = [(str(run.order), *(_number(run, name) for name in names)) for run in result.runs]
    return join((
        element("h2", "Run by run"), unordered(f"{word}: {meaning}" for word, meaning in _WORDS.items()),
        table(("Run", "What", "Repetition", "Verdict", "Because"), rows),
        folded("What was watched", table(("Run", *(name.replace("_", " ") for name in names)), watched)) if names else "",
    ))  # fmt: skip


def _number(run: Run, name: str) -> str:
    """With its unit, which the suffix of the name says."""
    if name not in run.fidelity.figures:
        return ""
    factor, unit = units.of_name(name)
    return units.text(unit, factor * run.fidelity.figures[name])


def _reasons(run: Run) -> str:
    return "; ".join((*run.fidelity.culprits, *([f"failed: {run.error}"] if run.error else ())))


def machine(result: Result) -> Html:
    here = result.machine
    rows = [("processors", f"{here.processors} × {here.model}"), ("memory", units.text("bytes", here.memory_bytes)),
            ("datapath", here.datapath)]  # fmt: skip
    rows += [(name.replace("_", " "), version or "not there") for name, version in result.versions.items()]
    return join((element("h2", "Machine and versions"), table(("", ""), rows)))


def again(result: Result) -> Html:
    return join((
        element("h2", "The same again"),
        element("p", "The experiment as it was run. With the same seed, order and choices are the same; beside this page "
                     "are results.json (everything), results.csv (one line per run and figure) and the plots."),
        folded("The experiment's file", element("pre", result.file)),
    ))  # fmt: skip
