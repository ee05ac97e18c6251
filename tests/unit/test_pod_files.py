"""A pod's own files of /etc (topo/pod_files.py, resolv_conf.py) and its hostname."""

from __future__ import annotations

from typing import Any

import pytest
import samples

from cluster.objects import Object
from cluster.reading.documents import Document
from cluster.reading.manifests import check
from topo import container_env, images, places
from topo.pod_files import etc, etc_of_machine
from topo.resolv_conf import ResolvConf, of_pod
from topo.sources import ConfigError

SEARCH = "search default.svc.cluster.local svc.cluster.local cluster.local\n"


def pod(name: str = "web", ips: tuple[str, ...] = ("10.244.1.2",), **spec: Any) -> Object:
    return {**samples.pod(name, nodeName="worker", **spec), "status": {"podIPs": [{"ip": ip} for ip in ips]}}


def resolv_conf(ip_family: str = "ipv4", **spec: Any) -> str:
    return etc(pod(**spec), samples.cluster(ip_family=ip_family))["resolv.conf"]


def hosts(made: Object) -> list[str]:
    return etc(made, samples.cluster())["hosts"].splitlines()


# --- resolv.conf


@pytest.mark.parametrize(
    ("ip_family", "servers"),
    [
        ("ipv4", "nameserver 10.96.0.10\n"), ("ipv6", "nameserver fd00:10:96::a\n"),
        ("dual", "nameserver 10.96.0.10\nnameserver fd00:10:96::a\n"),
    ],
)  # fmt: skip
def test_cluster_first(ip_family: str, servers: str) -> None:
    assert resolv_conf(ip_family) == f"{SEARCH}{servers}options ndots:5\n"
    assert resolv_conf(ip_family, dnsPolicy="ClusterFirst") == resolv_conf(ip_family)


def test_the_search_list_begins_with_the_pods_namespace() -> None:
    made = pod()
    made["metadata"]["namespace"] = "shop"
    assert of_pod(made, samples.cluster()).searches == ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"dnsPolicy": "Default"}, ""),
        ({"hostNetwork": True}, ""),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirst"}, ""),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, f"{SEARCH}nameserver 10.96.0.10\noptions ndots:5\n"),
        ({"dnsPolicy": "ClusterFirstWithHostNet"}, f"{SEARCH}nameserver 10.96.0.10\noptions ndots:5\n"),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.1"]}}, "nameserver 192.0.2.1\n"),
    ],
)  # fmt: skip
def test_policies(spec: dict[str, Any], expected: str) -> None:
    assert resolv_conf(**spec) == expected


CONFIG = {
    "nameservers": ["192.0.2.1", "10.96.0.10"],
    "searches": ["my.example", "cluster.local"],
    "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
}


def test_dns_config_of_its_own() -> None:
    expected = "search my.example cluster.local\nnameserver 192.0.2.1\nnameserver 10.96.0.10\noptions ndots:2 edns0\n"
    assert resolv_conf(dnsPolicy="None", dnsConfig=CONFIG) == expected


def test_dns_config_is_added_to_what_the_policy_gives() -> None:
    assert resolv_conf(dnsConfig=CONFIG) == (
        "search default.svc.cluster.local svc.cluster.local cluster.local my.example\n"
        "nameserver 10.96.0.10\nnameserver 192.0.2.1\noptions ndots:2 edns0\n"
    )
    assert resolv_conf(dnsPolicy="Default", dnsConfig=CONFIG) == resolv_conf(dnsPolicy="None", dnsConfig=CONFIG)


def limited(config: Object, ip_family: str = "dual") -> ResolvConf:
    return of_pod(pod(dnsConfig=config), samples.cluster(ip_family=ip_family))


def test_more_than_three_nameservers_are_cut_with_a_warning() -> None:
    made = limited({"nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3"]})
    assert made.nameservers == ["10.96.0.10", "fd00:10:96::a", "192.0.2.1"]
    assert made.warnings == [
        "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
        "10.96.0.10 fd00:10:96::a 192.0.2.1"
    ]


def test_more_than_32_search_paths_or_2048_characters_are_cut_with_a_warning() -> None:
    many = limited({"searches": [f"s{number}" for number in range(32)]})
    assert (len(many.searches), many.searches[-1]) == (32, "s28")
    long = limited({"searches": [f"{number:02}" + "x" * 98 for number in range(20)]})
    assert (len(long.searches), len(" ".join(long.searches))) == (22, 1976), "one more would be 2077"
    for made in (many, long):
        applied = " ".join(made.searches)
        assert made.warnings == [
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: " + applied
        ]
    assert limited({"searches": [f"s{number}" for number in range(29)]}).warnings == []


# --- hosts


def test_hosts_of_a_pod() -> None:
    lines = hosts(pod(ips=("10.244.1.2", "fd00:10:244:1::2")))
    assert lines[:3] == ["# Kubernetes-managed hosts file.", "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    assert lines[-2:] == ["10.244.1.2\tweb", "fd00:10:244:1::2\tweb"]


def test_hosts_of_a_pod_with_a_domain() -> None:
    made = pod(hostname="db-0", subdomain="db")
    assert hosts(made)[-1] == "10.244.1.2\tdb-0.db.default.svc.cluster.local\tdb-0"
    assert hosts(pod(subdomain="db"))[-1] == "10.244.1.2\tweb.db.default.svc.cluster.local\tweb"


def test_host_aliases() -> None:
    aliases = [{"ip": "192.0.2.1", "hostnames": ["foo.local", "bar.local"]}, {"ip": "fd00::1", "hostnames": ["baz"]}]
    end = ["", "# Entries added by HostAliases.", "192.0.2.1\tfoo.local\tbar.local", "fd00::1\tbaz"]
    assert hosts(pod(hostAliases=aliases))[-5:] == ["10.244.1.2\tweb", *end]
    on_node = hosts(pod(hostAliases=aliases, hostNetwork=True))
    assert on_node[0] == "# Kubernetes-managed hosts file (host network)."
    assert on_node[-5:] == ["::1\tlocalhost ip6-localhost ip6-loopback", *end]


def test_a_node_knows_no_name_of_the_cluster() -> None:
    files = etc_of_machine("worker")
    assert files.keys() == {"hosts", "hostname"}
    assert files["hosts"].split() == ["127.0.0.1", "localhost", "::1", "localhost", "ip6-localhost", "ip6-loopback"]


# --- hostname


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({}, "web"),
        ({"hostname": "db-0"}, "db-0"),
        ({"hostname": "db-0", "subdomain": "db"}, "db-0"),
        ({"hostname": "db-0", "subdomain": "db", "setHostnameAsFQDN": True}, "db-0.db.default.svc.cluster.local"),
        ({"setHostnameAsFQDN": True}, "web"),
        ({"setHostnameAsFQDN": True, "subdomain": "db", "hostNetwork": True}, "worker"),
    ],
)
def test_hostname(spec: dict[str, Any], name: str) -> None:
    made = pod(**spec)
    assert container_env.hostname(made) == name
    assert places.place_of_pod({**made, "metadata": {**made["metadata"], "uid": "0" * 36}}).hostname == name
    assert etc(made, samples.cluster())["hostname"] == f"{name}\n"


def test_a_long_name_is_cut_to_a_label() -> None:
    assert container_env.hostname(pod("a" * 62 + "-" + "b" * 20)) == "a" * 62


def test_a_hostname_that_the_kernel_does_not_take() -> None:
    name = f"{'a' * 40}.db.default.svc.cluster.local"
    made = pod("a" * 40, subdomain="db", setHostnameAsFQDN=True)
    message = f"FQDN {name} is too long \\(64 characters is the max, {len(name)} characters requested\\)"
    with pytest.raises(ConfigError, match=message):
        images.program(made["spec"]["containers"][0], made)
    assert images.program(made["spec"]["containers"][0], pod("a" * 40, subdomain="db")) is not None


# --- what is refused


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"nameservers": ["192.0.2.1"] * 4}, "nameservers: found 4; must not have more than 3 nameservers"),
        ({"searches": ["a"] * 33}, "searches: found 33; must not have more than 32 search paths"),
        ({"searches": ["a" * 63] * 32}, None),
        ({"searches": [".".join(["a" * 50] * 3)] * 14}, "searches: found 2141; must not have more than 2048 characters"),
        ({"searches": ["-a"]}, "searches[0]: found '-a'; must be a lowercase RFC 1123 subdomain"),
        ({"searches": [".", "a.b.", "_srv.a"]}, None),
        ({"options": [{"value": "1"}]}, "options[0].name: found nothing; must not be empty"),
    ],
)
def test_wrong_dns_config(config: Object, message: str | None) -> None:
    problems = [str(problem) for problem in check(Document("", 0, samples.pod("a", dnsConfig=config))).problems]
    assert len(problems) == (0 if message is None else 1), problems
    assert message is None or f"spec.dnsConfig.{message}" in problems[0]
