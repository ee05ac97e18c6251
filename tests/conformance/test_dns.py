"""DNS, under upstream's titles, asked from inside pods."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from manifests import Object, pod, tools
from service_site import HTTP, Site, server
from shells import Shell, shell
from titles import upstream

ASK_ALL = Path(__file__).with_name("dns_ask_all.py")
MANY = int(os.environ.get("MININETES_DNS_SERVICES", "300"))
"""Upstream has 10,000."""
HTTP_PORT = {"name": "http", "port": 80, "targetPort": "http"}
SVC = "svc.cluster.local"
transports = pytest.mark.parametrize("transport", ["+notcp", "+tcp"], ids=["udp", "tcp"])
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Shell]:
    with shell(site.testbed, "client") as made:
        yield made


def becomes(site: Site, found: Callable[[], Any], wanted: Any) -> None:
    """Within patience; a failure shows what there was at last."""
    last: list[Any] = [None]

    def as_wanted() -> bool:
        last[0] = found()
        return bool(last[0] == wanted)

    try:
        site.until(as_wanted, f"{wanted}")
    except Exception as late:
        raise AssertionError(f"{late}: at last {last[0]}") from late


def addresses(site: Site, *pods: str) -> list[str]:
    """The IPv4 addresses of pods."""
    return sorted(str(site.get("Pod", name)["status"]["podIP"]) for name in pods)


def querier(name: str, **spec: Any) -> Object:
    made = pod(name, tools(), nodeName="worker2", terminationGracePeriodSeconds=0, **spec)
    made["metadata"]["labels"] = {"dns-test": "true"}
    return made


@contextmanager
def pod_shell(site: Site, made: Object) -> Iterator[Shell]:
    with site.pods(made), shell(site.testbed, made["metadata"]["name"]) as opened:
        yield opened


@upstream("DNS should provide DNS for the cluster [Conformance]")
@transports
def test_the_cluster(site: Site, client: Shell, transport: str) -> None:
    address = site.get("Service", "kubernetes")["spec"]["clusterIP"]
    assert client.dig(f"kubernetes.default.{SVC}", transport) == [address]


@upstream("DNS should resolve DNS of partial qualified names for the cluster [LinuxOnly]")
@transports
def test_partially_qualified_names_for_the_cluster(site: Site, client: Shell, transport: str) -> None:
    address = site.get("Service", "kubernetes")["spec"]["clusterIP"]
    for name in ("kubernetes.default", "kubernetes.default.svc"):
        assert client.dig("+search", name, transport) == [address]
        assert client.output("getent", "hosts", name).split()[0] == address


@upstream(
    "DNS should provide /etc/hosts entries for the cluster [Conformance]",
    "DNS should provide DNS for pods for Hostname [Conformance]",
    "DNS should provide DNS for pods for Subdomain [Conformance]",
)
def test_names_of_a_pod(site: Site, client: Shell) -> None:
    with site.service({"dns-test": "true"}, HTTP_PORT, clusterIP="None") as service:
        domain = service["metadata"]["name"]
        full = f"dns-querier.{domain}.default.{SVC}"
        with pod_shell(site, querier("dns-querier-1", hostname="dns-querier", subdomain=domain)) as inside:
            (address,) = addresses(site, "dns-querier-1")
            assert inside.output("hostname").strip() == "dns-querier"
            assert inside.output("hostname", "-f").strip() == full
            for name in (full, "dns-querier"):
                assert inside.output("getent", "-s", "files", "ahostsv4", name).split()[0] == address
            for name in (full, f"{domain}.default.{SVC}"):
                becomes(site, lambda name=name: client.dig(name), [address])
                assert client.dig(name, "+tcp") == [address]


@upstream("DNS should provide DNS for services [Conformance]")
@transports
def test_services(site: Site, client: Shell, transport: str) -> None:
    labels = {"app": "web"}
    dual = {"ipFamilyPolicy": "PreferDualStack"}
    with (
        site.service(labels, HTTP_PORT, clusterIP="None") as headless,
        site.service(labels, HTTP_PORT, **dual) as regular,
    ):
        name, ips = f"{regular['metadata']['name']}.default.{SVC}", regular["spec"]["clusterIPs"]
        becomes(site, lambda: client.dig(name, transport), [ips[0]])
        assert client.dig(name, "AAAA", transport) == [ips[1]]
        assert client.dig(f"_http._tcp.{name}", "SRV", transport) == [f"0 100 80 {name}."]
        for ip in ips:
            assert client.dig("-x", ip, transport) == [f"{name}."]
        peers, endpoints = f"{headless['metadata']['name']}.default.{SVC}", addresses(site, "s1", "s2", "s3")
        becomes(site, lambda: client.dig(peers, transport), endpoints)
        targets = sorted(f"0 33 {HTTP} {ip.replace('.', '-')}.{peers}." for ip in endpoints)
        assert client.dig(f"_http._tcp.{peers}", "SRV", transport) == targets
        assert client.dig("-x", endpoints[0], transport) == [f"{endpoints[0].replace('.', '-')}.{peers}."]


def partially_qualified(site: Site, asker: Shell) -> None:
    labels = {"app": "web"}
    with site.service(labels, HTTP_PORT, clusterIP="None") as headless, site.service(labels, HTTP_PORT) as regular:
        names = {"headless": headless["metadata"]["name"], "regular": regular["metadata"]["name"]}
        wanted = {"headless": addresses(site, "s1", "s2", "s3"), "regular": [regular["spec"]["clusterIP"]]}
        for kind, name in names.items():
            becomes(site, lambda name=name: asker.dig("+search", name), wanted[kind])
            for end in ("", ".default", ".default.svc"):
                for transport in ("+notcp", "+tcp"):
                    assert asker.dig("+search", f"{name}{end}", transport) == wanted[kind]
                found = asker.output("getent", "ahostsv4", f"{name}{end}")
                assert sorted({line.split()[0] for line in found.splitlines()}) == wanted[kind]
            assert len(asker.dig("+search", f"_http._tcp.{name}.default.svc", "SRV")) == len(wanted[kind])


@upstream("DNS should resolve DNS of partial qualified names for services [LinuxOnly] [Conformance]")
def test_partially_qualified_names_for_services(site: Site, client: Shell) -> None:
    partially_qualified(site, client)


@upstream(
    "DNS HostNetwork should resolve DNS of partial qualified names for services on hostNetwork pods with dnsPolicy: "
    "ClusterFirstWithHostNet [LinuxOnly]"
)
def test_partially_qualified_names_on_the_host_network(site: Site) -> None:
    made = querier("dns-on-host", hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet")
    with pod_shell(site, made) as inside:
        partially_qualified(site, inside)


@upstream("DNS should provide DNS for ExternalName services [Conformance]")
def test_external_name(site: Site, client: Shell) -> None:
    with site.service(None, type="ExternalName", externalName="foo.example.com", ports=[]) as service:
        name = service["metadata"]["name"]
        full = f"{name}.default.{SVC}"
        becomes(site, lambda: client.dig(full, "CNAME"), ["foo.example.com."])
        site.patch("Service", name, {"spec": {"externalName": "bar.example.com"}})
        becomes(site, lambda: client.dig(full, "CNAME"), ["bar.example.com."])
        change = {"type": "ClusterIP", "externalName": None, "ports": [HTTP_PORT]}
        site.patch("Service", name, {"spec": change})
        becomes(site, lambda: client.dig(full), [site.get("Service", name)["spec"]["clusterIP"]])
        assert client.dig(full, "CNAME") == []


@upstream("DNS should support configurable pod DNS nameservers [Conformance]")
def test_configurable_nameservers(site: Site) -> None:
    config = {"nameservers": ["1.1.1.1"], "searches": ["resolv.conf.local"]}
    with pod_shell(site, querier("dns-config", dnsPolicy="None", dnsConfig=config)) as inside:
        assert inside.output("/agnhost", "dns-suffix").strip() == "resolv.conf.local"
        assert inside.output("/agnhost", "dns-server-list").strip() == "1.1.1.1"


@upstream("DNS should support configurable pod resolv.conf")
def test_configurable_resolv_conf(site: Site) -> None:
    command = ("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--pid-file", "--user=root",
               "--address=/notexistname.resolv.conf.local/192.0.2.123")  # fmt: skip
    other = pod("dns-other", tools(*command), nodeName="worker", terminationGracePeriodSeconds=0)
    with site.pods(other):
        config = {
            "nameservers": addresses(site, "dns-other"), "searches": ["resolv.conf.local"],
            "options": [{"name": "ndots", "value": "2"}],
        }  # fmt: skip
        with pod_shell(site, querier("dns-config", dnsPolicy="None", dnsConfig=config)) as inside:
            assert inside.output("grep", "^options", "/etc/resolv.conf").strip() == "options ndots:2"
            becomes(site, lambda: inside.run("dig", "+short", "+search", "notexistname"), (0, "192.0.2.123\n"))
            assert inside.output("getent", "hosts", "notexistname").split()[0] == "192.0.2.123"


@upstream("DNS should work with the pod containing more than 6 DNS search paths and longer than 256 search list characters")
def test_many_search_paths(site: Site) -> None:
    # In the cluster's zone: a REFUSED, which other names get without an upstream, ends the C library's search.
    searches = [f"{number:02}.{'x' * 20}.resolv.cluster.local" for number in range(18)]
    # The last path alone leads to the name, so all of them are gone through.
    searches.append(f"kube-system.{SVC}")
    with pod_shell(site, querier("dns-config", dnsConfig={"searches": searches})) as inside:
        line = inside.output("grep", "^search", "/etc/resolv.conf").split()[1:]
        assert line == [f"default.{SVC}", SVC, "cluster.local", *searches]
        assert inside.output("getent", "hosts", "kube-dns").split()[1] == f"kube-dns.kube-system.{SVC}"


@upstream("ClusterDns [Feature:Example] should create pod that uses dns")
def test_a_pod_that_uses_dns(site: Site) -> None:
    spaces, labels = ("dns-example-1", "dns-example-2"), {"app": "dns-backend"}
    service = {"selector": labels, "ports": [{"port": 8000, "targetPort": HTTP}]}
    with ExitStack() as stack:
        for space in spaces:
            site.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
            stack.callback(site.resource("Namespace").delete, name=space)
            template = server("x", "worker", labels)
            template = {"metadata": {"labels": labels}, "spec": template["spec"]}
            body = {"replicas": 1, "selector": labels, "template": template}
            for kind, spec in (("ReplicationController", body), ("Service", service)):
                site.create({
                    "apiVersion": "v1", "kind": kind, "metadata": {"name": "dns-backend", "namespace": space}, "spec": spec,
                })  # fmt: skip
        frontend = querier("dns-frontend")
        with pod_shell(site, frontend) as inside:
            for space in spaces:
                ask = ("wget", "-q", "-t", "1", "-T", "2", "-O", "-", f"http://dns-backend.{space}.{SVC}:8000/hostname")
                becomes(site, lambda ask=ask: inside.run(*ask)[1].rpartition("-")[0], "dns-backend")


@upstream("[Feature:PerformanceDNS] [Serial] Should answer DNS query for maximum number of services per cluster")
def test_many_services(site: Site, client: Shell) -> None:
    space = f"dns-many-{next(_numbers)}"
    objects: list[Object] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}]
    objects += [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"svc-{number}", "namespace": space},
         "spec": {"ports": [{"port": 80}]}} for number in range(MANY)
    ]  # fmt: skip
    api = site.testbed.client
    try:
        for start in range(0, len(objects), 1000):
            api.apply(objects[start : start + 1000])
        last = f"svc-{MANY - 1}.{space}.{SVC}"
        becomes(site, lambda: len(client.dig(last)), 1)
        ask = ("python3", "-c", ASK_ALL.read_text(), "10.96.0.10", f"svc-%d.{space}.{SVC}", str(MANY))
        found = json.loads(client.output(*ask))
        assert len(found) == MANY
        assert len({ip_address(ip) for ip in found}) == MANY, "each Service has an address of its own"
    finally:
        api.delete("Namespace", "", space)
