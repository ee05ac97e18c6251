"""What the Corefile says about answers (cluster/dns_answers.py); what objects say is in test_dns_records."""

from __future__ import annotations

import pytest
from dns_objects import SVC, addressed, answer, external, index, service

from cluster.dns import ZONE
from cluster.dns_index import Index


def in_zone(*lines: str) -> str:
    return "\n".join((".:53 {", "kubernetes cluster.local in-addr.arpa ip6.arpa {", *lines, "}", "}"))


def test_records_live_as_long_as_the_corefile_says() -> None:
    found = index(service())
    said = answer(found, f"web.default.{SVC}", "A", in_zone("ttl 30"))
    assert (said.records[0].ttl_s, said.ttl_s) == (None, 30)
    missing = answer(found, f"nope.default.{SVC}", "A", in_zone("ttl 30"))
    assert (missing.authority[0].ttl_s, missing.authority[0].data.split()[-1]) == (30, "30")
    assert answer(found, f"dns-version.{ZONE}.", "TXT", in_zone("ttl 30")).records[0].ttl_s == 28800


@pytest.mark.parametrize(
    ("pods", "there", "elsewhere"),
    [("verified", "10.244.1.2", "NXDOMAIN"), ("insecure", "10.244.1.2", "192.0.2.1"), ("disabled", "NXDOMAIN", "NXDOMAIN")],
)
def test_pod_names(pods: str, there: str, elsewhere: str) -> None:
    found = index(addressed("a", "10.244.1.2"))

    def said(ip: str) -> str:
        one = answer(found, f"{ip}.default.pod.{ZONE}.", "A", in_zone(f"pods {pods}"))
        return one.records[0].data if one.records else one.status

    assert (said("10-244-1-2"), said("192-0-2-1")) == (there, elsewhere)


def test_an_insecure_pod_name_is_an_address_of_its_family() -> None:
    corefile = in_zone("pods insecure")
    name = f"fd00--2.x.pod.{ZONE}."
    assert [record.data for record in answer(Index(), name, "AAAA", corefile).records] == ["fd00::2"]
    assert answer(Index(), name, "A", corefile).status == "NOERROR"
    for wrong in (f"fd00-2.x.pod.{ZONE}.", f"1-2-3.x.pod.{ZONE}.", f"a.1-2-3-4.x.pod.{ZONE}."):
        assert answer(Index(), wrong, "A", corefile).status == "NXDOMAIN", wrong


FORWARDING = """
.:53 {
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        fallthrough in-addr.arpa
    }
    forward corp.example 192.0.2.1
    forward . 192.0.2.2 {
        except dark.example
    }
}
stub.example {
    forward . 192.0.2.3:5353
}
"""


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("example.org.", "192.0.2.2"), ("A.Corp.Example.", "192.0.2.1"), ("corp.example.", "192.0.2.1"),
        ("xcorp.example.", "192.0.2.2"), ("a.stub.example.", "192.0.2.3"), ("a.dark.example.", None),
        ("1.1.1.10.in-addr.arpa.", "192.0.2.2"), ("1.1.96.10.in-addr.arpa.", None), ("1.ip6.arpa.", None),
        (f"nope.default.{SVC}", None),
    ],
)  # fmt: skip
def test_who_is_asked_for_a_name(name: str, upstream: str | None) -> None:
    said = answer(index(service()), name, "PTR", FORWARDING)
    assert (said.forward.upstreams[0][0] if said.forward else None) == upstream
    assert said.authoritative == (upstream is None and "dark" not in name)


def test_an_alias_is_looked_up_where_it_leads() -> None:
    said = answer(index(external("db", "db.corp.example")), f"db.default.{SVC}", "A", FORWARDING)
    assert ([record.data for record in said.records], said.asked) == (["db.corp.example."], "db.corp.example.")
    assert said.forward is not None
    assert said.forward.upstreams == (("192.0.2.1", 53),)
