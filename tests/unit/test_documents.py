"""YAML as Kubernetes reads it, and the lines that things stand on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from cluster.reading.documents import Document, read
from cluster.reading.findings import Finding


def one(text: str) -> Document:
    reading = read(["-"], io.BytesIO(text.encode()))
    assert not reading.problems
    (document,) = reading.documents
    return document


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read(["-"], io.BytesIO(text.encode())).problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("80", 80),
        ("0777", 511),
        ("0x1F", 31),
        ("1_000", 1000),
        ("12:30", "12:30"),
        ("1.5", 1.5),
        ("1.5.2", "1.5.2"),
        ("yes", True),
        ("off", False),
        ("y", "y"),
        ("~", None),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
        (".inf", ".inf"),
        ("'80'", "80"),
        ("!!str 80", "80"),
        ("=", "="),
    ],
)
def test_a_scalar_means_what_kubernetes_makes_of_it(text: str, value: Any) -> None:
    read_value = one(f"value: {text}").data["value"]
    assert (read_value, type(read_value)) == (value, type(value))


def test_keys_become_strings() -> None:
    assert one("{80: a, on: b, x: c}").data == {"80": "a", "true": "b", "x": "c"}


def test_line_of_fields_items_and_what_is_not_there() -> None:
    document = one("# first\nkind: Pod\nspec:\n  containers:\n  - name: a\n  - name: b\n    image: x\n")
    assert document.line == 2
    assert document.line_of(("spec", "containers", 1, "image")) == 7
    assert document.line_of(("spec", "containers", 1)) == 6
    assert document.line_of(("spec", "containers", 1, "ports", 0)) == 6
    assert document.line_of(("spec", "hostNetwork")) == 3
    assert document.line_of(("metadata", "name")) == 2


def test_a_document_without_lines_has_line_zero() -> None:
    problem = Document("api", 0, {"kind": "Pod", "metadata": {"name": "a"}}).problem(Finding(("spec",), "wrong"))
    assert str(problem) == "api: Pod a: spec: wrong"


def test_documents_of_a_stream_and_empty_ones() -> None:
    reading = read(["-"], io.BytesIO(b"---\n---\na: 1\n---\n# nothing\n---\nb: 2\n...\n"))
    assert [document.data for document in reading.documents] == [{"a": 1}, {"b": 2}]


def test_lists_are_flattened_and_keep_their_lines() -> None:
    text = "kind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n- kind: List\n  items:\n  - {kind: Pod}\n"
    reading = read(["-"], io.BytesIO(text.encode()))
    assert [document.line for document in reading.documents] == [3, 7]
    assert reading.documents[0].line_of(("metadata",)) == 4


def test_items_of_a_typed_list_know_their_kind() -> None:
    assert one("apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}]").data["kind"] == "Pod"


def test_aliases_and_merge_keys() -> None:
    document = one("base: &base {a: 1, b: 2}\nmore: &more {c: 3}\nuse:\n  <<: [*base, *more]\n  b: 4\n")
    assert document.data["use"] == {"a": 1, "b": 4, "c": 3}


def test_an_alias_of_itself_is_refused() -> None:
    (problem,) = problems("a: &a\n  b: *a\n")
    assert "must not contain itself" in problem


def test_a_duplicate_key_is_told_with_both_lines() -> None:
    assert problems("a: 1\nb: 2\na: 3\n") == ["stdin:3: object: a: found twice; the key is already there on line 1"]


def test_text_that_is_not_utf8() -> None:
    (problem,) = read(["-"], io.BytesIO(b"a: 1\nb: \xff\xfe\n")).problems
    assert (problem.line, "UTF-8" in problem.message) == (2, True)


def test_a_separator_glued_to_a_line_is_read_with_a_notice() -> None:
    reading = read(["-"], io.BytesIO(b"a:\n- {}---\nb: 1\n---\nc: 1\nd: [{}]---\ne: 1\n"))
    assert not reading.problems
    assert [(document.line, document.data) for document in reading.documents] == [
        (1, {"a": [{}]}),
        (3, {"b": 1}),
        (5, {"c": 1, "d": [{}]}),
        (7, {"e": 1}),
    ]
    assert len(reading.notices) == 1


def test_a_directory_is_read_in_order_and_a_file_once(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("b: 1")
    (tmp_path / "a.json").write_text('{\n\t"a": 1\n}')
    (tmp_path / "c.txt").write_text("not: read")
    (tmp_path / "sub.yaml").mkdir()
    reading = read([str(tmp_path), str(tmp_path / "b.yml")])
    assert [document.data for document in reading.documents] == [{"a": 1}, {"b": 1}]


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    reading = read([str(tmp_path), "/does/not/exist.yaml"])
    assert [problem.message for problem in reading.problems] == [
        "found no file in this directory; must hold *.yaml, *.yml, *.json",
        "cannot be read: No such file or directory",
    ]
