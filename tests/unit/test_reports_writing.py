"""What is made of results.json: a page that needs nothing else, plots that show every run, the same bytes each time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import experiment_results as made
import pytest

from experiments import reports
from experiments.reports import drawing
from experiments.reports.plots import panels, style

_VOID = {"meta", "br"}


class _Page(HTMLParser):
    """Elements must close in order; ids must differ; what is referred to must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.wanted: set[str] = set()
        self.tags: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in _VOID:
            self.open.append(tag)
        self._look_at(attributes)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._look_at(attributes)

    def _look_at(self, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            self.wanted |= set(re.findall(r"url\(#([^)]+)\)", value or ""))
            self.wanted |= {(value or "")[1:]} if name.endswith("href") else set()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", ["comparison", "sweep", "failover", "ruined"])
def test_the_page_needs_nothing_else(tmp_path: Path, name: str) -> None:
    directory = made.save(getattr(made, name)(), tmp_path)
    found = reports.write(directory)
    text = (directory / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.wanted <= set(page.ids), "a reference to something that is not in this file"
    assert not page.tags & {"script", "link", "img", "iframe", "object", "use:src"}
    assert not re.search(r'(src|href)\s*=\s*"(?!#)|@import|url\((?!#)', text)
    told = " ".join(page.texts)
    for sentence in (found.question, found.method, *found.claims, *(run.fidelity.verdict for run in found.runs)):
        assert sentence in told
    for run in found.runs:
        for culprit in run.fidelity.culprits:
            assert culprit in told
    assert found.file in told
    assert all(version in told for version in found.versions.values() if version)


def test_claims_go_back_into_the_result_and_nothing_else_changes(tmp_path: Path) -> None:
    document = made.failover() | {"later": {"added": [1]}}
    reports.write(made.save(document, tmp_path))
    after = json.loads((tmp_path / "results.json").read_text())
    assert after.pop("claims")
    assert after == {key: value for key, value in document.items() if key != "claims"}


def test_the_same_result_makes_the_same_bytes(tmp_path: Path) -> None:
    one, other = made.save(made.sweep(), tmp_path / "one"), made.save(made.sweep(), tmp_path / "other")
    reports.write(one)
    reports.write(other)
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {".json", ".csv", ".html", ".svg", ".png"}
    assert [path for path in files if (one / path).read_bytes() != (other / path).read_bytes()] == []


def test_every_run_is_a_point_and_an_invalid_one_a_cross() -> None:
    found = made.result(made.failover())
    gap = next(drawing.plots(found))
    (axes,) = gap.canvas.axes
    offsets = [collection.get_offsets() for collection in axes.collections]
    drawn = sorted(float(point[0]) for collection in offsets for point in collection)  # type: ignore[attr-defined,union-attr]
    assert drawn == pytest.approx(sorted(run.figures["gap"] for run in found.runs))
    (legend,) = gap.canvas.legends
    assert [text.get_text() for text in legend.get_texts()] == ["invalid run, in no median"]
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlabel() == "gap (s)"


def test_an_arm_has_one_colour_in_every_plot() -> None:
    arms = style.Arms(tuple("abcdefg"))
    assert len({arms.colour(arm) for arm in arms.names}) == len({arms.marker(arm) for arm in arms.names}) == 7
    found = made.result(made.comparison())
    for plot in drawing.plots(found):
        for legend in plot.canvas.legends:
            handles = {text.get_text(): handle for text, handle in zip(legend.get_texts(), legend.get_lines(), strict=True)}
            assert handles["overlay"].get_color() == style.COLOURS[0]
            assert handles["direct"].get_color() == style.COLOURS[1]


def test_faults_are_marked_with_their_names() -> None:
    plots = {plot.name: plot for plot in drawing.plots(made.result(made.failover()))}
    (axes,) = plots["time-load-latency-s"].canvas.axes
    assert [text.get_text() for text in axes.texts] == ["worker2 off", "worker2 on"]
    assert axes.get_ylabel() == "latency (s, logarithmic)"
    assert plots["time-load-requests-per-s"].canvas.axes[0].get_ylim()[0] == 0
    assert [panel.get_title(loc="left") for panel in plots["time-cpu-percent"].canvas.axes] == ["ovs-vswitchd", "controller"]


def test_an_axis_is_logarithmic_only_where_values_differ_by_orders_of_magnitude() -> None:
    assert panels.is_wide([1, 101])
    assert not panels.is_wide([1, 99])
    assert not panels.is_wide([0, 1000])
    assert panels.ends([2, 4]) == (0, pytest.approx(4.32))
    assert panels.ends([]) == (0, 1)


def test_nobody_pays_for_plots_who_does_not_draw() -> None:
    code = "import sys, experiments.reports.commands; print('matplotlib' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True).stdout == "False\n"
