"""The file that an empty store starts with, and the places of what is in it."""

from __future__ import annotations

from pathlib import Path

from cluster import seed
from cluster.policy_names import Places, RuleName
from cluster.reading import spec

MANIFESTS = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata:
    name: db
    namespace: shop
  spec:
    podSelector: {}
    ingress:
    - {}
    - ports:
      - port: 80
"""


def read(directory: Path) -> seed.Seed:
    (directory / "all.yaml").write_text(MANIFESTS)
    loaded = spec.load([str(directory / "all.yaml")])
    seed.write(directory / "seed.json", loaded.cluster_document, loaded.documents)
    return seed.read(directory / "seed.json")


def test_objects_come_back_as_they_were(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert [obj["metadata"]["name"] for obj in found.objects] == ["shop", "db"]
    (document,) = found.documents
    assert document.data == found.objects[1]
    assert document.line_of(("spec", "ingress", 1, "ports", 0, "port")) == 17


def test_a_rule_is_told_with_its_line(tmp_path: Path) -> None:
    places, file = Places(read(tmp_path).documents), tmp_path / "all.yaml"
    assert places.policy("shop/db") == f"NetworkPolicy shop/db ({file}:7)"
    assert places.rule(RuleName("shop/db", "ingress", 1)) == f"NetworkPolicy shop/db: spec.ingress[1] ({file}:16)"
    assert places.rule(RuleName("shop/web", "egress", 0)) == "NetworkPolicy shop/web: spec.egress[0]"


def test_a_seed_without_places_has_no_documents(tmp_path: Path) -> None:
    (tmp_path / "seed.json").write_text('{"cluster": {"kind": "Cluster"}, "objects": []}')
    assert seed.read(tmp_path / "seed.json").documents == ()
