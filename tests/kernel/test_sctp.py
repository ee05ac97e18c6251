"""Upstream's titles that connect by SCTP, with real packets. Only some kernels have SCTP."""

from __future__ import annotations

from kernel_site import SCTP, SCTP_PORT, WEB
from manifests import pod, tools
from service_answers import DUAL, becomes
from service_site import Site, ips, server
from test_smoke import policy
from titles import POLICY_TITLES, SERVICE_TITLES, carried, upstream

NAMES = {"s1", "s2"}
_SERVES = {"labels": {"serves": "sctp"}}


def test_every_title_is_carried_here() -> None:
    titles = {title for title in (*SERVICE_TITLES, *POLICY_TITLES) if "SCTPConnectivity" in title}
    assert [title for title in titles if title not in carried] == []


@upstream(
    "Networking Granular Checks: Pods should function for intra-pod communication: sctp [LinuxOnly] [Feature:SCTPConnectivity]",
    "Networking Granular Checks: Pods should function for node-pod communication: sctp [LinuxOnly] [Feature:SCTPConnectivity]",
)
def test_pods(site: Site) -> None:
    pods = site.testbed.pods()
    for asking in ("client", "s1", "node/worker", "node/worker2"):
        for name in NAMES:
            for address in pods[name].ips:
                becomes(site, address, {name}, "sctp", SCTP, of=asking)


@upstream(
    "Networking Granular Checks: Services should function for pod-Service: sctp [Feature:SCTPConnectivity]",
    "Networking Granular Checks: Services should function for node-Service: sctp [Feature:SCTPConnectivity]",
    "Networking Granular Checks: Services should function for endpoint-Service: sctp [Feature:SCTPConnectivity]",
    "[Feature:IPv6DualStack] Granular Checks: Services Secondary IP Family [LinuxOnly] should function for pod-Service: sctp [Feature:SCTPConnectivity]",
)
def test_services(site: Site) -> None:
    with site.service(WEB, SCTP_PORT, type="NodePort", **DUAL) as service:
        for address in ips(service):
            for asking in ("client", "node/worker", "s1"):
                becomes(site, address, NAMES, "sctp", SCTP_PORT["port"], of=asking)
        node = site.testbed.status()["nodes"][2]["ips"][0]
        becomes(site, node, NAMES, "sctp", service["spec"]["ports"][0]["nodePort"], of="client/laptop")


@upstream("Services should allow creating a basic SCTP service with pod and endpoints [LinuxOnly] [Serial]")
def test_a_basic_service_and_its_endpoints(site: Site) -> None:
    with site.service({"app": "late"}, SCTP_PORT) as service:
        becomes(site, ips(service)[0], {"refused"}, "sctp", SCTP_PORT["port"])
        late = server("late", "worker2", {"app": "late"}, args=[f"--sctp-port={SCTP}"])
        with site.pods(late):
            becomes(site, ips(service)[0], {"late"}, "sctp", SCTP_PORT["port"])


@upstream("Networking should allow creating a Pod with an SCTP HostPort [LinuxOnly] [Serial]")
def test_a_host_port(site: Site) -> None:
    ports = [{"containerPort": SCTP, "protocol": "SCTP", "hostPort": 5060}]
    made = server("exposed", "worker", {"app": "exposed"}, args=[f"--sctp-port={SCTP}"], container={"ports": ports})
    with site.pods(made):
        node = next(node["ips"][0] for node in site.testbed.status()["nodes"] if node["name"] == "worker")
        becomes(site, node, {"exposed"}, "sctp", 5060, of="client/laptop")


_SELECTED = {"podSelector": {"matchLabels": WEB}, "policyTypes": ["Ingress"]}


@upstream(
    "Netpol [Feature:SCTPConnectivity] [LinuxOnly] NetworkPolicy between server and client using SCTP should support a 'default-deny-ingress' policy [Feature:NetworkPolicy]",
    "Netpol [Feature:SCTPConnectivity] [LinuxOnly] NetworkPolicy between server and client using SCTP should enforce policy based on Ports [Feature:NetworkPolicy]",
)
def test_policies_by_port(site: Site) -> None:
    address = site.testbed.pods()["s2"].ips[0]
    with policy(site, "sctp-deny", _SELECTED):
        becomes(site, address, {"timeout"}, "sctp", SCTP)
        by_tcp = {"ports": [{"port": SCTP, "protocol": "TCP"}]}
        with policy(site, "same-port-of-tcp", {**_SELECTED, "ingress": [by_tcp]}):
            becomes(site, address, {"timeout"}, "sctp", SCTP)
        by_sctp = {"ports": [{"port": SCTP, "protocol": "SCTP"}]}
        with policy(site, "sctp-port", {**_SELECTED, "ingress": [by_sctp]}):
            becomes(site, address, {"s2"}, "sctp", SCTP)
            becomes(site, address, {"timeout"}, port=8080)


@upstream(
    "Netpol [Feature:SCTPConnectivity] [LinuxOnly] NetworkPolicy between server and client using SCTP should enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and NamespaceSelector [Feature:NetworkPolicy]"
)
def test_a_policy_by_pod_and_namespace(site: Site) -> None:
    address = site.testbed.pods()["s2"].ips[0]
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}},
        "podSelector": {"matchLabels": {"pod": "b"}},
    }
    only_b = {**_SELECTED, "ingress": [{"from": [peer], "ports": [{"port": SCTP, "protocol": "SCTP"}]}]}
    namespaces = site.api.resources.get(api_version="v1", kind="Namespace")
    namespaces.create(body={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    try:
        for name in ("a", "b"):
            made = pod(name, tools(), nodeName="worker")
            made["metadata"] |= {"namespace": "other", "labels": {"pod": name}}
            site.create(made)
        site.testbed.mininetes("sync").output  # noqa: B018
        with policy(site, "only-b", only_b):
            becomes(site, address, {"s2"}, "sctp", SCTP, of="other/b")
            becomes(site, address, {"timeout"}, "sctp", SCTP, of="other/a")
            becomes(site, address, {"timeout"}, "sctp", SCTP)
    finally:
        namespaces.delete(name="other")
