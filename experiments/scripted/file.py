"""An experiment's file -> an Experiment, or everything that is wrong with it and with the specs of all of its runs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.problems import Problem, SpecError
from cluster.reading import documents, manifests, spec
from cluster.reading.documents import Document, Reading
from cluster.reading.findings import Finding, dotted, found, suggestion
from cluster.reading.findings import Path as FieldPath
from cluster.reading.jsonschema_findings import Validator
from cluster.reading.spec import Spec
from experiments.scripted import fields, placed, values
from experiments.scripted.conclusions import conclusion_findings, expectations, ratios
from experiments.scripted.model import Experiment, Variant, key_of
from experiments.scripted.placed import VARIABLE, Placed, Unknown
from experiments.scripted.step_reading import StepReader

MAX_VARIANTS = 1000
DEFAULT_SEED, DEFAULT_INTERVAL_S = 1, 0.5
_SEVERAL = "found a second document of kind Experiment; the first is line {}; write each into a file of its own"


def load(path: str | Path) -> Experiment:
    """Read and check everything. Raises SpecError with all problems, of the specs of all runs, too."""
    return of(documents.read([str(path)]), str(path), Path(path).read_text() if Path(path).is_file() else "")


def of(reading: Reading, file: str, text: str) -> Experiment:
    """Of documents that were read, one of them an Experiment. Raises SpecError."""
    found_here = [document for document in reading.documents if document.data.get("kind") == fields.KIND]
    problems = list(reading.problems)
    if not found_here:
        if not problems:
            problems.append(Problem(file, 0, "", "", f"found no document of kind {fields.KIND}; must hold one"))
        raise SpecError(problems)
    problems += (each.problem(Finding(("kind",), _SEVERAL.format(found_here[0].line))) for each in found_here[1:])
    others = [document for document in reading.documents if document not in found_here]
    return _Reader(file, text, found_here[0], others, problems).experiment()


@dataclass(slots=True)
class _Reader:
    """One experiment as it is read: what is wrong is collected in `problems`."""

    file: str
    text: str
    document: Document
    others: Sequence[Document]
    problems: list[Problem]
    used: set[str] = field(default_factory=set)
    _specs: dict[str, Spec | None] = field(default_factory=dict)
    _files: dict[str, Reading] = field(default_factory=dict)
    _validators: dict[str, Validator] = field(default_factory=dict)

    def experiment(self) -> Experiment:
        wrong = Validator(fields.frame()).findings(self.document.data)
        self.problems += map(self.document.problem, wrong)
        whole = placed.placed(self.document)
        root = whole.get("spec")
        if root is None or not isinstance(root.value, dict):
            raise SpecError(self.problems)
        bad = {finding.path[1] for finding in wrong if finding.path[:1] == ("spec",) and len(finding.path) > 1}
        static = {name: value for name, value in root.value.items() if name in fields.STATIC and name not in bad}
        for name, value in static.items():
            findings = values.format_findings(fields.STATIC[name], value, ("spec", name))
            self.problems += map(self.document.problem, findings)
        variants: list[Variant] = []
        if not bad & {"arms", "parameters", "steps"}:
            self.problems += map(self.document.problem, _variable_findings(static))
            variants = self._variants(root, static)
        name = str((self.document.data.get("metadata") or {}).get("name", ""))
        arms = [arm["name"] for arm in static.get("arms", [{"name": name}])]
        if variants or not self.problems:
            self.problems += map(self.document.problem, conclusion_findings(static, arms, variants))
        if self.problems:
            raise SpecError(list(dict.fromkeys(self.problems)))
        return self._made(name, static, arms, variants)

    def _made(
        self, name: str, static: Mapping[str, Any], arms: Sequence[str], variants: Sequence[Variant]
    ) -> Experiment:
        return Experiment(
            file=self.file,
            text=self.text,
            name=name,
            title=static.get("title", name),
            question=static.get("question", ""),
            method=static.get("method", ""),
            seed=static.get("seed", DEFAULT_SEED),
            repetitions=static.get("repetitions", 1),
            shared=static.get("testbed") == fields.SHARED,
            interval_s=values.seconds(static.get("samples", {}).get("every", DEFAULT_INTERVAL_S)),
            arms=tuple(arms),
            parameters={key: tuple(given) for key, given in static.get("parameters", {}).items()},
            variants=tuple(variants),
            reported=tuple(static.get("figures", ())),
            ratios=tuple(ratios(static)),
            expectations=tuple(expectations(static)),
        )

    def _variants(self, root: Placed, static: Mapping[str, Any]) -> list[Variant]:
        """Every arm with every value of every parameter; those that have no problem."""
        name = str((self.document.data.get("metadata") or {}).get("name", ""))
        arms = _arms(root, name)
        parameters = {key: list(below.children.values()) for key, below in _children(root, "parameters")}
        count = len(arms)
        for given in parameters.values():
            count *= len(given)
        if count > MAX_VARIANTS:
            path: FieldPath = ("spec", "parameters")
            rule = f"must be at most {MAX_VARIANTS} arms times parameters"
            self.problems.append(self.document.problem(Finding(path, found(count, rule))))
            return []
        made = []
        for arm, own in arms.items():
            for chosen in itertools.product(*parameters.values()):
                chosen_now = dict(zip(parameters, chosen, strict=True))
                # What an arm sets may speak of parameters.
                set_here = {name: self._rendered(value, chosen_now) for name, value in own.items()}
                variant = self._variant(root, arm, chosen_now, {**chosen_now, **set_here})
                if variant is not None:
                    made.append(variant)
        self._unused(("spec", "parameters"), parameters)
        for index, entry in enumerate(static.get("arms", ())):
            self._unused(("spec", "arms", index, "set"), entry.get("set", {}))
        return made

    def _variant(
        self, root: Placed, arm: str, parameters: Mapping[str, Placed], variables: Mapping[str, Placed]
    ) -> Variant | None:
        before = len(self.problems)
        rendered = {name: self._rendered(below, variables) for name, below in root.children.items()
                    if name in fields.RENDERED}  # fmt: skip
        parts = {str(name): part for name, part in rendered.items()}
        wrong = {name: self._validator(name).findings(part.value) for name, part in parts.items()}
        for name, findings in wrong.items():
            self._tell(parts[name], findings)
        own = [self._document(document, variables) for document in self.others]
        specification = None
        if not wrong.get("files") and not wrong.get("manifests"):
            specification = self._spec(parts, own)
        reader = StepReader(specification.cluster if specification else None, specification.objects if specification else ())
        for index, step in enumerate(parts["steps"].value if isinstance(parts["steps"].value, list) else ()):
            if isinstance(step, dict):
                against = [Finding(f.path[1:], f.message) for f in wrong["steps"] if f.path[:1] == (index,)]
                reader.take(index, step, against)
                self._applied(parts["steps"], index, step)
        self._tell(parts["steps"], reader.findings)
        if len(self.problems) > before or specification is None:
            return None
        chosen = {name: value.value for name, value in parameters.items()}
        return Variant(
            arm, chosen, specification.cluster_document, specification.cluster, specification.objects,
            tuple(reader.steps),
        )  # fmt: skip

    def _spec(self, parts: Mapping[str, Placed], own: Sequence[Document]) -> Spec | None:
        """The cluster and its objects; None, and problems, when something is wrong with them. Once for equal ones."""
        given = parts.get("manifests")
        inline = [placed.document(self.file, each) for each in given.children.values()] if given else []
        files = parts["files"].value if "files" in parts else []
        key = json.dumps([[document.data for document in (*own, *inline)], files])
        if key not in self._specs:
            reading = Reading()
            for name in files:
                self._read(name, reading)
            reading.documents += [*own, *inline]
            try:
                self._specs[key] = spec.check(reading)
            except SpecError as error:
                self.problems += error.problems
                self._specs[key] = None
        return self._specs[key]

    def _read(self, name: str, into: Reading) -> None:
        """A file of `files`: its place is relative to the experiment's."""
        if name not in self._files:
            self._files[name] = documents.read([str(Path(self.file).parent / name)])
        read = self._files[name]
        into.documents += [each for each in read.documents if each.data.get("kind") != fields.KIND]
        into.problems += read.problems
        into.notices += read.notices

    def _applied(self, steps: Placed, index: int, step: Mapping[str, Any]) -> None:
        """What a step applies is a manifest as any other."""
        given = steps.get(index, "apply", "manifests")
        for each in given.children.values() if given else ():
            if isinstance(each.value, dict):
                self.problems += manifests.check(placed.document(self.file, each)).problems

    def _document(self, document: Document, variables: Mapping[str, Placed]) -> Document:
        rendered = self._rendered(placed.placed(document), variables)
        return placed.document(document.file, rendered)

    def _rendered(self, value: Placed, variables: Mapping[str, Placed]) -> Placed:
        unknown: list[Unknown] = []
        self.used.update(VARIABLE.findall(json.dumps(value.value)))
        rendered = placed.render(value, variables, unknown)
        subject = self.document.problem(Finding((), "")).subject
        self.problems += (Problem(self.file, one.line, subject, dotted(one.path), one.message) for one in unknown)
        return rendered

    def _unused(self, path: FieldPath, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.used:
                message = f"found '{name}', which nothing uses; write ${{{{ {name} }}}} where it belongs"
                self.problems.append(self.document.problem(Finding((*path, name), message)))

    def _tell(self, part: Placed, findings: Sequence[Finding]) -> None:
        """But for values that are variables still, which was told."""
        subject = self.document.problem(Finding((), "")).subject
        for finding in findings:
            value = part.get(*finding.path)
            if value is None or not (isinstance(value.value, str) and placed.OPENING in value.value):
                self.problems.append(placed.problem(self.file, subject, part, finding))

    def _validator(self, name: str) -> Validator:
        if name not in self._validators:
            self._validators[name] = Validator(fields.RENDERED[name])
        return self._validators[name]


def _children(root: Placed, name: str) -> Iterator[tuple[str, Placed]]:
    below = root.get(name)
    for key, value in below.children.items() if below else ():
        yield str(key), value


def _arms(root: Placed, name: str) -> dict[str, dict[str, Placed]]:
    """Arm -> its variables; without any arm one, of the experiment's name."""
    listed = root.get("arms")
    if listed is None:
        return {name: {}}
    arms: dict[str, dict[str, Placed]] = {}
    for entry in listed.children.values():
        arms.setdefault(entry.value["name"], dict(_children(entry, "set")))
    return arms


def _variable_findings(static: Mapping[str, Any]) -> Iterator[Finding]:
    """Arms have different names and set the same variables, none of them a parameter."""
    arms = static.get("arms", [])
    first: dict[str, int] = {}
    every = dict.fromkeys(name for arm in arms for name in arm.get("set", {}))
    for index, arm in enumerate(arms):
        path: FieldPath = ("spec", "arms", index)
        if arm["name"] in first:
            taken = f"arms[{first[arm['name']]}] has that name; must be unique"
            yield Finding((*path, "name"), found(arm["name"], taken))
        first.setdefault(arm["name"], index)
        for name in arm.get("set", {}):
            if name in static.get("parameters", {}):
                yield Finding((*path, "set", name), f"found '{name}', which is a parameter, too; must be one of them")
        for name in every:
            if name not in arm.get("set", {}):
                others = [other["name"] for other in arms if name in other.get("set", {})]
                hint = suggestion(name, arm.get("set", {}))
                yield Finding((*path, "set"), f"found no value for '{name}', which arm '{others[0]}' sets{hint}")


def variant_of(experiment: Experiment, arm: str, parameters: Mapping[str, Any]) -> Variant:
    """Raises KeyError."""
    return {variant.key: variant for variant in experiment.variants}[key_of(arm, parameters)]
