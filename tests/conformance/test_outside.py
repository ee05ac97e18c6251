"""Services from outside the cluster, under upstream's titles: real packets of a client on the underlay."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from rolling import Rolling, under_load
from service_answers import (
    AFFINITY,
    DUAL,
    HTTP_PORT,
    NAMES,
    UDP_PORT,
    WEB,
    answers,
    becomes,
    families,
    keeps_until_silent,
    outlives,
)
from service_site import HTTP, UDP, WORKERS, Site, ips, server
from test_service_endpoints import ending
from titles import FROM_OUTSIDE, SERVICE_TITLES, carried, reason_left_out, upstream

OUTSIDE = "client/client1"
NODES = {
    "control-plane": ("172.18.0.2", "fc00:f853:ccd:e793::2"),
    "worker": ("172.18.0.3", "fc00:f853:ccd:e793::3"),
    "worker2": ("172.18.0.4", "fc00:f853:ccd:e793::4"),
}
CYCLE = (("c1", "worker2"), ("c2", "worker"), ("c3", "worker"))
"""Servers on one node, another, and the same again."""
HERE = ("172.18.255.1", "fc00:f853:ccd:e793::ff01")
NODE_PORT = {"type": "NodePort"}
BALANCED = {"type": "LoadBalancer"}
LOCAL = {"externalTrafficPolicy": "Local"}


def node_port(service: Any, place: int = 0) -> int:
    return int(service["spec"]["ports"][place]["nodePort"])


def vips(site: Site, service: Any) -> Sequence[str]:
    """The load balancer's addresses, once they are there."""
    name = service["metadata"]["name"]

    def given() -> list[str]:
        ingress = site.get("Service", name).get("status", {}).get("loadBalancer", {}).get("ingress") or ()
        return [each["ip"] for each in ingress]

    site.until(given, f"{name} has an address")
    return given()


def clients(site: Site, host: str, port: int = 80, of: str = OUTSIDE) -> set[str]:
    """The addresses that the endpoints see."""
    said = site.prober(of).ask(host, port, path="/clientip", count=12, timeout_s=0.5)
    return {answer.rpartition(":")[0].strip("[]") for answer in said}


@upstream(
    "Services should be able to create a functioning NodePort service [Conformance]",
    "Networking Granular Checks: Services should support basic nodePort: udp functionality",
    "LoadBalancers ESIPP [Slow] should work for type=NodePort",
)
@families
def test_node_ports_on_every_node(site: Site, family: int) -> None:
    with (
        site.service(WEB, HTTP_PORT, UDP_PORT, **NODE_PORT, **DUAL) as service,
        site.service(WEB, **NODE_PORT, **DUAL, **LOCAL) as local,
    ):
        for addresses in NODES.values():
            becomes(site, addresses[family], NAMES, port=node_port(service), of=OUTSIDE)
            becomes(site, addresses[family], NAMES, "udp", node_port(service, 1), of=OUTSIDE)
        for asking in ("client", "node/worker", "host-client"):
            for addresses in NODES.values():
                becomes(site, addresses[family], NAMES, port=node_port(service), of=asking)
        becomes(site, NODES["worker"][family], {"s1", "s2"}, port=node_port(local), of=OUTSIDE)
        becomes(site, NODES["worker2"][family], {"s3"}, port=node_port(local), of=OUTSIDE)
        becomes(site, NODES["control-plane"][family], {"timeout"}, port=node_port(local), of=OUTSIDE)
        for node in WORKERS:
            assert clients(site, NODES[node][family], node_port(local)) == {HERE[family]}


@upstream(
    "Networking Granular Checks: Services should update nodePort: http [Slow]",
    "Networking Granular Checks: Services should update nodePort: udp [Slow]",
    "Services should be able to update service type to NodePort listening on same port number but different protocols",
    "Services should be able to change the type from ExternalName to NodePort [Conformance]",
    "Services should be able to change the type from NodePort to ExternalName [Conformance]",
)
def test_node_ports_come_change_and_go(site: Site) -> None:
    both = [{**HTTP_PORT, "nodePort": 30090}, {**UDP_PORT, "port": 80, "nodePort": 30090}]
    here = NODES["worker2"][0]
    with site.service(None, type="ExternalName", externalName="example.org") as service:
        name = service["metadata"]["name"]
        site.patch("Service", name, {"spec": {"type": "NodePort", "externalName": None, "ports": both, "selector": WEB}})
        becomes(site, here, NAMES, port=30090, of=OUTSIDE)
        becomes(site, here, NAMES, "udp", 30090, of=OUTSIDE)
        moved = [{**each, "nodePort": 30091} for each in both]
        site.patch("Service", name, {"spec": {"ports": moved}})
        becomes(site, here, NAMES, port=30091, of=OUTSIDE)
        becomes(site, here, NAMES, "udp", 30091, of=OUTSIDE)
        becomes(site, here, {"refused"}, port=30090, of=OUTSIDE)
        gone = {"clusterIP": None, "clusterIPs": None, "type": "ExternalName", "externalName": "example.org"}
        without = [{key: value for key, value in each.items() if key != "nodePort"} for each in both]
        site.patch("Service", name, {"spec": {**gone, "ports": without}})
        becomes(site, here, {"refused"}, port=30091, of=OUTSIDE)


@upstream(
    "Services should check NodePort out-of-range",
    "Services should prevent NodePort collisions",
    "Services should release NodePorts on delete",
)
def test_node_ports_are_given_once(site: Site) -> None:
    def refused(port: Any, why: str) -> None:
        spec = {"type": "NodePort", "selector": WEB, "ports": [port]}
        with pytest.raises(ApiException, match=why):
            site.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "refused"}, "spec": spec})

    refused({**HTTP_PORT, "nodePort": 29999}, "not in the valid range")
    with site.service(WEB, **NODE_PORT) as service:
        mine = {**HTTP_PORT, "nodePort": node_port(service)}
        refused(mine, r"allocated|has that port")
    with site.service(WEB, mine, **NODE_PORT) as again:
        becomes(site, NODES["worker"][0], NAMES, port=node_port(again), of=OUTSIDE)


@upstream(
    "Services should have session affinity work for NodePort service [LinuxOnly] [Conformance]",
    "Services should be able to switch session affinity for NodePort service [LinuxOnly] [Conformance]",
)
def test_affinity_at_a_node_port(site: Site) -> None:
    with site.service(WEB, **NODE_PORT, sessionAffinity="ClientIP") as service:
        where = {"host": NODES["control-plane"][0], "port": node_port(service), "of": OUTSIDE}
        site.until(lambda: answers(site, **where, count=1) <= NAMES, "an endpoint")
        assert len(answers(site, **where, count=50)) == 1
        name = service["metadata"]["name"]
        site.patch("Service", name, {"spec": {"sessionAffinity": "None", "sessionAffinityConfig": None}})
        becomes(site, where["host"], NAMES, port=where["port"], of=OUTSIDE)


@upstream("Services should have session affinity timeout work for NodePort service [LinuxOnly]")
def test_affinity_at_a_node_port_ends(site: Site) -> None:
    with site.service(WEB, **NODE_PORT, **AFFINITY) as service:
        keeps_until_silent(site, NODES["control-plane"][0], node_port(service), OUTSIDE)


@upstream("Networking should allow creating a Pod with an SCTP HostPort [LinuxOnly] [Serial]")
def test_an_sctp_host_port(site: Site) -> None:
    with site.pods(localhost_port("sctp", "0.0.0.0", "SCTP")):
        assert site.get("Pod", "sctp")["spec"]["containers"][0]["ports"][0]["protocol"] == "SCTP"


@upstream("Services should be possible to connect to a service via ExternalIP when the external IP is not assigned to a node")
def test_external_ip(site: Site) -> None:
    with site.service(WEB, externalIPs=["203.0.113.250"]):
        becomes(site, "203.0.113.250", NAMES)
        route = ("ip", "route", "replace", "203.0.113.250", "via", NODES["worker"][0])
        assert site.testbed.exec(OUTSIDE, *route).status == 0
        becomes(site, "203.0.113.250", NAMES, of=OUTSIDE)


@upstream(
    "Services should fallback to local terminating endpoints when there are no ready endpoints with externalTrafficPolicy=Local",
    "Services should fallback to terminating endpoints when there are no ready endpoints with externallTrafficPolicy=Cluster",
)
def test_terminating_endpoints_from_outside(site: Site) -> None:
    with (
        site.pods(ending("e2", "worker")),
        site.service({"app": "ending"}, **NODE_PORT) as service,
        site.service({"app": "ending"}, **NODE_PORT, **LOCAL) as local,
    ):
        becomes(site, NODES["worker2"][0], {"e2"}, port=node_port(service), of=OUTSIDE)
        site.delete("Pod", "e2", gracePeriodSeconds=30)
        site.until(lambda: "deletionTimestamp" in site.get("Pod", "e2")["metadata"], "e2 is ending")
        becomes(site, NODES["worker2"][0], {"e2"}, port=node_port(service), of=OUTSIDE)
        becomes(site, NODES["worker"][0], {"e2"}, port=node_port(local), of=OUTSIDE)
        becomes(site, NODES["worker2"][0], {"timeout"}, port=node_port(local), of=OUTSIDE)


@upstream("Conntrack should be able to preserve UDP traffic when server pod cycles for a NodePort service")
def test_udp_outlives_its_servers_at_a_node_port(site: Site) -> None:
    with site.service({"app": "cycle"}, UDP_PORT, **NODE_PORT) as service:
        outlives(site, OUTSIDE, NODES["worker"][0], node_port(service), "cycle", CYCLE)


@upstream(
    "LoadBalancers should be able to preserve UDP traffic when server pod cycles for a LoadBalancer service on different nodes",
    "LoadBalancers should be able to preserve UDP traffic when server pod cycles for a LoadBalancer service on the same nodes",
)
def test_udp_outlives_its_servers_behind_a_load_balancer(site: Site) -> None:
    with site.service({"app": "cycle"}, UDP_PORT, **BALANCED) as service:
        outlives(site, OUTSIDE, vips(site, service)[0], 81, "cycle", CYCLE)


@upstream(
    "LoadBalancers ESIPP [Slow] should work for type=LoadBalancer",
    "LoadBalancers ESIPP [Slow] should only target nodes with endpoints",
    "LoadBalancers ESIPP [Slow] should work from pods",
    "LoadBalancers ESIPP [Slow] should handle updates to ExternalTrafficPolicy field",
)
@families
def test_a_load_balancer_keeps_the_clients_address_with_policy_local(site: Site, family: int) -> None:
    with site.service({"app": "web"}, **BALANCED, **DUAL, **LOCAL) as service:
        host, name = vips(site, service)[family], service["metadata"]["name"]
        becomes(site, host, NAMES, of=OUTSIDE)
        assert clients(site, host) == {HERE[family]}
        own = site.get("Pod", "client")["status"]["podIPs"][family]["ip"]
        assert clients(site, host, of="client") == {own}
        site.patch("Service", name, {"spec": {"externalTrafficPolicy": "Cluster"}})
        site.until(lambda: clients(site, host) != {HERE[family]}, "some endpoints see a node")
        site.patch("Service", name, {"spec": LOCAL})
        site.until(lambda: clients(site, host) == {HERE[family]}, "all endpoints see the client")


@upstream(
    "LoadBalancers should be able to change the type and ports of a TCP service [Slow]",
    "LoadBalancers should be able to change the type and ports of a UDP service [Slow]",
    "LoadBalancers should be able to create LoadBalancer Service without NodePort and change it [Slow]",
    "LoadBalancers should handle load balancer cleanup finalizer for service [Slow]",
    "Services should serve endpoints on same port and different protocol for internal traffic on Type LoadBalancer",
)
def test_a_load_balancer_comes_changes_and_goes(site: Site) -> None:
    ports = [{**HTTP_PORT}, {**UDP_PORT, "port": 80}]
    with site.service(WEB, *ports, **BALANCED, allocateLoadBalancerNodePorts=False) as service:
        name, (host,) = service["metadata"]["name"], vips(site, service)
        assert not any(each.get("nodePort") for each in service["spec"]["ports"])
        finalizer = "service.kubernetes.io/load-balancer-cleanup"
        assert finalizer in site.get("Service", name)["metadata"]["finalizers"]
        for asking in (OUTSIDE, "client", "node/worker"):
            becomes(site, host, NAMES, of=asking)
            becomes(site, host, NAMES, "udp", of=asking)
        site.patch("Service", name, {"spec": {"ports": [{**each, "port": 8000} for each in ports]}})
        becomes(site, host, NAMES, port=8000, of=OUTSIDE)
        becomes(site, host, NAMES, "udp", 8000, of=OUTSIDE)
        becomes(site, host, {"timeout"}, of=OUTSIDE)
        changed = site.patch("Service", name, {"spec": {"type": "NodePort"}})
        becomes(site, host, {"timeout"}, port=8000, of=OUTSIDE)
        becomes(site, NODES["worker"][0], NAMES, port=node_port(changed), of=OUTSIDE)
        assert not site.get("Service", name)["metadata"].get("finalizers")


@upstream(
    "LoadBalancers should have session affinity work for LoadBalancer service with ESIPP off [Slow] [LinuxOnly]",
    "LoadBalancers should have session affinity work for LoadBalancer service with ESIPP on [Slow] [LinuxOnly]",
    "LoadBalancers should be able to switch session affinity for LoadBalancer service with ESIPP off [Slow] [LinuxOnly]",
    "LoadBalancers should be able to switch session affinity for LoadBalancer service with ESIPP on [Slow] [LinuxOnly]",
)
@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_affinity_behind_a_load_balancer(site: Site, policy: str) -> None:
    spec = {"externalTrafficPolicy": policy, "sessionAffinity": "ClientIP"}
    with site.service(WEB, **BALANCED, **spec) as service:
        (host,) = vips(site, service)
        site.until(lambda: answers(site, host, count=1, of=OUTSIDE) <= NAMES, "an endpoint")
        assert len(answers(site, host, count=50, of=OUTSIDE)) == 1
        change = {"spec": {"sessionAffinity": "None", "sessionAffinityConfig": None}}
        site.patch("Service", service["metadata"]["name"], change)
        becomes(site, host, NAMES, of=OUTSIDE)


@upstream("LoadBalancers should only allow access from service loadbalancer source ranges [Slow]")
def test_source_ranges(site: Site) -> None:
    own = site.get("Pod", "client")["status"]["podIP"]
    with site.service(WEB, **BALANCED, loadBalancerSourceRanges=[f"{own}/32"]) as service:
        (host,) = vips(site, service)
        becomes(site, host, NAMES)
        becomes(site, host, {"timeout"}, of="client2")
        becomes(site, host, {"timeout"}, of=OUTSIDE)
        ranges = {"spec": {"loadBalancerSourceRanges": [f"{HERE[0]}/32"]}}
        site.patch("Service", service["metadata"]["name"], ranges)
        becomes(site, host, NAMES, of=OUTSIDE)
        becomes(site, host, {"timeout"})


@pytest.mark.skipif("MININETES_SLOW" not in os.environ, reason="MININETES_SLOW is not set: half a minute each")
@upstream(
    "LoadBalancers should not have connectivity disruption during rolling update with externalTrafficPolicy=Cluster [Slow]",
    "LoadBalancers should not have connectivity disruption during rolling update with externalTrafficPolicy=Local [Slow]",
)
@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_rolling_update_behind_a_load_balancer(site: Site, policy: str) -> None:
    pods = Rolling(f"rolling-{policy.lower()}")
    site.create(pods.deployment())
    with site.service(pods.labels, **BALANCED, externalTrafficPolicy=policy) as service:
        (host,) = vips(site, service)
        pods.rolled_out(site)
        site.synced()
        with under_load(site, host, 20, of=OUTSIDE) as load:
            time.sleep(1)  # some load before anything changes
            pods.replace_all(site, policy)
        assert load["failed"] == {}, load
    site.delete("Deployment", pods.name, propagationPolicy="Background")


def test_nothing_else_answers_from_outside(site: Site) -> None:
    """Whoever adds routes finds the nodes' own servers, and no pod and no Service but those that are exposed."""
    for family, option in ((0, "-4"), (1, "-6")):
        for subnet in (("10.244.0.0/16", "10.96.0.0/16"), ("fd00:10:244::/56", "fd00:10:96::/112"))[family]:
            via = NODES["worker"][family]
            assert site.testbed.exec(OUTSIDE, "ip", option, "route", "replace", subnet, "via", via).status == 0
    with site.service(WEB, **DUAL) as service:
        becomes(site, ips(service)[0], NAMES)
        targets = [(ips(service)[family], 80) for family in (0, 1)]
        targets += [(site.get("Pod", name)["status"]["podIPs"][0]["ip"], HTTP) for name in ("s1", "s3", "client")]
        for host, port in targets:
            assert answers(site, host, port=port, of=OUTSIDE, count=1, timeout_s=0.3) == {"timeout"}, host
        pod = site.get("Pod", "s1")["status"]["podIP"]
        assert answers(site, pod, "udp", UDP, of=OUTSIDE, count=1, timeout_s=0.3) == {"timeout"}


@families
def test_pods_go_out_as_their_node(site: Site, family: int) -> None:
    """Seen by a server that is a client of the underlay: an agnhost cannot run there, so Python's."""
    script = (
        "import socket,sys\n"
        f"s=socket.create_server(('{HERE[family]}',9100+{family}),family=socket.AF_INET6 if {family} else socket.AF_INET)\n"
        "print('up',flush=True)\n"
        "while True:\n c,a=s.accept(); c.recv(100); c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n'+a[0].encode()); c.close()\n"
    )
    with site.testbed.running(OUTSIDE, "python3", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        for asking, node in (("client", "worker"), ("client2", "worker2")):
            said = set(site.prober(asking).ask(HERE[family], 9100 + family, count=5))
            assert said == {NODES[node][family]}


def localhost_port(name: str, host_ip: str, protocol: str = "TCP") -> Any:
    """A server with the host port 24323 of that address; of netexec's TCP or UDP port."""
    made = server(name, "worker", {"app": "hostport"})
    number = HTTP if protocol == "TCP" else UDP
    made["spec"]["containers"][0]["ports"] = [
        {"containerPort": number, "hostPort": 24323, "hostIP": host_ip, "protocol": protocol}
    ]
    return made


@upstream(
    "HostPort validates that there is no conflict between pods with same hostPort but different hostIP and protocol [LinuxOnly] [Conformance]"
)
def test_host_ports(site: Site) -> None:
    node = NODES["worker"][0]
    made = localhost_port("p1", "127.0.0.1"), localhost_port("p2", node), localhost_port("p3", node, "UDP")
    with site.pods(*made):
        for asking in (OUTSIDE, "client", "client2", "host-client", "node/worker"):
            becomes(site, node, {"p2"}, port=24323, of=asking)
            becomes(site, node, {"p3"}, "udp", 24323, of=asking)
        becomes(site, "127.0.0.1", {"p1"}, port=24323, of="host-client")
    becomes(site, node, {"refused"}, port=24323, of=OUTSIDE)


@upstream("Services should fail health check node port if there are only terminating endpoints")
def test_health_check_node_port(site: Site) -> None:
    def check(node: str) -> str:
        url = f"http://{NODES[node][0]}:{number}/healthz"
        argv = ("curl", "-s", "-m", "1", "-o", "/dev/null", "-w", "%{http_code}", url)
        return site.testbed.exec(OUTSIDE, *argv).stdout

    with site.pods(ending("e3", "worker")), site.service({"app": "ending"}, **BALANCED, **LOCAL) as service:
        number = service["spec"]["healthCheckNodePort"]
        site.until(lambda: check("worker") == "200", "the node with the endpoint is healthy")
        assert check("worker2") == "503"
        becomes(site, vips(site, service)[0], {"e3"}, of=OUTSIDE)
        site.delete("Pod", "e3", gracePeriodSeconds=30)
        site.until(lambda: check("worker") == "503", "an endpoint that is to end is none")


def test_every_title_from_outside_is_carried() -> None:
    from_outside = [title for title in SERVICE_TITLES if reason_left_out(title) == FROM_OUTSIDE]
    assert len(from_outside) > 30
    assert [title for title in from_outside if title not in carried] == []
