"""DNS records and answers (cluster/dns.py, dns_index.py, dns_state.py), by the sections of schema 1.1.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import samples
from dns_objects import (
    HTTP,
    SVC,
    added,
    addressed,
    answer,
    data,
    endpoint,
    endpoint_slice,
    external,
    headless,
    index,
    service,
    status,
)

from cluster.client import Batch, Event
from cluster.dns import ZONE, dashed, pod_records, service_records
from cluster.dns_answers import Answer
from cluster.dns_index import Index
from cluster.dns_state import DnsState
from cluster.objects import Object


def test_the_schema_version() -> None:
    assert data(Index(), f"dns-version.{ZONE}.", "TXT") == ['"1.1.0"']


# --- 2.3: Services with a cluster IP


def test_a_cluster_ip_has_an_address_record_per_family() -> None:
    found = index(service(ips=("10.96.1.1", "fd00:10:96::101")))
    assert data(found, f"web.default.{SVC}") == ["10.96.1.1"]
    assert data(found, f"web.default.{SVC}", "AAAA") == ["fd00:10:96::101"]


def test_names_are_case_insensitive() -> None:
    assert data(index(service()), f"WeB.Default.{SVC.upper()}") == ["10.96.1.1"]


def test_the_other_family_is_nodata_and_another_name_nxdomain() -> None:
    found = index(service())
    assert status(found, f"web.default.{SVC}", "AAAA") == "NODATA"
    assert status(found, f"nope.default.{SVC}") == "NXDOMAIN"
    assert status(found, f"web.other.{SVC}") == "NXDOMAIN"
    assert status(found, f"x.web.default.{SVC}") == "NXDOMAIN"


def test_a_named_port_has_an_srv_record_with_its_address_beside_it() -> None:
    said = answer(index(service()), f"_http._tcp.web.default.{SVC}", "SRV")
    assert [record.data for record in said.records] == [f"0 100 80 web.default.{SVC}"]
    assert [(record.name, record.data) for record in said.additional] == [(f"web.default.{SVC}", "10.96.1.1")]


def test_srv_by_protocol_and_of_the_whole_service() -> None:
    ports = [HTTP, {"name": "http-udp", "port": 80, "protocol": "UDP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    found = index(service(ports=ports))
    assert data(found, f"_dns._udp.web.default.{SVC}", "SRV") == [f"0 100 53 web.default.{SVC}"]
    assert status(found, f"_dns._tcp.web.default.{SVC}", "SRV") == "NXDOMAIN"
    whole = [f"0 50 80 web.default.{SVC}", f"0 50 53 web.default.{SVC}"]
    assert data(found, f"web.default.{SVC}", "SRV") == whole


def test_an_unnamed_port_has_no_srv_name_of_its_own() -> None:
    found = index(service(ports=[{"port": 80}]))
    assert status(found, f"_tcp.web.default.{SVC}", "SRV") == "NXDOMAIN"
    assert data(found, f"web.default.{SVC}", "SRV") == [f"0 100 80 web.default.{SVC}"]


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        ("10.96.1.1", "1.1.96.10.in-addr.arpa."),
        ("fd00:10:96::101", "1.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa."),
    ],
)
def test_an_address_leads_back_to_its_service(ip: str, name: str) -> None:
    found = index(service(ips=(ip,)))
    assert data(found, name, "PTR") == [f"web.default.{SVC}"]
    assert status(found, f"f.{name}", "PTR") == "NXDOMAIN"


def test_a_service_without_an_address_yet_has_no_records() -> None:
    assert service_records(samples.service("web"), []) == ()


# --- 2.4: headless Services


def test_a_headless_service_has_the_addresses_of_its_ready_endpoints() -> None:
    # "nil should be interpreted as ready"
    endpoints = endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=False), endpoint("10.0.0.3", ready=None)
    found = index(headless(), endpoint_slice("db", *endpoints))
    assert data(found, f"db.default.{SVC}") == ["10.0.0.1", "10.0.0.3"]


@pytest.mark.parametrize("endpoints", [(), (endpoint("10.0.0.1", ready=False),)])
def test_a_headless_service_without_ready_endpoints_does_not_exist(endpoints: Sequence[Object]) -> None:
    assert status(index(headless(), endpoint_slice("db", *endpoints)), f"db.default.{SVC}") == "NXDOMAIN"
    assert status(index(headless()), f"db.default.{SVC}") == "NXDOMAIN"


def test_an_endpoint_has_a_name_by_its_hostname_or_else_its_address() -> None:
    found = index(headless(), endpoint_slice("db", endpoint("10.0.0.1", "db-0"), endpoint("10.0.0.2")))
    assert data(found, f"db-0.db.default.{SVC}") == ["10.0.0.1"]
    assert data(found, f"10-0-0-2.db.default.{SVC}") == ["10.0.0.2"]
    assert data(found, "1.0.0.10.in-addr.arpa.", "PTR") == [f"db-0.db.default.{SVC}"]
    assert data(found, "2.0.0.10.in-addr.arpa.", "PTR") == [f"10-0-0-2.db.default.{SVC}"]


def test_each_endpoint_and_named_port_has_an_srv_record() -> None:
    found = index(headless(), endpoint_slice("db", endpoint("10.0.0.1", "db-0"), endpoint("10.0.0.2", "db-1")))
    said = answer(found, f"_http._tcp.db.default.{SVC}", "SRV")
    assert [record.data for record in said.records] == [
        f"0 50 80 db-0.db.default.{SVC}",
        f"0 50 80 db-1.db.default.{SVC}",
    ]
    assert [record.data for record in said.additional] == ["10.0.0.1", "10.0.0.2"]


def test_both_families_of_an_endpoint_share_its_name_and_srv_record() -> None:
    ipv6 = endpoint_slice("db", endpoint("fd00::1", "db-0"), name="6")
    found = index(headless(), endpoint_slice("db", endpoint("10.0.0.1", "db-0")), ipv6)
    assert data(found, f"db-0.db.default.{SVC}") == ["10.0.0.1"]
    assert data(found, f"db-0.db.default.{SVC}", "AAAA") == ["fd00::1"]
    assert data(found, f"_http._tcp.db.default.{SVC}", "SRV") == [f"0 100 80 db-0.db.default.{SVC}"]


def test_a_pod_behind_two_headless_services_has_two_names() -> None:
    slices = [endpoint_slice(name, endpoint("10.0.0.1", "a")) for name in ("db", "peers")]
    found = index(headless(), headless("peers"), *slices)
    assert data(found, "1.0.0.10.in-addr.arpa.", "PTR") == [f"a.db.default.{SVC}", f"a.peers.default.{SVC}"]


def test_slices_of_a_service_with_an_address_give_no_records() -> None:
    found = index(service(), endpoint_slice("web", endpoint("10.0.0.1", "a")))
    assert status(found, f"a.web.default.{SVC}") == "NXDOMAIN"
    assert status(found, "1.0.0.10.in-addr.arpa.", "PTR") == "NXDOMAIN"


# --- 2.5: ExternalName


def test_an_external_name_is_an_alias() -> None:
    found = index(external("db", "Db.Example.org"))
    for type in ("A", "AAAA", "CNAME"):
        said = answer(found, f"db.default.{SVC}", type)
        assert (said.status, [r.data for r in said.records], said.authority) == ("NOERROR", ["db.example.org."], ())


def test_an_alias_within_the_zone_is_followed() -> None:
    found = index(service(), external("alias", f"web.default.{SVC}"), external("dangling", f"nope.default.{SVC}"))
    assert data(found, f"alias.default.{SVC}") == [f"web.default.{SVC}", "10.96.1.1"]
    said = answer(found, f"dangling.default.{SVC}", "A")
    assert (said.status, len(said.records), len(said.authority)) == ("NXDOMAIN", 1, 1)


def test_aliases_in_a_circle_end() -> None:
    found = index(external("a", f"b.default.{SVC}"), external("b", f"a.default.{SVC}"))
    assert data(found, f"a.default.{SVC}") == [f"b.default.{SVC}", f"a.default.{SVC}"]


def test_an_external_name_that_is_an_address_has_no_record() -> None:
    assert service_records(external("db", "192.0.2.1"), []) == ()


# --- pods


def test_a_pod_has_a_name_by_each_address() -> None:
    found = index(addressed("a", "10.244.1.2", "fd00:10:244::2"))
    assert data(found, f"10-244-1-2.default.pod.{ZONE}.") == ["10.244.1.2"]
    assert data(found, f"fd00-10-244--2.default.pod.{ZONE}.", "AAAA") == ["fd00:10:244::2"]
    assert status(found, f"10-244-1-3.default.pod.{ZONE}.") == "NXDOMAIN"
    assert status(found, f"10-244-1-2.other.pod.{ZONE}.") == "NXDOMAIN"


def test_pods_on_one_nodes_address_have_one_record() -> None:
    assert data(index(addressed("a", "10.0.0.1"), addressed("b", "10.0.0.1")), f"10-0-0-1.default.pod.{ZONE}.") == [
        "10.0.0.1"
    ]


@pytest.mark.parametrize("pod", [samples.pod("a"), addressed("a", "10.0.0.1", phase="Succeeded")])
def test_a_pod_without_an_address_or_that_is_finished_has_no_record(pod: Object) -> None:
    assert pod_records(pod) == ()


def test_dashed() -> None:
    assert [dashed(ip) for ip in ("10.0.0.1", "fd00::1")] == ["10-0-0-1", "fd00--1"]


# --- names


@pytest.mark.parametrize("name", [f"{ZONE}.", SVC, f"default.{SVC}", f"_tcp.web.default.{SVC}", "10.in-addr.arpa."])
def test_a_name_above_a_name_exists(name: str) -> None:
    assert status(index(service()), name) == "NODATA"


@pytest.mark.parametrize("name", ["example.org.", "local.", ".", f"not{ZONE}.", "web."])
def test_names_outside_the_zones_are_refused(name: str) -> None:
    assert answer(index(service()), name, "A") == Answer("REFUSED")


def test_the_zone_has_its_own_records() -> None:
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    found = index({**service("kube-dns", ("10.96.0.10",)), "metadata": metadata})
    said = answer(found, f"{ZONE}.", "NS")
    assert [record.data for record in said.records] == [f"kube-dns.kube-system.{SVC}"]
    assert [record.data for record in said.additional] == ["10.96.0.10"]
    assert data(found, f"{ZONE}.", "SOA")[0].endswith(" 7200 1800 86400 5")


# --- changes


def change(type: Any, *objects: Object, reset: bool = False) -> Batch:
    return Batch(2, tuple(Event(type, obj) for obj in objects), reset)


def contents(found: Index) -> tuple[Mapping[Any, Any], ...]:
    return found._owned, found._names, found._below


def test_what_is_deleted_leaves_nothing_behind() -> None:
    objects = service(), headless(), endpoint_slice("db", endpoint("10.0.0.1", "db-0")), addressed("a", "10.0.0.1")
    state = DnsState()
    state.take(added(*objects))
    assert contents(state.take(change("DELETED", *objects))) == contents(Index())


def test_an_index_that_was_handed_out_does_not_change() -> None:
    state = DnsState()
    before = state.take(added(service()))
    after = state.take(change("MODIFIED", service(ips=("10.96.1.2",))))
    assert (data(before, f"web.default.{SVC}"), data(after, f"web.default.{SVC}")) == (["10.96.1.1"], ["10.96.1.2"])


def test_a_change_that_concerns_no_record_makes_no_new_index() -> None:
    state = DnsState()
    before = state.take(added(service(), addressed("a", "10.0.0.1")))
    assert state.take(change("MODIFIED", addressed("a", "10.0.0.1", phase="Running"))) is before


def test_a_slice_before_its_service() -> None:
    state = DnsState()
    state.take(added(endpoint_slice("db", endpoint("10.0.0.1"))))
    assert data(state.take(change("ADDED", headless())), f"db.default.{SVC}") == ["10.0.0.1"]


def test_a_slice_may_change_its_service() -> None:
    state = DnsState()
    state.take(added(headless("a"), headless("b"), endpoint_slice("a", endpoint("10.0.0.1"))))
    moved = endpoint_slice("a", endpoint("10.0.0.1"))
    moved["metadata"] = {**moved["metadata"], "labels": {"kubernetes.io/service-name": "b"}}
    found = state.take(change("MODIFIED", moved))
    assert status(found, f"a.default.{SVC}") == "NXDOMAIN"
    assert data(found, f"b.default.{SVC}") == ["10.0.0.1"]


def test_a_service_may_change_its_form() -> None:
    state = DnsState()
    state.take(added(service("db"), endpoint_slice("db", endpoint("10.0.0.1"))))
    found = state.take(change("MODIFIED", headless()))
    assert data(found, f"db.default.{SVC}") == ["10.0.0.1"]
    assert status(found, "1.1.96.10.in-addr.arpa.", "PTR") == "NXDOMAIN"


def test_after_a_reset_only_what_it_names_is_there() -> None:
    state = DnsState()
    state.take(added(service(), headless(), endpoint_slice("db", endpoint("10.0.0.1")), addressed("a", "10.0.0.1")))
    assert contents(state.take(change("ADDED", service(), reset=True))) == contents(index(service()))
