"""A spec as a whole: the default cluster, namespaces, notices, and every mistake with its golden message."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cluster.problems import SpecError
from cluster.reading.config import DEFAULT_DOCUMENT
from cluster.reading.spec import Spec, load

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "cluster_specs").glob("*.yaml"))
SHARED = ROOT.parent / "shared"
"""Published manifests and policy cases, where they lie beside the repository."""

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no published manifests in {SHARED}")

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  containers:
  - {{name: a, image: b{more}}}
---
"""


def from_text(text: str) -> Spec:
    return load(["-"], io.BytesIO(text.encode()))


def test_without_a_cluster_document_there_is_a_default() -> None:
    spec = from_text(POD.format(name="web", more=""))
    assert spec.cluster_document == DEFAULT_DOCUMENT
    assert len(spec.cluster.nodes) == 3


def test_objects_have_a_namespace_and_lead_back_to_their_lines() -> None:
    spec = from_text(POD.format(name="a", more="") + POD.format(name="b", more=""))
    assert [obj["metadata"]["namespace"] for obj in spec.objects] == ["default", "default"]
    assert [document.line_of(("spec", "containers", 0)) for document in spec.documents] == [7, 15]
    assert [document.data for document in spec.documents] == list(spec.objects)


def test_one_notice_per_field_at_its_first_place() -> None:
    more = ", resources: {limits: {cpu: 1}}, volumeMounts: []"
    spec = from_text(POD.format(name="a", more="") + POD.format(name="b", more=more) + POD.format(name="c", more=more))
    assert [(notice.line, notice.field) for notice in spec.notices] == [
        (15, "spec.containers[0].volumeMounts"),
        (15, "spec.containers[0].resources.limits"),
    ]


def test_one_notice_per_kind_without_effect() -> None:
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n---\n"
    spec = from_text(config_map.format(name="a") + config_map.format(name="b"))
    assert [(notice.line, notice.subject) for notice in spec.notices] == [(2, "ConfigMap default/a")]


def test_problems_of_all_files_come_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Pod\napiVersion: v1\n")
    (tmp_path / "b.yaml").write_text("kind: [\n")
    (tmp_path / "c.yaml").write_text("kind: Cluster\napiVersion: mininetes.dev/v1alpha1\nnodes: []\n")
    with pytest.raises(SpecError) as caught:
        load([str(tmp_path)])
    assert [Path(problem.file).name for problem in caught.value.problems] == ["a.yaml", "b.yaml", "c.yaml"]


def test_an_unknown_kind_is_one_problem_even_with_a_wrong_cluster() -> None:
    with pytest.raises(SpecError) as caught:
        from_text("apiVersion: v1\nkind: Pood\nmetadata: {name: a}\n")
    assert [problem.subject for problem in caught.value.problems] == ["Pood a"]


def test_init_containers_and_main_containers_may_share_a_port() -> None:
    ports = "ports: [{containerPort: 80}]"
    pod = POD.format(name="a", more=f", {ports}").removesuffix("---\n")
    init = f"  initContainers:\n  - {{name: i, image: b, {ports}}}\n"
    assert from_text(pod + init).objects
    with pytest.raises(SpecError, match="share one network namespace"):
        from_text(pod + init.replace("name: i,", "name: i, restartPolicy: Always,"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads_and_begins_with_its_lesson(path: Path) -> None:
    assert load([str(path)]).objects
    assert path.read_text().startswith("# ")


def test_only_the_kind_file_gives_notices() -> None:
    assert [path.name for path in EXAMPLES if load([str(path)]).notices] == ["kind-config.yaml"]


@needs_shared
@pytest.mark.parametrize("folder", ["guestbook", "online-boutique"])
def test_published_applications_load_unchanged(folder: str) -> None:
    spec = load([str(SHARED / "manifests" / folder)])
    assert {obj["kind"] for obj in spec.objects} >= {"Deployment", "Service"}


@needs_shared
def test_the_policy_cluster_loads() -> None:
    assert len(load([str(SHARED / "netpol" / "base.yaml")]).objects) == 21


@needs_shared
@pytest.mark.parametrize("case", sorted((SHARED / "netpol" / "invalid").glob("*")), ids=lambda path: path.name)
def test_policies_that_must_be_rejected(case: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load([str(SHARED / "netpol" / "base.yaml"), str(case / "policies.yaml")])
    assert {problem.file for problem in caught.value.problems} == {str(case / "policies.yaml")}
