"""A spec as the kernel's own data plane: what is planned, wired and translated."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from experiments import generated
from experiments.plain import planned, proxy, wiring
from experiments.plain.planned import Planned, ServicePort
from experiments.testbed import CommandError

SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
    "spec": {"selector": {"app": "pod"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}  # fmt: skip


def plan(tmp_path: Path, mode: Any = "overlay", **cluster: Any) -> Planned:
    documents = [*generated.for_throughput(mode), SERVICE]
    documents[0] |= cluster
    return planned.load(str(generated.write(documents, tmp_path / "spec.yaml")))


def test_what_is_planned(tmp_path: Path) -> None:
    found = plan(tmp_path)
    pods = [pod for pod in found.pods if pod.namespace == "default"]
    assert sorted(pod.node for pod in pods) == ["worker", "worker", "worker2", "worker2"]
    web = next(service for service in found.services if service.name == "default/web/tcp/80")
    assert sorted(web.endpoints) == sorted((pod.addresses[0], 8080) for pod in pods)


def lines(found: Planned, netns: str) -> list[str]:
    one = next(commands for commands in wiring.wire(found) if commands.netns == netns)
    return [*one.ip, *one.bridge, *one.tc]


def test_overlay(tmp_path: Path) -> None:
    worker = lines(plan(tmp_path), "worker")
    assert any("type vxlan id 1 local 172.18.0.3" in line for line in worker)
    assert "route add 10.244.2.0/24 via 10.244.2.1 dev vxlan0 onlink" in worker
    assert any(line.startswith("fdb append") and line.endswith("dst 172.18.0.4") for line in worker)


def test_direct(tmp_path: Path) -> None:
    worker = lines(plan(tmp_path, "direct"), "worker")
    assert not any("vxlan" in line for line in worker)
    assert "route add 10.244.2.0/24 via 172.18.0.4" in worker


def test_a_pod_and_its_node_know_each_other(tmp_path: Path) -> None:
    found = plan(tmp_path)
    pod = next(pod for pod in found.pods if pod.node == "worker")
    inside, node = lines(found, pod.netns), lines(found, "worker")
    assert f"address add {pod.addresses[0]}/32 dev eth0" in inside
    gateway = next(line.split()[4] for line in inside if line.startswith("neighbour add 169.254.1.1"))
    assert any(f"address {gateway}" in line and f"netns {pod.netns}" in line for line in node)
    assert any(line.startswith(f"route add {pod.addresses[0]}/32 dev p") for line in node)


def test_shaped_at_both_ends(tmp_path: Path) -> None:
    found = plan(tmp_path, underlay={"topology": "star", "bandwidth": "100Mbit"})
    wanted = "class add dev {} parent 5: classid 5:1 htb rate 100mbit burst 15k"
    assert wanted.format("eth0") in lines(found, "worker")
    assert [line for line in lines(found, "") if "htb rate" in line] == [wanted.format(f"s1-{n}") for n in (1, 2, 3)]


@pytest.mark.parametrize(("underlay", "message"), [
    ({"topology": "leaf-spine"}, "has loops"),
    ({"topology": "star", "delay": "5ms"}, "found a link with delay, jitter or loss"),
])  # fmt: skip
def test_what_is_refused(tmp_path: Path, underlay: dict[str, str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        wiring.wire(plan(tmp_path, underlay=underlay))


def service(*endpoints: str, ip: str = "10.96.0.7", protocol: str = "tcp") -> ServicePort:
    return ServicePort("ns/web/tcp/80", ip_address(ip), protocol, 80, tuple((ip_address(e), 8080) for e in endpoints))


def test_rules_of_a_service() -> None:
    rules = proxy.ruleset([service("10.244.1.2", "10.244.2.2")], 4)
    assert "elements = { 10.96.0.7 . tcp . 80 : goto service-0 }" in rules
    assert "numgen random mod 2 vmap { 0 : goto endpoint-0-0, 1 : goto endpoint-0-1 }" in rules
    assert "meta l4proto tcp dnat to 10.244.2.2:8080" in rules
    assert "ip saddr 10.244.1.2 meta mark set mark or 0x4000" in rules


def test_a_service_without_endpoints_refuses() -> None:
    rules = proxy.ruleset([service()], 4)
    assert "map no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; elements = {" in rules
    assert "10.96.0.7 . tcp . 80 : goto refuse" in rules


def test_ip_version_6_is_a_table_of_its_own() -> None:
    both = [service("10.244.1.2"), service("fd00:10:244::2", ip="fd00:10:96::7", protocol="udp")]
    assert "dnat to [fd00:10:244::2]:8080" in proxy.ruleset(both, 6)
    assert "fd00" not in proxy.ruleset(both, 4)
    assert proxy.ruleset(both[:1], 6) == ""
