"""Pods find Services by name: a real testbed, asked from inside its pods."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

MACHINE_LACKS_SOMETHING = 3
UP_TIMEOUT_S = 90
NAME = f"test-dns-{os.getpid()}"
COMMAND = [sys.executable, "-m", "cluster.commands"]

SPEC = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {ipFamily: dual}
nodes: [{role: control-plane}, {role: worker}, {role: worker}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: nginx, ports: [{name: http, containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: postgres}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{name: sql, port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec: {type: ExternalName, externalName: example.org}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop}
spec:
  nodeName: worker
  initContainers:
  - {name: wait, image: busybox, command: [sh, -c, "until wget -q -T 2 -O /dev/null http://web:80; do sleep 0.2; done"]}
  containers: [{name: client, image: busybox, command: [sleep, "3600"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: stranger}
spec:
  nodeName: worker2
  containers: [{name: client, image: busybox, command: [sleep, "3600"]}]
"""


def mininetes(*arguments: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=timeout_s)


@pytest.fixture(scope="module", autouse=True)
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`up` waits for the client's init container, so that this succeeds is a test of its own."""
    spec = tmp_path_factory.mktemp("dns") / "spec.yaml"
    spec.write_text(SPEC)
    try:
        options = ("--name", NAME, "--timeout", str(UP_TIMEOUT_S))
        up = mininetes("up", "-f", str(spec), *options, timeout_s=UP_TIMEOUT_S + 30)
        if up.returncode == MACHINE_LACKS_SOMETHING:
            pytest.skip(f"no testbed on this machine: {up.stderr.strip()}")
        assert up.returncode == 0, up.stderr
        yield
    finally:
        mininetes("down", NAME)


def run(pod: str, *command: str) -> str:
    """The output of a command that must succeed, inside a pod."""
    done = mininetes("exec", "--name", NAME, pod, "--", *command)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def dig(*question: str) -> list[str]:
    """The data of the records that answer it."""
    return run("shop/client", "dig", "+short", *question).splitlines()


def address(service: str) -> str:
    (first,) = dig(f"{service}.svc.cluster.local")
    return first


@pytest.mark.parametrize(
    ("pod", "name"),
    [("shop/client", "web"), ("shop/client", "web.shop"), ("stranger", "web.shop"), ("stranger", "web.shop.svc")],
)
def test_the_search_list_completes_a_name(pod: str, name: str) -> None:
    found = run(pod, "getent", "ahosts", name)
    assert address("web.shop") in found
    assert dig("web.shop.svc.cluster.local", "AAAA")[0] in found


def test_a_name_of_another_namespace_is_not_found_without_it() -> None:
    assert mininetes("exec", "--name", NAME, "stranger", "--", "getent", "hosts", "web").returncode == 2


@pytest.mark.parametrize("pod", ["shop/client", "stranger"])
def test_a_service_is_reached_by_name(pod: str) -> None:
    assert run(pod, "wget", "-q", "-T", "5", "-t", "1", "-O", "-", "http://web.shop").startswith("web-")


@pytest.mark.parametrize("options", [("+notcp",), ("+tcp",)])
@pytest.mark.parametrize("server", ["10.96.0.10", "fd00:10:96::a"])
def test_both_protocols_and_families_lead_to_the_server(server: str, options: tuple[str, ...]) -> None:
    assert dig("web.shop.svc.cluster.local", f"@{server}", *options) == [address("web.shop")]


def test_the_peers_of_a_stateful_set_have_names() -> None:
    names = [f"db-{number}.db.shop.svc.cluster.local" for number in range(2)]
    addresses = [dig(name)[0] for name in names]
    assert sorted(dig("db.shop.svc.cluster.local")) == sorted(addresses)
    assert sorted(dig("_sql._tcp.db.shop.svc.cluster.local", "SRV")) == [f"0 50 5432 {name}." for name in names]
    assert dig("-x", addresses[0]) == [f"{names[0]}."]
    assert addresses[1] in run("shop/client", "getent", "hosts", "db-1.db")


def test_the_dns_service_finds_itself() -> None:
    assert dig("-x", "10.96.0.10") == ["kube-dns.kube-system.svc.cluster.local."]


def test_an_alias_and_the_schema_version() -> None:
    assert dig("outside.shop.svc.cluster.local", "CNAME") == ["example.org."]
    assert dig("dns-version.cluster.local", "TXT") == ['"1.1.0"']


def test_a_pod_has_a_name_by_its_address() -> None:
    ip = dig("db-0.db.shop.svc.cluster.local")[0]
    assert dig(f"{ip.replace('.', '-')}.shop.pod.cluster.local") == [ip]


@pytest.mark.parametrize(("name", "status"), [("nope.shop.svc.cluster.local", "NXDOMAIN"), ("example.org", "REFUSED")])
def test_what_is_not_there_is_answered_at_once(name: str, status: str) -> None:
    assert f"status: {status}" in run("shop/client", "dig", "+tries=1", "+time=2", name)
