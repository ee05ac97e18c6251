"""Services inside the cluster, under upstream's titles, with real packets."""

from __future__ import annotations

import pytest
from service_answers import (
    AFFINITY,
    DUAL,
    HTTP_PORT,
    MANY,
    NAMES,
    UDP_PORT,
    WEB,
    answers,
    becomes,
    becomes_silent,
    families,
    keeps_until_silent,
    outlives,
)
from service_site import HTTP, UDP, WORKERS, Site, ips, server
from titles import upstream


@upstream(
    "Services should serve a basic endpoint from pods [Conformance]",
    "Networking Granular Checks: Services should function for pod-Service: http",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for pod-Service: http",
)
@families
def test_pod_service_http(site: Site, family: int) -> None:
    with site.service(WEB, **DUAL) as service:
        becomes(site, ips(service)[family], NAMES)
        becomes(site, ips(service)[family], NAMES, of="client2")


@upstream(
    "Networking Granular Checks: Services should function for pod-Service: udp",
    "Networking Granular Checks: Services should function for node-Service: udp",
    "Networking Granular Checks: Services should function for endpoint-Service: udp",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for pod-Service: udp",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for node-Service: udp",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for endpoint-Service: udp",
)
@families
def test_service_udp(site: Site, family: int) -> None:
    with site.service(WEB, UDP_PORT, **DUAL) as service:
        for asking in ("client", "node/worker2", "s1"):
            becomes(site, ips(service)[family], NAMES, "udp", 81, of=asking)


@upstream(
    "Networking Granular Checks: Services should function for node-Service: http",
    "Networking Granular Checks: Services should function for endpoint-Service: http",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for node-Service: http",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for endpoint-Service: http",
)
@families
def test_node_and_endpoint_service_http(site: Site, family: int) -> None:
    with site.service(WEB, **DUAL) as service:
        for asking in ("node/control-plane", "node/worker", "s1", "host-client"):
            becomes(site, ips(service)[family], NAMES, of=asking)


@upstream("Networking Granular Checks: Services should function for multiple endpoint-Services with same selector")
def test_two_services_one_selector(site: Site) -> None:
    with site.service(WEB) as one, site.service(WEB) as other:
        for service in (one, other):
            becomes(site, ips(service)[0], NAMES, of="s1")


@upstream(
    "Networking Granular Checks: Services should function for service endpoints using hostNetwork",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for service endpoints using hostNetwork",
)
@families
def test_host_network_endpoints(site: Site, family: int) -> None:
    with site.service({"app": "host"}, **DUAL) as service:
        for asking in ("client", "node/worker", "node/control-plane"):
            becomes(site, ips(service)[family], set(WORKERS), of=asking)


@upstream("Services should serve multiport endpoints from pods [Conformance]")
def test_multiport(site: Site) -> None:
    other = {"name": "again", "port": 8888, "targetPort": HTTP}
    with site.service(WEB, HTTP_PORT, other) as service:
        becomes(site, ips(service)[0], NAMES)
        becomes(site, ips(service)[0], NAMES, port=8888)


@upstream("Services should serve endpoints on same port and different protocols [Conformance]")
def test_same_port_two_protocols(site: Site) -> None:
    with site.service(WEB, HTTP_PORT, {**UDP_PORT, "port": 80}) as service:
        becomes(site, ips(service)[0], NAMES)
        becomes(site, ips(service)[0], NAMES, "udp", 80)


@upstream("Services should be updated after adding or deleting ports")
def test_ports_come_and_go(site: Site) -> None:
    with site.service(WEB, HTTP_PORT) as service:
        name, address = service["metadata"]["name"], ips(service)[0]
        becomes(site, address, NAMES)
        site.patch("Service", name, {"spec": {"ports": [HTTP_PORT, {"name": "more", "port": 82, "targetPort": HTTP}]}})
        becomes(site, address, NAMES, port=82)
        site.patch("Service", name, {"spec": {"ports": [{**HTTP_PORT, "port": 83}]}})
        becomes(site, address, NAMES, port=83)
        becomes_silent(site, address, 82)


@upstream("Services should allow pods to hairpin back to themselves through services")
@families
def test_hairpin(site: Site, family: int) -> None:
    with (
        site.pods(server("self", "worker2", {"app": "self"})),
        site.service({"app": "self"}, HTTP_PORT, UDP_PORT, **DUAL) as service,
    ):
        becomes(site, ips(service)[family], {"self"}, of="self")
        becomes(site, ips(service)[family], {"self"}, "udp", 81, of="self")


@upstream("Services should be rejected when no endpoints exist")
@families
def test_refused_without_endpoints(site: Site, family: int) -> None:
    with site.service({"app": "nobody"}, HTTP_PORT, UDP_PORT, **DUAL) as service:
        for asking in ("client", "node/worker2", "host-client"):
            becomes(site, ips(service)[family], {"refused"}, of=asking)
            becomes(site, ips(service)[family], {"refused"}, "udp", 81, of=asking)


@upstream("Services should preserve source pod IP for traffic thru service cluster IP [LinuxOnly]")
def test_source_address_is_kept(site: Site) -> None:
    with site.service(WEB) as service:
        becomes(site, ips(service)[0], NAMES)
        own = site.get("Pod", "client")["status"]["podIP"]
        said = site.prober("client").ask(ips(service)[0], 80, path="/clientip", count=MANY)
        assert {answer.rpartition(":")[0] for answer in said} == {own}


@upstream(
    "Services should have session affinity work for service with type clusterIP [LinuxOnly] [Conformance]",
    "Services should be able to switch session affinity for service with type clusterIP [LinuxOnly] [Conformance]",
    "Networking Granular Checks: Services should function for client IP based session affinity: http [LinuxOnly]",
    "Networking Granular Checks: Services should function for client IP based session affinity: udp [LinuxOnly]",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for client IP based session affinity: http [LinuxOnly]",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for client IP based session affinity: udp [LinuxOnly]",
)
@pytest.mark.parametrize(("protocol", "port"), [("tcp", 80), ("udp", 81)])
@families
def test_session_affinity(site: Site, protocol: str, port: int, family: int) -> None:
    with site.service(WEB, HTTP_PORT, UDP_PORT, sessionAffinity="ClientIP", **DUAL) as service:
        address, name = ips(service)[family], service["metadata"]["name"]
        site.until(lambda: answers(site, address, protocol, port, count=1) <= NAMES, "an endpoint")
        assert len(answers(site, address, protocol, port, count=100)) == 1
        site.patch("Service", name, {"spec": {"sessionAffinity": "None", "sessionAffinityConfig": None}})
        becomes(site, address, NAMES, protocol, port)
        site.patch("Service", name, {"spec": {"sessionAffinity": "ClientIP"}})
        site.until(lambda: len(answers(site, address, protocol, port, count=50)) == 1, "affinity again")


@upstream("Services should have session affinity timeout work for service with type clusterIP [LinuxOnly]")
def test_session_affinity_timeout(site: Site) -> None:
    with site.service(WEB, **AFFINITY) as service:
        keeps_until_silent(site, ips(service)[0])


@upstream(
    "Networking Granular Checks: Services should update endpoints: http",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should update endpoints: http",
    "Networking Granular Checks: Services should update endpoints: udp",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should update endpoints: udp",
)
@families
def test_endpoints_are_updated(site: Site, family: int) -> None:
    with (
        site.pods(server("u1", "worker", {"app": "u"}), server("u2", "worker2", {"app": "u"})),
        site.service({"app": "u"}, HTTP_PORT, UDP_PORT, **DUAL) as service,
    ):
        address = ips(service)[family]
        becomes(site, address, {"u1", "u2"})
        site.delete("Pod", "u1", gracePeriodSeconds=0)
        becomes(site, address, {"u2"})
        becomes(site, address, {"u2"}, "udp", 81)


@upstream(
    "Services should be able to up and down services",
    "Services should work after the service has been recreated",
)
def test_up_and_down(site: Site) -> None:
    with site.service(WEB) as kept:
        with site.service(WEB) as gone:
            becomes(site, ips(gone)[0], NAMES)
        becomes_silent(site, ips(gone)[0])
        becomes(site, ips(kept)[0], NAMES)
        with site.service(WEB, clusterIP=ips(gone)[0]) as again:
            becomes(site, ips(again)[0], NAMES)


@upstream(
    "Services should be able to change the type from ClusterIP to ExternalName [Conformance]",
    "Services should be able to change the type from ExternalName to ClusterIP [Conformance]",
)
def test_type_changes_in_place(site: Site) -> None:
    with site.service(WEB) as service:
        name = service["metadata"]["name"]
        becomes(site, ips(service)[0], NAMES)
        gone = {"clusterIP": None, "clusterIPs": None, "type": "ExternalName", "externalName": "example.org"}
        site.patch("Service", name, {"spec": gone})
        becomes_silent(site, ips(service)[0])
        back = site.patch("Service", name, {"spec": {"type": "ClusterIP", "externalName": None}})
        becomes(site, ips(back)[0], NAMES)


@upstream(
    "Services should implement service.kubernetes.io/headless",
    "Services should implement service.kubernetes.io/service-proxy-name",
)
@pytest.mark.parametrize("label", ["headless", "service-proxy-name"])
def test_labels_that_keep_a_proxy_away(site: Site, label: str) -> None:
    with site.service(WEB) as service:
        name, address = service["metadata"]["name"], ips(service)[0]
        becomes(site, address, NAMES)
        site.patch("Service", name, {"metadata": {"labels": {f"service.kubernetes.io/{label}": "x"}}})
        becomes_silent(site, address)
        site.patch("Service", name, {"metadata": {"labels": {f"service.kubernetes.io/{label}": None}}})
        becomes(site, address, NAMES)




@upstream(
    "Conntrack should be able to preserve UDP traffic when server pod cycles for a ClusterIP service",
    "Conntrack should be able to preserve UDP traffic when server pod cycles for a ClusterIP service and client is hostNetwork",
    "Conntrack should be able to preserve UDP traffic when initial unready endpoints get ready",
)
@pytest.mark.parametrize("asking", ["client", "host-client"])
def test_udp_outlives_its_servers(site: Site, asking: str) -> None:
    """One socket's port all the way: first nobody, then one server, then another in its place."""
    with site.service({"app": "dns"}, UDP_PORT) as service:
        outlives(site, asking, ips(service)[0], 81, "dns", (("d1", "worker2"), ("d2", "worker")))


@upstream(
    "Networking Granular Checks: Pods should function for intra-pod communication: http [NodeConformance] [Conformance]",
    "Networking Granular Checks: Pods should function for intra-pod communication: udp [NodeConformance] [Conformance]",
    "Networking Granular Checks: Pods should function for node-pod communication: http [LinuxOnly] [NodeConformance] [Conformance]",
    "Networking Granular Checks: Pods should function for node-pod communication: udp [LinuxOnly] [NodeConformance] [Conformance]",
    "[Feature:IPv6DualStack] should be able to reach pod on ipv4 and ipv6 ip",
)
@families
def test_pods_and_nodes_reach_pods(site: Site, family: int) -> None:
    for name in ("s2", "s3"):
        address = site.get("Pod", name)["status"]["podIPs"][family]["ip"]
        for asking in ("s1", "node/worker", "node/control-plane"):
            assert answers(site, address, port=HTTP, of=asking, count=2) == {name}
            assert answers(site, address, "udp", UDP, of=asking, count=2) == {name}


@upstream("NoSNAT [Feature:NoSNAT] [Slow] Should be able to send traffic between Pods without SNAT")
def test_pods_see_each_others_address(site: Site) -> None:
    own = site.get("Pod", "s1")["status"]["podIP"]
    for name in ("s2", "s3"):
        address = site.get("Pod", name)["status"]["podIP"]
        (said,) = site.prober("s1").ask(address, HTTP, path="/clientip")
        assert said.rpartition(":")[0] == own


@upstream(
    "Networking Granular Checks: Services should be able to handle large requests: http",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should be able to handle large requests: http",
)
@families
def test_large_requests(site: Site, family: int) -> None:
    with site.service(WEB, **DUAL) as service:
        address = ips(service)[family]
        becomes(site, address, NAMES)
        message = "42" * 1000
        assert answers(site, address, path=f"/echo?msg={message}", count=2) == {message}


@upstream("Conntrack proxy implementation should not be vulnerable to the invalid conntrack state bug [Privileged]")
def test_no_packet_of_a_translated_connection_shows_the_endpoint(site: Site) -> None:
    """Upstream: a server that answers out of window must not cause the client to reset. Nothing is passed untranslated
    here, as an answer without a connection is not a Service's: the pod's address is what the pod says."""
    with site.service(WEB) as service:
        becomes(site, ips(service)[0], NAMES)
        assert answers(site, ips(service)[0], count=100) == NAMES


@upstream("Services should work after restarting kube-proxy [Disruptive]")
def test_controller_restart(site: Site) -> None:
    with site.service(WEB) as before:
        becomes(site, ips(before)[0], NAMES)
        old = site.testbed.kill("controller.app")
        with site.service(WEB) as after:
            assert answers(site, ips(before)[0]) == NAMES
            site.testbed.wait_for_restart("controller.app", old)
            becomes(site, ips(after)[0], NAMES)


def test_trace_tells_what_packets_do(site: Site) -> None:
    with site.service(WEB) as service, site.service({"app": "nobody"}) as empty:
        becomes(site, ips(service)[0], NAMES)
        told = site.testbed.mininetes("trace", "client", f"service/{service['metadata']['name']}")
        assert told.status == 0, str(told)
        assert f"Service default/{service['metadata']['name']} port http" in told.stdout
        assert "observed  delivered: Pod default/s" in told.stdout
        becomes(site, ips(empty)[0], {"refused"})
        told = site.testbed.mininetes("trace", "node/worker", ips(empty)[0])
        assert told.status == 0, str(told)
        assert "observed  refused" in told.stdout


def test_no_packet_went_to_the_controller(site: Site) -> None:
    detail = site.testbed.client.sync(60)["observed"]["controller"]["detail"]
    assert detail["packet_ins"] == 0
    assert detail["refused"] == []
