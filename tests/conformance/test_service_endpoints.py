"""Which endpoints a Service has for whom: policies, hints, terminating and unready ones, slices made by hand; under upstream's
titles, with real packets."""

from __future__ import annotations

from typing import Any

import pytest
from service_answers import WEB, answers, becomes
from service_site import HOST_HTTP, HTTP, Site, ips, server
from titles import upstream

LOCAL = {"internalTrafficPolicy": "Local"}


@upstream("Services should respect internalTrafficPolicy=Local Pod to Pod")
def test_local_pod_to_pod(site: Site) -> None:
    with site.service(WEB, **LOCAL) as service:
        becomes(site, ips(service)[0], {"s1", "s2"})
        becomes(site, ips(service)[0], {"s3"}, of="client2")
        becomes(site, ips(service)[0], {"timeout"}, of="node/control-plane")


@upstream(
    "Services should respect internalTrafficPolicy=Local Pod (hostNetwork: true) to Pod",
    "Services should respect internalTrafficPolicy=Local Pod and Node, to Pod (hostNetwork: true)",
)
def test_local_with_host_network(site: Site) -> None:
    with site.service(WEB, **LOCAL) as service, site.service({"app": "host"}, **LOCAL) as of_host:
        becomes(site, ips(service)[0], {"s1", "s2"}, of="host-client")
        for asking, node in (("client", "worker"), ("node/worker", "worker"), ("client2", "worker2")):
            becomes(site, ips(of_host)[0], {node}, of=asking)


@upstream(
    "[Feature:Traffic Distribution] when Service has trafficDistribution=PreferClose should route traffic to an endpoint that is close to the client"
)
def test_prefer_close(site: Site) -> None:
    """worker is in the zone east, worker2 in west."""
    with site.service(WEB, trafficDistribution="PreferClose") as service:
        becomes(site, ips(service)[0], {"s1", "s2"})
        becomes(site, ips(service)[0], {"s3"}, of="client2")
        becomes(site, ips(service)[0], {"s1", "s2"}, of="node/control-plane")


def ending(name: str, node: str) -> Any:
    """A server that goes on for a while when it is to end."""
    made = server(name, node, {"app": "ending"}, args=["--delay-shutdown=30"])
    made["spec"]["terminationGracePeriodSeconds"] = 30
    return made


@upstream(
    "Services should fallback to terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Cluster",
    "Services should fallback to local terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Local",
    "Connectivity Pod Lifecycle should be able to connect from a Pod to a terminating Pod",
    "Connectivity Pod Lifecycle should be able to connect to other Pod from a terminating Pod",
)
def test_terminating_endpoints(site: Site) -> None:
    with (
        site.pods(ending("e1", "worker")),
        site.service({"app": "ending"}) as service,
        site.service({"app": "ending"}, **LOCAL) as local,
    ):
        becomes(site, ips(service)[0], {"e1"})
        asker = site.prober("e1")
        site.delete("Pod", "e1", gracePeriodSeconds=30)
        site.until(lambda: "deletionTimestamp" in site.get("Pod", "e1")["metadata"], "e1 is ending")
        becomes(site, ips(service)[0], {"e1"}, of="client2")
        becomes(site, ips(local)[0], {"e1"})
        becomes(site, ips(local)[0], {"timeout"}, of="client2")
        own = site.get("Pod", "e1")["status"]["podIP"]
        assert answers(site, own, port=HTTP, of="client2", count=3) == {"e1"}
        other = site.get("Pod", "s3")["status"]["podIP"]
        assert set(asker.ask(other, HTTP, count=3)) == {"s3"}


@upstream(
    "Services should be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is true",
    "Services should not be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is false",
)
@pytest.mark.parametrize("publish", [True, False])
def test_publish_not_ready_addresses(site: Site, publish: bool) -> None:
    never = {"readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1}}
    unready = server("unready", "worker2", {"app": "unready"}, container=never)
    with (
        site.pods(unready, ready=False),
        site.service({"app": "unready"}, publishNotReadyAddresses=publish) as service,
    ):
        becomes(site, ips(service)[0], {"unready" if publish else "refused"})


def endpoint_slice(name: str, service: Any, addresses: list[str], ports: list[Any]) -> Any:
    labels = {"kubernetes.io/service-name": service["metadata"]["name"]}
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": name, "labels": labels},
        "addressType": "IPv4", "endpoints": [{"addresses": [ip]} for ip in addresses], "ports": ports,
    }  # fmt: skip


@upstream("EndpointSlice should support a Service with multiple endpoint IPs specified in multiple EndpointSlices")
def test_addresses_in_several_slices(site: Site) -> None:
    own = {name: site.get("Pod", name)["status"]["podIP"] for name in ("s1", "s3")}
    with site.service(None) as service:
        for name, ip in own.items():
            site.create(endpoint_slice(f"ips-{name}", service, [ip], [{"name": "http", "port": HTTP}]))
        becomes(site, ips(service)[0], {"s1", "s3"})
        for name in own:
            site.delete("EndpointSlice", f"ips-{name}")


@upstream("EndpointSlice should support a Service with multiple ports specified in multiple EndpointSlices")
def test_ports_in_several_slices(site: Site) -> None:
    pod_ip = site.get("Pod", "s1")["status"]["podIP"]
    node_ip = site.get("Pod", "h2")["status"]["podIP"]
    with site.service(None, {"name": "a", "port": 80}, {"name": "b", "port": 81}) as service:
        site.create(endpoint_slice("ports-a", service, [pod_ip], [{"name": "a", "port": HTTP}]))
        site.create(endpoint_slice("ports-b", service, [node_ip], [{"name": "b", "port": HOST_HTTP}]))
        becomes(site, ips(service)[0], {"s1"})
        becomes(site, ips(service)[0], {"worker2"}, port=81)
        for name in ("ports-a", "ports-b"):
            site.delete("EndpointSlice", name)
