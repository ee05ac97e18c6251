"""Which ways from outside there are, by the API's objects (experiments/outside.py)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from experiments.outside import Egress, Scene, Way, ways

Object = dict[str, Any]
NODES = {"control-plane": "172.18.0.2", "worker": "172.18.0.3"}
CLIENTS = {"laptop": "172.18.0.9"}
LAPTOP, POD = "client/laptop", "default/web-1"


def scene(*objects: Object, clients: dict[str, str] = CLIENTS) -> Scene:
    return Scene(NODES, clients, objects, POD)


def service(kind: str, namespace: str = "default", ips: tuple[str, ...] = (), **spec: Any) -> Object:
    status = {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]}}
    ports = [{"port": 80, "nodePort": 30080}]
    return {
        "kind": "Service", "metadata": {"namespace": namespace, "name": "web"}, "status": status,
        "spec": {"type": kind, "ports": ports, "selector": {"app": "web"}, **spec},
    }  # fmt: skip


def ingress(*paths: str, tls: bool = False, ips: tuple[str, ...] = ("10.1.0.1",), **rule: Any) -> Object:
    entries = [{"path": path, "pathType": "Prefix"} for path in paths]
    spec: Object = {"rules": [{"http": {"paths": entries}, **rule}]}
    if tls:
        spec["tls"] = [{"hosts": [rule["host"]], "secretName": "s"}]
    status = {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]}}
    return {"kind": "Ingress", "metadata": {"namespace": "default", "name": "i"}, "spec": spec, "status": status}


@pytest.mark.parametrize(("given", "wanted"), [
    (service("ClusterIP"), [("ClusterIP by port-forward", "this machine", "service/web")]),
    (service("NodePort"), [("NodePort on control-plane", LAPTOP, "http://172.18.0.2:30080/hostname"),
                           ("NodePort on worker", LAPTOP, "http://172.18.0.3:30080/hostname")]),
    (service("LoadBalancer"), []),
    (service("LoadBalancer", ips=("10.1.0.1", "fd00::1")), [
        ("LoadBalancer", LAPTOP, "http://10.1.0.1/hostname"), ("LoadBalancer", LAPTOP, "http://[fd00::1]/hostname")]),
    (service("ClusterIP", externalIPs=["9.9.9.9"], selector={}), [("external IP", LAPTOP, "http://9.9.9.9/hostname")]),
    (service("ExternalName", ports=[]), [("ExternalName, from a pod", POD, "http://web.default/hostname")]),
    (service("NodePort", namespace="kube-system"), []),
    (ingress("/", "/api(/|$)(.*)", host="a.example"), [
        ("Ingress by host a.example", LAPTOP, "http://a.example/hostname"),
        ("Ingress by path /api", LAPTOP, "http://a.example/api/hostname")]),
    (ingress("/", host="a.example", ips=()), []),
])  # fmt: skip
def test_ways_in(given: Object, wanted: list[tuple[str, str, str]]) -> None:
    found = [way for way in ways(scene(given)) if isinstance(way, Way)]
    assert [(way.how, way.source, way.url) for way in found] == wanted


def test_https_trusts_the_certificate_of_the_secret() -> None:
    data = {"tls.crt": base64.b64encode(b"PEM").decode()}
    secret = {"kind": "Secret", "metadata": {"namespace": "default", "name": "s"}, "data": data}
    [way, _] = ways(scene(ingress("/", tls=True, host="a.example"), secret))
    assert isinstance(way, Way)
    assert (way.url, way.trusted) == ("https://a.example/hostname", "PEM")
    assert way.options == ("--resolve", "a.example:443:10.1.0.1", "--cacert", "/dev/stdin")


def test_the_way_out_is_last_and_needs_a_client() -> None:
    assert ways(scene(service("ClusterIP")))[-1] == Egress(POD, "laptop", "172.18.0.9")
    assert [type(way) for way in ways(scene(service("ClusterIP"), service("NodePort"), clients={}))] == [Way]
