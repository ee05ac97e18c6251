"""Specs of a given size."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from cluster.reading.spec import Spec, load
from experiments import generated
from experiments.generated import Size


def loaded(documents: list[dict[str, object]], tmp_path: Path) -> Spec:
    return load([str(generated.write(documents, tmp_path / "spec.yaml"))])


def test_a_spec_of_a_size_is_right_and_has_that_size(tmp_path: Path) -> None:
    spec = loaded(generated.of_size(Size(nodes=3, pods_per_node=4)), tmp_path)
    assert [node.role for node in spec.cluster.nodes] == ["control-plane", "worker", "worker", "worker"]
    assert sum(obj["spec"]["replicas"] for obj in spec.objects) == 12
    assert spec.notices == ()


@pytest.mark.parametrize("mode", ["overlay", "direct"])
def test_the_throughput_specs_are_right(mode: Literal["overlay", "direct"], tmp_path: Path) -> None:
    spec = loaded(generated.for_throughput(mode), tmp_path)
    assert spec.cluster.network.mode == mode
    assert len(spec.cluster.nodes) == 3


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (1, 251)])
def test_impossible_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 node"):
        Size(*size)
