"""The Corefile (cluster/corefile.py, corefile_syntax.py). What is wrong with one: wrong_specs/095-corefile."""

from __future__ import annotations

import logging

import pytest
import samples

from cluster.client import Batch, Event
from cluster.corefile import Block, Corefile, CorefileError, Forward, Kubernetes, parse, zone_of
from cluster.dns import ZONES
from cluster.dns_state import DnsState
from cluster.objects import Object
from cluster.reading.documents import Document
from cluster.reading.manifests import check
from cluster.reading.notices import notices
from cluster.system import COREFILE

KUBEADM = """
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""


def config_map(text: str) -> Object:
    metadata = {"name": "coredns", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": text}}


def one(text: str) -> Block:
    (block,) = parse(text).blocks
    return block


def test_kubeadms() -> None:
    reverse = ZONES[1:]
    kubernetes = Kubernetes(ZONES, 30, "insecure", reverse)
    assert parse(KUBEADM) == Corefile((Block((".",), kubernetes, (Forward(".", ()),), True),), 5.0)


def test_the_clusters_own() -> None:
    assert parse(COREFILE) == Corefile((Block((".",), Kubernetes(ZONES, 5, "verified"), (), True),), 5.0)


def test_a_stub_zone_as_the_manual_has_it() -> None:
    block = one("consul.local:53 {\n errors\n cache 30\n forward . 10.150.0.1\n}")
    assert block == Block(("consul.local.",), None, (Forward(".", (("10.150.0.1", 53),)),))


@pytest.mark.parametrize(
    ("word", "upstream"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)), ("192.0.2.1:5353", ("192.0.2.1", 5353)), ("fd00::1", ("fd00::1", 53)),
        ("[FD00::1]:5353", ("fd00::1", 5353)), ("dns://192.0.2.1", ("192.0.2.1", 53)),
    ],
)  # fmt: skip
def test_upstreams(word: str, upstream: tuple[str, int]) -> None:
    assert one(f". {{\n forward . {word}\n}}").forwards[0].upstreams == (upstream,)


def test_options_of_forward() -> None:
    text = ". {\n forward Example.ORG. 192.0.2.1 192.0.2.2 {\n%s\n}\n}"
    options = "except a.example.org b.example.org\n policy sequential\n force_tcp\n prefer_udp\n max_concurrent 7"
    (forward,) = one(text % options).forwards
    upstreams = (("192.0.2.1", 53), ("192.0.2.2", 53))
    excepted = ("a.example.org.", "b.example.org.")
    assert forward == Forward("example.org.", upstreams, excepted, "sequential", True, True, 7)


@pytest.mark.parametrize("text", ["# only a comment\n", ""])
def test_no_block_at_all(text: str) -> None:
    with pytest.raises(CorefileError, match="line 1: found no server block"):
        parse(text)


def test_several_zones_comments_and_quotes() -> None:
    assert one('a.example, b.example dns://c.example:53 { # three\n "errors"\n}').zones == (
        "a.example.", "b.example.", "c.example.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "zone"), [("a.b.", "b."), ("b.", "b."), ("a.c.b.", "c.b."), ("xb.", "."), (".", ".")]
)
def test_the_longest_zone(name: str, zone: str) -> None:
    assert zone_of(name, (".", "b.", "c.b.")) == zone
    assert parse(". {\n}\nb {\n}\nc.b {\n}").block_of(name) == Block((zone,))


def test_names_outside_all_blocks() -> None:
    assert parse("b {\n}").block_of("a.") is None


def test_only_the_ConfigMap_of_the_dns_servers_is_looked_at() -> None:
    other = config_map("nonsense")
    other["metadata"]["name"] = "other"
    assert check(Document("", 0, other)).problems == ()
    assert len(notices([Document("", 0, other)])) == 1
    assert notices([Document("", 0, config_map(COREFILE))]) == (), "it has an effect"


def test_a_cluster_follows_its_config_map(caplog: pytest.LogCaptureFixture) -> None:
    state = DnsState()
    own = state.corefile
    state.take(Batch(1, (Event("ADDED", config_map(KUBEADM)), Event("ADDED", samples.service("web")))))
    assert state.corefile == parse(KUBEADM)
    with caplog.at_level(logging.ERROR):
        state.take(Batch(2, (Event("MODIFIED", config_map("nonsense")),)))
    assert "line 1: found 'nonsense'; must be a server block: ZONE… {" in caplog.text
    assert state.corefile == parse(KUBEADM), "what was right stays in force"
    state.take(Batch(3, (Event("DELETED", config_map(KUBEADM)),)))
    assert state.corefile == own
