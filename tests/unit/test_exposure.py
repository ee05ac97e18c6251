"""What nodes expose by the objects of the moment, read off these objects."""

from __future__ import annotations

from typing import Any

import pytest
import samples

from topo.exposure import _host_ports, _local_endpoints


def pod(*ports: Any, **spec: Any) -> Any:
    made = samples.pod("p", nodeName="worker", **spec)
    made["spec"]["containers"][0]["ports"] = list(ports)
    return made


@pytest.mark.parametrize(
    ("made", "opened"),
    [
        (pod({"containerPort": 80, "hostPort": 8080}), {("worker", "TCP", 8080, "")}),
        (pod({"containerPort": 80, "hostPort": 8080, "hostIP": "0.0.0.0"}), {("worker", "TCP", 8080, "")}),
        (
            pod({"containerPort": 53, "hostPort": 53, "hostIP": "172.18.0.3", "protocol": "UDP"}),
            {("worker", "UDP", 53, "172.18.0.3")},
        ),
        (pod({"containerPort": 80}), set()),
        (pod({"containerPort": 80, "hostPort": 80}, hostNetwork=True), set()),
    ],
)
def test_host_ports_of_a_pod(made: Any, opened: set[Any]) -> None:
    assert _host_ports(made) == opened


def endpoint(ip: str, node: str = "worker", **conditions: bool) -> Any:
    return {"addresses": [ip], "nodeName": node, "conditions": conditions}


def test_health_checks_count_ready_endpoints_of_the_node_once() -> None:
    def of(service: str, *endpoints: Any) -> Any:
        labels = {"kubernetes.io/service-name": service}
        return {"metadata": {"namespace": "shop", "name": service, "labels": labels}, "endpoints": list(endpoints)}

    slices = [
        of("web", endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=True), endpoint("10.0.0.3", "worker2")),
        of("web", endpoint("10.0.0.2"), endpoint("10.0.0.4", ready=False, serving=True, terminating=True)),
        of("other", endpoint("10.0.0.5")),
    ]
    assert _local_endpoints(slices, "shop", "web", "worker") == 2
    assert _local_endpoints(slices, "elsewhere", "web", "worker") == 0
