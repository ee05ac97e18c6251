"""The one door to YAML: files, directories and stdin in; JSON-like documents with line numbers out.

What a scalar means follows Kubernetes (YAML 1.1 to JSON, as sigs.k8s.io/yaml does it): yes/no/on/off are booleans,
0777 is octal, keys become strings; but timestamps, base-60 numbers and everything else that JSON does not have stay
strings. A key that stands twice in one mapping is a mistake, not a silent override.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import IO, Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from cluster.objects import subject
from cluster.problems import Problem
from cluster.reading.findings import Finding, Path, dotted, type_name

STDIN = "-"
SUFFIXES = (".yaml", ".yml", ".json")
"""What is read of a directory, as `kubectl apply -f DIR` does."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML was built with it: about ten times faster."""



class _Dumper(yaml.SafeDumper):
    """No anchors: equal parts of an object are written out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_GLUED_NOTICE = "found '---' at the end of a line; read as if it stood on a line of its own, where it belongs"

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_STRINGS = frozenset(_TAG + name for name in ("str", "timestamp", "binary", "value"))
_TRUE = frozenset(("yes", "true", "on"))
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Lines:
    """The line of one value and of everything in it. `children` by key (a mapping) or index (a list)."""

    line: int
    children: Mapping[str | int, Lines] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document (or one item of a List): its data, and where each part of it stands.

    `line` is 1-based; 0 with `lines` None when the object did not come from a file.
    """

    file: str
    line: int
    data: dict[str, Any]
    lines: Lines | None = None

    def line_of(self, path: Path) -> int:
        """The line of the key or item at `path`, or of its nearest enclosing part where there is none."""
        lines, line = self.lines, self.line
        for step in path:
            lines = lines.children.get(step) if lines else None
            if lines is None:
                break
            line = lines.line
        return line

    def problem(self, finding: Finding) -> Problem:
        line = self.line_of(finding.path)
        return Problem(self.file, line, subject(self.data), dotted(finding.path), finding.message)

    def with_data(self, data: dict[str, Any]) -> Document:
        return replace(self, data=data)


@dataclass
class Reading:
    """What was read, in order, and everything that is wrong with it as YAML."""

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)


def read(paths: Sequence[str], stdin: IO[bytes] | None = None) -> Reading:
    """All documents of these files, directories and "-" (`stdin`).

    A file that is named twice (say, by itself and by its directory) is read once.
    """
    reading = Reading()
    for name, text in _texts(paths, stdin, reading.problems):
        _read_text(name, text, reading)
    return reading


def value(text: bytes) -> Any:
    """The one value that a YAML (or JSON) text holds, read as a manifest is. Raises ValueError, saying what is wrong."""
    builder = _Builder()
    try:
        node = yaml.compose(text, _Loader)
        built = None if node is None else builder.build(node, ())[0]
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not valid YAML: {error}") from error
    for line, finding in builder.findings:
        raise ValueError(f"line {line}: {dotted(finding.path)}: {finding.message}")
    return built


def dump(obj: Any) -> str:
    """A JSON value as YAML, keys in their order."""
    return str(yaml.dump(obj, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def _texts(paths: Sequence[str], stdin: IO[bytes] | None, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
    seen: set[FilePath] = set()
    for path in paths:
        if path == STDIN and stdin is not None:
            yield "stdin", stdin.read()
            continue
        for file in _files(FilePath(path), problems):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                try:
                    yield str(file), file.read_bytes()
                except OSError as error:
                    problems.append(Problem(str(file), 0, "", "", f"cannot be read: {error.strerror}"))


def _files(path: FilePath, problems: list[Problem]) -> list[FilePath]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if not files:
        wanted = ", ".join("*" + suffix for suffix in SUFFIXES)
        problems.append(Problem(str(path), 0, "", "", f"found no file in this directory; must hold {wanted}"))
    return files


def _read_text(name: str, text: bytes, reading: Reading) -> None:
    """Documents before a syntax error are kept, so that their mistakes are told in the same run."""
    nodes: list[Node] = []
    problem = None
    try:
        for node in yaml.compose_all(text, _Loader):
            nodes.append(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        if halves := _glued(text, line):
            if all(notice.file != name for notice in reading.notices):
                reading.notices.append(Problem(name, line, "", "", _GLUED_NOTICE))
            for half in halves:
                _read_text(name, half, reading)
            return
        problem = Problem(name, line, "", "", f"not valid YAML: {error.problem or error.context}")
    except yaml.reader.ReaderError as error:
        line = text.count(b"\n", 0, error.position) + 1
        problem = Problem(name, line, "", "", f"not valid YAML: {error.reason}; must be UTF-8 text")
    for node in nodes:
        _read_root(name, node, reading)
    if problem:
        reading.problems.append(problem)


def _glued(text: bytes, line: int) -> tuple[bytes, bytes] | None:
    """The text before and from a "---" that ends line `line` (1-based) instead of standing on one of its own.

    Published manifests have this where files without a final newline were joined. The second part keeps its line
    numbers.
    """
    lines = text.split(b"\n")
    if not 1 <= line <= len(lines):
        return None
    head, separator, _ = lines[line - 1].rpartition(b"---")
    if not head.strip() or not lines[line - 1].rstrip().endswith(separator) or not separator:
        return None
    return b"\n".join([*lines[: line - 1], head]), b"\n" * (line - 1) + b"\n".join([separator, *lines[line:]])


def _read_root(name: str, node: Node, reading: Reading) -> None:
    builder = _Builder()
    data, lines = builder.build(node, ())
    if data is None and not builder.findings:
        return
    if not isinstance(data, dict):
        message = f"found a {type_name(data)}; a document must be a map"
        reading.problems.append(Problem(name, lines.line, "", "", message))
        return
    reading.problems += (
        Problem(name, line, subject(data), dotted(finding.path), finding.message) for line, finding in builder.findings
    )
    reading.documents += _flattened(Document(name, lines.line, data, lines), reading.problems)


def _flattened(document: Document, problems: list[Problem]) -> Iterator[Document]:
    """The document itself, or the items of a `kind: List` (or PodList …, whose items may leave out their kind)."""
    kind, items = document.data.get("kind"), document.data.get("items")
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield document
        return
    implied = {} if kind == "List" else {"apiVersion": document.data.get("apiVersion"), "kind": kind[: -len("List")]}
    for index, item in enumerate(items):
        path: Path = ("items", index)
        if not isinstance(item, dict):
            problems.append(document.problem(Finding(path, f"found a {type_name(item)}; must be a map")))
            continue
        lines = document.lines.children["items"].children[index] if document.lines else None
        yield from _flattened(Document(document.file, document.line_of(path), {**implied, **item}, lines), problems)


class _Builder:
    """Nodes to plain data and lines. Collects findings with the line that the finding's path could not lead to."""

    def __init__(self) -> None:
        self.findings: list[tuple[int, Finding]] = []
        self._open: set[int] = set()

    def build(self, node: Node, path: Path) -> tuple[Any, Lines]:
        line = node.start_mark.line + 1
        if isinstance(node, ScalarNode):
            return self._scalar(node, path), Lines(line)
        if id(node) in self._open:
            self._report(line, path, "found an alias of a part that holds the alias; must not contain itself")
            return None, Lines(line)
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path, line)
            assert isinstance(node, SequenceNode)  # YAML has no fourth kind
            return self._sequence(node, path, line)
        finally:
            self._open.discard(id(node))

    def _report(self, line: int, path: Path, message: str) -> None:
        self.findings.append((line, Finding(path, message)))

    def _sequence(self, node: SequenceNode, path: Path, line: int) -> tuple[list[Any], Lines]:
        built = [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return [value for value, _ in built], Lines(line, dict(enumerate(lines for _, lines in built)))

    def _mapping(self, node: MappingNode, path: Path, line: int) -> tuple[dict[str, Any], Lines]:
        data: dict[str, Any] = {}
        lines: dict[str | int, Lines] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged += value_node.value if isinstance(value_node, SequenceNode) else [value_node]
                continue
            key_line = key_node.start_mark.line + 1
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in data:
                first = lines[key].line
                self._report(key_line, (*path, key), f"found twice; the key is already there on line {first}")
                continue
            value, below = self.build(value_node, (*path, key))
            data[key], lines[key] = value, Lines(key_line, below.children)
        for source in merged:
            self._merge(source, path, data, lines)
        return data, Lines(line, lines)

    def _merge(self, source: Node, path: Path, data: dict[str, Any], lines: dict[str | int, Lines]) -> None:
        """`<<: *other`: the keys of `other` that are not there yet (yaml.org/type/merge.html)."""
        value, below = self.build(source, path)
        if not isinstance(value, dict):
            self._report(below.line, (*path, "<<"), f"found a {type_name(value)}; must be a map or a list of maps")
            return
        for key in value.keys() - data.keys():
            data[key], lines[key] = value[key], below.children[key]

    def _key(self, node: Node, path: Path) -> str | None:
        """JSON's keys are strings; Kubernetes makes them of YAML's booleans and numbers."""
        value = self._scalar(node, path) if isinstance(node, ScalarNode) else None
        if value is None:
            self._report(node.start_mark.line + 1, path, "found a key that is no text; must be a string")
            return None
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        text: str = node.value
        if node.tag in _STRINGS:
            return text
        if node.tag == _TAG + "null":
            return None
        if node.tag == _TAG + "bool":
            return text.lower() in _TRUE
        if node.tag == _TAG + "int":
            return _integer(text)
        if node.tag == _TAG + "float":
            return float(text.replace("_", "")) if _FLOAT.fullmatch(text) else text
        tag = node.tag.replace(_TAG, "!!")
        self._report(node.start_mark.line + 1, path, f"found the tag {tag}; manifests have no tags: remove it")
        return text


def _integer(text: str) -> int | str:
    """YAML 1.1's integers, but for base 60 (12:30), which Kubernetes reads as a string."""
    if not _INTEGER.fullmatch(text):
        return text
    digits = text.replace("_", "").lower()
    unsigned = digits.lstrip("+-")
    octal = len(unsigned) > 1 and unsigned.startswith("0") and unsigned.isdigit()
    return int(digits, 8) if octal else int(digits, 0)
