"""report.html: one file that needs no other, no script and no network."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.reports import sections
from experiments.reports.markup import Html, element, join
from experiments.reports.plots.style import Plot
from experiments.reports.result import Result

_STYLE = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, "DejaVu Sans", Verdana, sans-serif; color: #222; background: #fff; max-width: 60rem;
       margin: 0 auto; padding: 1.5rem }
h1 { line-height: 1.2; margin-bottom: .2rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc }
.question { font-size: 1.25rem; margin-top: 0 } .note { color: #555; font-size: .9rem }
figure { margin: 1rem 0 } figure svg { max-width: 100%; height: auto } figcaption { color: #555; font-size: .9rem }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem } th, td { text-align: left;
padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd; vertical-align: top } th { color: #555; font-weight: 600 }
.banner { border-left: .4rem solid; padding: .6rem 1rem; margin: 1rem 0 } .verdict { font-weight: 600 }
.valid { border-color: #0072B2 } .degraded, .unwatched { border-color: #E69F00; background: #fff8ea }
.invalid { border-color: #D55E00; background: #fdf1ea }
pre { overflow-x: auto; background: #f6f6f6; padding: .8rem; font-size: .85rem } summary { cursor: pointer }
@media print { details:not([open]) { display: none } }
"""


def text(result: Result, plots: Sequence[Plot]) -> str:
    head = element("head", Html('<meta charset="utf-8">'),
                   Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
                   element("title", result.title), element("style", Html(_STYLE)))  # fmt: skip
    body = element("body", element("main", join((
        sections.opening(result), sections.verdict(result), sections.answer(result), sections.method(result),
        sections.figures(result, plots), sections.over_time(plots), sections.trust(result),
        sections.machine(result), sections.again(result),
    ))))  # fmt: skip
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'
