"""Pods, Services, policies and the way in, on Open vSwitch's kernel datapath."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kernel_site import WEB
from manifests import Object
from service_answers import DUAL, HTTP_PORT, UDP_PORT, becomes, becomes_silent, families
from service_site import HTTP, Site, ips

NAMES = {"s1", "s2"}


def test_the_datapath_is_the_kernels(site: Site) -> None:
    shown = site.testbed.exec("sandbox", "ovs-appctl", "dpctl/show").output
    assert shown.startswith("system@ovs-system"), shown
    bridges = site.testbed.exec("sandbox", "ovs-vsctl", "--columns=datapath_type", "--bare", "list", "bridge").output
    assert set(bridges.split()) == {"system"}


def test_everybody_reaches_everybody(site: Site) -> None:
    done = site.testbed.mininetes("matrix", "--with-nodes", "--expect-full", "--timeout", "20")
    assert done.status == 0, str(done)


@families
def test_a_service(site: Site, family: int) -> None:
    with site.service(WEB, HTTP_PORT, UDP_PORT, **DUAL) as service:
        for asking in ("client", "node/worker", "s1"):
            becomes(site, ips(service)[family], NAMES, of=asking)
        becomes(site, ips(service)[family], NAMES, "udp", 81)


def test_conntrack_is_the_kernels(site: Site) -> None:
    """What a Service translates stands in the kernel's table, in a zone of its node's own."""
    with site.service(WEB) as service:
        becomes(site, ips(service)[0], NAMES)
        entries = site.testbed.exec("sandbox", "ovs-appctl", "dpctl/dump-conntrack", "system@ovs-system").output
        assert any(f"dst={ips(service)[0]}" in line and "zone=" in line for line in entries.splitlines()), entries


def test_a_service_without_endpoints_refuses(site: Site) -> None:
    with site.service({"app": "nobody"}) as service:
        becomes(site, ips(service)[0], {"refused"})


@contextmanager
def policy(site: Site, name: str, spec: Object) -> Iterator[None]:
    policies = site.api.resources.get(api_version="networking.k8s.io/v1", kind="NetworkPolicy")
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}
    policies.create(body=body, namespace="default")
    try:
        yield
    finally:
        policies.delete(name=name, namespace="default")


def test_policies(site: Site) -> None:
    addresses = {name: each.ips[0] for name, each in site.testbed.pods().items()}
    selected = {"podSelector": {"matchLabels": WEB}, "policyTypes": ["Ingress"]}
    with policy(site, "deny", selected):
        becomes_silent(site, addresses["s2"], HTTP)
        only_udp = {"ports": [{"port": "udp", "protocol": "UDP"}]}
        with policy(site, "allow-udp", {**selected, "ingress": [only_udp]}):
            becomes(site, addresses["s2"], {"s2"}, "udp", 8081)
            becomes_silent(site, addresses["s2"], HTTP)
    becomes(site, addresses["s2"], {"s2"}, port=HTTP)


def test_from_outside(site: Site) -> None:
    with site.service(WEB, type="NodePort") as service:
        node_port = service["spec"]["ports"][0]["nodePort"]
        nodes = {node["name"]: node["ips"][0] for node in site.testbed.status()["nodes"]}
        becomes(site, nodes["worker"], NAMES, port=node_port, of="client/laptop")
