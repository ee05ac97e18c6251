"""Experiment files that are right: variables, variants, steps; and the schema that is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cluster.reading import documents
from experiments.scripted import fields, file, order
from experiments.scripted.commands import LIBRARY
from experiments.scripted.model import Experiment
from experiments.scripted.steps.faults import mended_by
from experiments.scripted.steps.loads import Load
from experiments.scripted.steps.step import When, parse_at
from experiments.scripted.steps.throughput import Iperf3
from experiments.scripted.values import Target, seconds

ROOT = Path(__file__).parents[2]
SPEC = Path(__file__).parent / "wrong_experiments" / "spec.yaml"
HEAD = f"apiVersion: mininetes.dev/v1alpha1\nkind: Experiment\nmetadata: {{name: right}}\nspec:\n  files: [{SPEC}]\n"
STEPS = '  steps:\n  - name: tcp\n    iperf3: {from: client, to: server, parallel: "${{ streams }}", family: "${{ family }}"}\n'
MATRIX = "  parameters: {streams: [1, 4], family: [ipv4, ipv6]}\n"
ARMS = '  arms: [{name: few, set: {rate: 10}}, {name: many, set: {rate: 500}}]\n'


def loaded(tmp_path: Path, text: str) -> Experiment:
    path = tmp_path / "experiment.yaml"
    path.write_text(HEAD + text)
    return file.load(path)


def test_parameters_are_a_matrix_and_keep_their_types(tmp_path: Path) -> None:
    read = loaded(tmp_path, MATRIX + STEPS)
    actions = [variant.steps[0].action for variant in read.variants]
    assert all(isinstance(action, Iperf3) for action in actions)
    found = [(action.options.parallel, action.family) for action in actions if isinstance(action, Iperf3)]
    assert found == [(1, "ipv4"), (1, "ipv6"), (4, "ipv4"), (4, "ipv6")]
    assert read.arms == ("right",)


def test_a_list_in_a_list_is_spliced_in_and_text_around_a_variable_stays(tmp_path: Path) -> None:
    read = loaded(tmp_path, (
        "  parameters: {size: [8, 64]}\n"
        "  arms: [{name: flood, set: {options: [-f, -s, '${{ size }}']}}, {name: plain, set: {options: []}}]\n"
        '  steps:\n  - {name: ping, exec: {in: client, command: [ping, "${{ options }}", "h${{ size }}.x"]}}\n'
    ))  # fmt: skip
    commands = {variant.key: variant.steps[0].action.command for variant in read.variants}  # type: ignore[attr-defined]
    assert commands == {
        "flood, size=8": ("ping", "-f", "-s", "8", "h8.x"), "flood, size=64": ("ping", "-f", "-s", "64", "h64.x"),
        "plain, size=8": ("ping", "h8.x"), "plain, size=64": ("ping", "h64.x"),
    }  # fmt: skip


def test_arms_may_differ_in_the_cluster(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(
        "apiVersion: mininetes.dev/v1alpha1\nkind: Experiment\nmetadata: {name: modes}\nspec:\n"
        "  arms: [{name: overlay, set: {mode: overlay}}, {name: direct, set: {mode: direct}}]\n"
        "  steps: [{name: all, matrix: {}}]\n"
        '---\napiVersion: mininetes.dev/v1alpha1\nkind: Cluster\nnetwork: {mode: "${{ mode }}"}\n'
    )
    read = file.load(path)
    assert [(each.arm, each.cluster.network.mode) for each in read.variants] == [("overlay", "overlay"), ("direct", "direct")]


def test_repetitions_have_every_variant_once_and_arms_side_by_side(tmp_path: Path) -> None:
    text = ARMS + '  parameters: {family: [ipv4, ipv6]}\n  repetitions: 6\n  steps:\n' \
        '  - {name: load, load: {from: client, to: service/web, rate: "${{ rate }}", family: "${{ family }}"}}\n'
    runs = order.runs(loaded(tmp_path, text))
    assert [run.order for run in runs] == list(range(1, 25))
    for start in range(0, 24, 4):
        assert len({run.key for run in runs[start : start + 4]}) == 4
    pairs = [runs[start : start + 2] for start in range(0, 24, 2)]
    assert all(a.variant.parameters == b.variant.parameters and a.variant.arm != b.variant.arm for a, b in pairs)
    assert {pair[0].variant.arm for pair in pairs} == {"few", "many"}, "one arm is always first"


def test_the_seed_decides_the_order(tmp_path: Path) -> None:
    text = MATRIX + "  repetitions: 5\n" + STEPS
    keys = [[run.key for run in order.runs(loaded(tmp_path, seed + text))] for seed in ("", "", "  seed: 2\n")]
    assert keys[0] == keys[1] != keys[2]


def test_a_runs_generator_does_not_depend_on_when_it_runs(tmp_path: Path) -> None:
    few, many = (loaded(tmp_path, MATRIX + f"  repetitions: {count}\n" + STEPS) for count in (1, 5))
    seeds = {run.key: run.seed for run in order.runs(many)}
    assert all(seeds[run.key] == run.seed for run in order.runs(few))
    assert len(set(seeds.values())) == len(seeds)


@pytest.mark.parametrize(("text", "when"), [
    ("load began", When("load", "began")),
    ("load ended", When("load", "ended")),
    ("2s after load began", When("load", "began", 2.0)),
    ("1m30s after load ended", When("load", "ended", 90.0)),
])  # fmt: skip
def test_when_a_step_begins(text: str, when: When) -> None:
    assert parse_at(text) == when


@pytest.mark.parametrize("text", ["load", "after load began", "x after load began", "2s after began", ""])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="STEP began"):
        parse_at(text)


@pytest.mark.parametrize(("text", "kind", "namespace", "name"), [
    ("web", "pod", "default", "web"),
    ("shop/web", "pod", "shop", "web"),
    ("node/worker", "node", "default", "worker"),
    ("service/web", "service", "default", "web"),
    ("deployment/shop/web", "deployment", "shop", "web"),
    ("10.0.0.1", "address", "default", "10.0.0.1"),
    ("fd00::1", "address", "default", "fd00::1"),
])  # fmt: skip
def test_targets(text: str, kind: str, namespace: str, name: str) -> None:
    target = Target(text)
    assert (target.kind, target.namespace, target.name) == (kind, namespace, name)


def test_durations() -> None:
    assert [seconds(each) for each in (2, 0.5, "500ms", "1m30s", "0")] == [2, 0.5, 0.5, 90, 0]


def test_what_mends_a_fault() -> None:
    assert mended_by(("node", "worker", "off")) == ("node", "worker", "on")
    assert mended_by(("node", "worker", "on")) == ()
    assert mended_by(("shape", "worker", "s1", "--bandwidth=1Mbit")) == ("shape", "worker", "s1")
    assert mended_by(("process", "api", "stop")) == ("process", "api", "continue")


def test_defaults_of_a_load(tmp_path: Path) -> None:
    read = loaded(tmp_path, "  steps: [{name: load, load: {from: client, to: service/web}}]\n")
    action = read.variants[0].steps[0].action
    assert isinstance(action, Load)
    assert (action.pace.rate, action.pace.concurrency, action.connections) == (None, 1, "new")


def documents_of(path: Path) -> dict[str, Any]:
    read = documents.read([str(path)]).documents
    return next(each.data for each in read if each.data.get("kind") == fields.KIND)


def test_the_published_schema_is_that_of_the_program() -> None:
    assert json.loads((ROOT / "docs" / "experiment.schema.json").read_text()) == fields.published()


def test_the_published_schema_takes_variables_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    validator = Draft202012Validator(fields.published())
    (tmp_path / "right.yaml").write_text(HEAD + MATRIX + STEPS)
    assert list(validator.iter_errors(documents_of(tmp_path / "right.yaml"))) == []
    (tmp_path / "wrong.yaml").write_text(HEAD + STEPS.replace('"${{ streams }}"', "many"))
    assert list(validator.iter_errors(documents_of(tmp_path / "wrong.yaml")))


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_library_is_right(path: Path) -> None:
    assert file.load(path).name == path.stem
    assert list(Draft202012Validator(fields.published()).iter_errors(documents_of(path))) == []
