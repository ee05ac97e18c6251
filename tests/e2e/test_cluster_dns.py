"""Pods find Services by name: a real testbed, asked from inside its pods."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from manifests import Object, cluster, deployment, pod, tools
from shells import Shell, shell
from testbeds import Testbed, started

from cluster.problems import SpecError
from cluster.system import COREFILE
from topo.waiting import wait_until

HERE = Path(__file__).parent
SVC = "svc.cluster.local"
WEB = f"web.shop.{SVC}"
SERVERS = ("10.96.0.10", "fd00:10:96::a")
OUTSIDE = "client/client1"
MANY = 90
LIMIT_S = 10.0
LOOKUPS_PER_S, LOAD_S = 250, 3.0
"""Two queries each."""
MALFORMED = 10_000
each_way = pytest.mark.parametrize(
    "way", [(f"@{server}", transport) for server in SERVERS for transport in ("+notcp", "+tcp")],
    ids=["ipv4-udp", "ipv4-tcp", "ipv6-udp", "ipv6-tcp"],
)  # fmt: skip


def inside(namespace: str, made: Object) -> Object:
    made["metadata"]["namespace"] = namespace
    return made


def service(name: str, labels: Object | None = None, **spec: object) -> Object:
    spec = {**({"selector": labels} if labels else {}), **spec}
    return inside("shop", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def objects() -> Iterator[Object]:
    yield from (namespace("shop"), namespace("locked"))
    http = {"name": "http", "containerPort": 80}
    yield inside("shop", deployment("web", 2, {"name": "web", "image": "nginx", "ports": [http]}))
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    yield service("web", {"app": "web"}, ipFamilyPolicy="RequireDualStack", ports=ports)
    db = deployment("db", 2, {"name": "db", "image": "postgres"})
    yield inside("shop", {**db, "kind": "StatefulSet", "spec": {**db["spec"], "serviceName": "db"}})
    dual = {"ipFamilyPolicy": "RequireDualStack"}
    yield service("db", {"app": "db"}, clusterIP="None", ports=[{"name": "sql", "port": 5432}], **dual)
    yield service("outside", type="ExternalName", externalName="db.example.org")
    yield service("alias", type="ExternalName", externalName=WEB)
    yield service("many", clusterIP="None", ports=[{"name": "http", "port": 80}])
    yield inside("shop", {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "many-1", "labels": {"kubernetes.io/service-name": "many"}},
        "ports": [{"name": "http", "port": 80}],
        "endpoints": [
            *({"addresses": [f"192.0.2.{number + 1}"]} for number in range(MANY)),
            {"addresses": ["192.0.2.254"], "conditions": {"ready": False}},
        ],
    })  # fmt: skip
    yield service("none", {"app": "nobody"}, clusterIP="None", ports=[{"name": "http", "port": 80}])
    waits = "until wget -q -T 2 -O /dev/null http://web:80; do sleep 0.2; done"
    client = pod("client", tools(), nodeName="worker")
    client["spec"]["initContainers"] = [tools("sh", "-c", waits, name="wait")]
    yield inside("shop", client)
    yield pod("stranger", tools(), nodeName="worker2")
    aliases = [{"ip": "192.0.2.99", "hostnames": ["foo.local", "bar.local"]}]
    named = pod("own", tools(), nodeName="worker2", hostname="me", subdomain="family", setHostnameAsFQDN=True)
    yield inside("shop", {**named, "spec": {**named["spec"], "hostAliases": aliases}})
    yield inside("locked", pod("mute", tools(), nodeName="worker"))
    named = inside("locked", pod("named", tools(), nodeName="worker"))
    named["metadata"]["labels"] = {"names": "allowed"}
    yield named
    yield policy("nothing", {})
    to = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    dns = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    yield policy("names", {"matchLabels": {"names": "allowed"}}, {"to": [to], "ports": dns})


def policy(name: str, subject: Object, *egress: Object) -> Object:
    return inside("locked", {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
        "spec": {"podSelector": subject, "policyTypes": ["Egress"], "egress": list(egress)},
    })  # fmt: skip


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """`up` waits for the client's init container, so that this succeeds is a test of its own."""
    with started(cluster(workers=2, ip_family="dual", clients=1), *objects(), timeout_s=90) as made:
        yield made


@pytest.fixture(scope="module")
def client(testbed: Testbed) -> Iterator[Shell]:
    with shell(testbed, "shop/client") as made:
        yield made


@pytest.fixture(scope="module")
def stranger(testbed: Testbed) -> Iterator[Shell]:
    with shell(testbed, "stranger") as made:
        yield made


def status(shell: Shell, *question: str) -> str:
    """NODATA is what RFC 2308 calls a name that exists, but without this type."""
    said = shell.output("dig", "+tries=1", "+time=2", *question)
    word = said.partition("status: ")[2].partition(",")[0]
    return "NODATA" if word == "NOERROR" and "ANSWER: 0" in said else word


def address(shell: Shell, name: str = WEB) -> str:
    (first,) = shell.dig(name)
    return first


# --- names as programs use them


@pytest.mark.parametrize("name", ["web", "web.shop", "web.shop.svc", WEB, f"{WEB}."])
def test_the_search_list_completes_a_name(client: Shell, stranger: Shell, name: str) -> None:
    for asker in (client, stranger) if name != "web" else (client,):
        found = asker.output("getent", "ahosts", name)
        assert address(client) in found
        assert client.dig(WEB, "AAAA")[0] in found
        hosts = asker.output("getent", "hosts", name).split()
        assert hosts[1] == WEB


def test_a_name_of_another_namespace_is_not_found_without_it(stranger: Shell) -> None:
    assert stranger.run("getent", "hosts", "web")[0] == 2


def test_a_service_is_reached_by_name(client: Shell, stranger: Shell) -> None:
    for asker in (client, stranger):
        assert asker.output("curl", "-s", "-m", "5", "http://web.shop").startswith("web-")


def test_the_peer_of_a_stateful_set(client: Shell) -> None:
    assert client.output("getent", "hosts", "db-1.db").split()[1] == f"db-1.db.shop.{SVC}"
    assert client.dig("-x", address(client, f"db-1.db.shop.{SVC}")) == [f"db-1.db.shop.{SVC}."]


def test_names_of_a_pod_of_its_own(testbed: Testbed) -> None:
    full = f"me.family.shop.{SVC}"
    with shell(testbed, "shop/own") as own:
        assert own.output("hostname").strip() == full
        assert own.output("getent", "hosts", "bar.local").split() == ["192.0.2.99", "foo.local", "bar.local"]
        assert own.output("getent", "ahostsv4", "me").split()[0] in own.output("hostname", "-I").split()
    with shell(testbed, "node/worker2") as node:
        assert node.output("hostname").strip() == "worker2"
        assert node.run("getent", "hosts", "foo.local")[0] == 2


def test_programs_of_nodes_do_not_see_it(testbed: Testbed) -> None:
    with shell(testbed, "node/worker") as node:
        assert node.output("cat", "/etc/resolv.conf") == ""
        assert node.run("getent", "hosts", WEB)[0] == 2
        assert node.output("getent", "hosts", "localhost").split()[1] == "localhost"
        assert node.dig(WEB, f"@{SERVERS[0]}") != [], "the server itself is there for whoever names it"


# --- record forms, over both protocols and families


@each_way
def test_records(client: Shell, way: tuple[str, str]) -> None:
    v4, v6 = client.dig(WEB, *way), client.dig(WEB, "AAAA", *way)
    assert (len(v4), len(v6)) == (1, 1)
    assert client.dig(f"_http._tcp.{WEB}", "SRV", *way) == [f"0 100 80 {WEB}."]
    for ip in (*v4, *v6):
        assert client.dig("-x", ip, *way) == [f"{WEB}."]
    peers = [f"db-{number}.db.shop.{SVC}" for number in range(2)]
    for type in ("A", "AAAA"):
        each = [client.dig(peer, type, *way) for peer in peers]
        assert client.dig(f"db.shop.{SVC}", type, *way) == sorted(ip for (ip,) in each)
        for peer, (ip,) in zip(peers, each, strict=True):
            assert client.dig("-x", ip, *way) == [f"{peer}."]
            dashed = ip.replace(".", "-").replace(":", "-")
            assert client.dig(f"{dashed}.shop.pod.cluster.local", type, *way) == [ip]
    assert client.dig(f"_sql._tcp.db.shop.{SVC}", "SRV", *way) == [f"0 50 5432 {peer}." for peer in peers]
    assert client.dig(f"outside.shop.{SVC}", "CNAME", *way) == ["db.example.org."]
    assert client.dig(f"alias.shop.{SVC}", *way) == sorted([f"{WEB}.", *v4])
    assert client.dig("dns-version.cluster.local", "TXT", *way) == ['"1.1.0"']
    assert client.dig("-x", SERVERS[0], *way) == [f"kube-dns.kube-system.{SVC}."]


@each_way
def test_what_is_not_there(client: Shell, way: tuple[str, str]) -> None:
    assert status(client, f"nope.shop.{SVC}", *way) == "NXDOMAIN"
    assert status(client, f"none.shop.{SVC}", *way) == "NXDOMAIN", "headless without endpoints"
    assert status(client, f"shop.{SVC}", *way) == "NODATA"
    assert status(client, f"alias.shop.{SVC}", "TXT", *way) == "NOERROR"
    assert status(client, WEB, "TXT", *way) == "NODATA"
    assert status(client, "www.elsewhere.example", *way) == "REFUSED"


def test_a_negative_answer_has_the_zones_soa(client: Shell) -> None:
    said = client.output("dig", "+noall", "+authority", f"nope.shop.{SVC}").split()
    assert (said[:4], said[-1]) == (["cluster.local.", "5", "IN", "SOA"], "5")


def test_srv_brings_addresses_along(client: Shell) -> None:
    lines = client.output("dig", "+noall", "+additional", f"_sql._tcp.db.shop.{SVC}", "SRV").splitlines()
    found = sorted((line.split()[0], line.split()[3]) for line in lines)
    assert found == [(f"db-{number}.db.shop.{SVC}.", type) for number in range(2) for type in ("A", "AAAA")]


def test_the_case_of_a_question_is_kept(client: Shell) -> None:
    name = f"wEb.ShoP.{SVC}."
    assert client.output("dig", "+noall", "+answer", name).split()[0] == name


def test_the_first_of_several_is_another_each_time(client: Shell) -> None:
    name = f"db.shop.{SVC}"
    firsts = [client.output("dig", "+short", "+nocookie", name).split()[0] for _ in range(8)]
    assert set(firsts) == set(client.dig(name))


def test_what_is_too_large_for_udp_is_truncated_and_asked_again_over_tcp(client: Shell) -> None:
    name = f"many.shop.{SVC}"
    for options, fits in (("+noedns", 29), ("+bufsize=4096", 73)):
        cut = client.output("dig", "+ignore", options, name)
        assert "qr aa tc rd" in cut
        assert f"ANSWER: {fits}," in cut
    assert len(client.dig(name)) == MANY, "dig comes back over TCP"
    assert len(client.output("getent", "ahostsv4", name).splitlines()) == 3 * MANY
    assert "EDNS: version: 0, flags:; udp: 1232" in client.output("dig", WEB)
    assert status(client, "+edns=1", "+noednsnegotiation", WEB) == "BADVERS"


# --- policies


def test_a_policy_that_forbids_dns_forbids_it(testbed: Testbed) -> None:
    with shell(testbed, "locked/mute") as mute:
        for transport in ("+notcp", "+tcp"):
            assert mute.run("dig", "+tries=1", "+time=1", transport, WEB, f"@{SERVERS[0]}")[0] == 9
    with shell(testbed, "locked/named") as named:
        for transport in ("+notcp", "+tcp"):
            assert len(named.dig(WEB, transport)) == 1
        assert named.run("curl", "-s", "-m", "1", "http://web.shop")[0] == 28, "names alone are allowed"


# --- the Corefile


def corefile(testbed: Testbed, text: str) -> None:
    metadata = {"name": "coredns", "namespace": "kube-system"}
    testbed.client.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": text}}])


@pytest.fixture
def upstream(testbed: Testbed) -> Iterator[dict[int, str]]:
    """The addresses of a DNS server outside of the cluster, by IP version."""
    command = ("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--pid-file", "--user=root")
    names = ("--address=/example.org/192.0.2.7", "--address=/stub.example/192.0.2.8")
    with testbed.running(OUTSIDE, *command, *names):
        found = map(ip_address, testbed.exec(OUTSIDE, "hostname", "-I").output.split())
        yield {address.version: str(address) for address in found}


def test_stub_domains_and_an_upstream(testbed: Testbed, client: Shell, upstream: dict[int, str]) -> None:
    ip = upstream[4]
    stub = f"stub.example {{\n forward . {upstream[6]}\n}}\n"
    try:
        corefile(testbed, stub + COREFILE)
        wait_until(lambda: client.dig("a.stub.example") == ["192.0.2.8"], LIMIT_S, "the stub domain")
        assert status(client, "db.example.org") == "REFUSED"
        corefile(testbed, COREFILE.replace("loop", f"forward . {ip}"))
        wait_until(lambda: client.dig("db.example.org") == ["192.0.2.7"], LIMIT_S, "the upstream")
        assert client.dig("db.example.org", "+tcp") == ["192.0.2.7"]
        assert client.dig(f"outside.shop.{SVC}") == ["192.0.2.7", "db.example.org."]
        assert client.output("getent", "hosts", "outside").split() == ["192.0.2.7", "db.example.org", f"outside.shop.{SVC}"]
        assert len(client.dig(WEB)) == 1
    finally:
        corefile(testbed, COREFILE)
    wait_until(lambda: status(client, "db.example.org") == "REFUSED", LIMIT_S, "no upstream again")


def test_a_wrong_corefile_is_refused_with_its_line(testbed: Testbed, client: Shell) -> None:
    with pytest.raises(SpecError, match=r"data.Corefile: line 2: found 'fowrard'; .*did you mean 'forward'\?"):
        corefile(testbed, ".:53 {\n fowrard . 192.0.2.1\n}\n")
    assert len(client.dig(WEB)) == 1


# --- what servers endure


def test_malformed_packets(testbed: Testbed, client: Shell) -> None:
    before = testbed.process_ids("topo.responder")
    for server in testbed.pods("kube-system").values():
        source = (HERE / "malformed.py").read_text()
        assert client.output("python3", "-c", source, server.ips[0], str(MALFORMED // 2), server.ips[0][-1]) != ""
        assert len(client.dig(WEB, f"@{server.ips[0]}")) == 1
    assert testbed.process_ids("topo.responder") == before
    assert "Traceback" not in testbed.service_log("responder")


def test_a_killed_replica_costs_no_query(testbed: Testbed) -> None:
    victim = next(iter(testbed.pods("kube-system")))
    source = (HERE / "resolver_load.py").read_text()
    argv = ("python3", "-c", source, f"{WEB}.", str(LOOKUPS_PER_S), str(LOAD_S))
    with testbed.running("stranger", *argv) as load:
        time.sleep(LOAD_S / 3)
        gone = ("delete", "pod", "-n", "kube-system", victim, "--grace-period=0", "--force", "--wait=false")
        testbed.mininetes("kubectl", *gone).output  # noqa: B018
        said, errors = load.communicate(timeout=60)
    assert errors == ""
    told = json.loads(said)
    assert (told["made"], told["failed"]) == (LOOKUPS_PER_S * LOAD_S, {}), told
    assert told["issued_s"] < 1.5 * LOAD_S, f"the load was lighter than it should be: {told}"
    assert victim not in testbed.pods("kube-system")
