"""`mininetes plan` counts the flows that every switch would hold."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from cluster.reading.config import DEFAULT_DOCUMENT, resolve
from controller.commands import flow_counts, plan

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: nginx}]}
"""
FLOWS_OF_A_POD = 3
"""Spoof guard, forwarding, hairpin."""


def test_an_empty_cluster_has_flows_too() -> None:
    counts = flow_counts(resolve(DEFAULT_DOCUMENT), [])
    assert len(counts) == 3
    assert len(set(counts.values())) == 1


def test_plan_counts_a_pods_flows_on_its_node_only(tmp_path: Path) -> None:
    spec = tmp_path / "pod.yaml"
    spec.write_text(POD)
    (tmp_path / "nothing.yaml").write_text("")
    without, _ = planned(tmp_path / "nothing.yaml")
    flows, pods = planned(spec)
    for node, count in flows.items():
        assert count == without[node] + (FLOWS_OF_A_POD if node == pods["web"] else 0), node


def planned(spec: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Flows by node, nodes by pod."""
    result = CliRunner().invoke(plan, ["-f", str(spec), "-o", "json"], standalone_mode=False)
    answer = json.loads(result.output)
    nodes, pods = answer["nodes"], answer["pods"]
    return {node["name"]: node["flows"] for node in nodes}, {pod["name"]: pod["node"] for pod in pods}
