"""The official Python client: every supported kind, typed and dynamic; watches, streams, server-side apply."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client import ApiClient, ApiException
from kubernetes.stream import portforward, stream
from manifests import HTTP_PORT, Object, netexec, pod, tools
from testbeds import PATIENCE_S, Testbed

from topo.waiting import wait_until

PATIENCE = int(PATIENCE_S)
LABELS = {"app": "x"}
TEMPLATE: Object = {"metadata": {"labels": LABELS}, "spec": {"containers": [netexec()]}}
SELECTED = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
JOB = {"template": {"spec": {"restartPolicy": "Never", "containers": [tools("true")]}}}
RULE = {
    "http": {
        "paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "x", "port": {"number": 80}}}}]
    }
}
ENDPOINT_PORT = {"name": "http", "port": 80, "protocol": "TCP"}

KINDS: dict[str, tuple[str, Object]] = {
    "Namespace": ("v1", {}),
    "Node": ("v1", {"spec": {"unschedulable": True}}),
    "Pod": ("v1", {"spec": {"containers": [netexec()]}}),
    "Service": ("v1", {"spec": {"selector": LABELS, "ports": [{"port": 80}]}}),
    "Endpoints": ("v1", {"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [ENDPOINT_PORT]}]}),
    "EndpointSlice": (
        "discovery.k8s.io/v1",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [ENDPOINT_PORT]},
    ),
    "ReplicaSet": ("apps/v1", {"spec": SELECTED}),
    "ReplicationController": ("v1", {"spec": {"selector": LABELS, "template": TEMPLATE}}),
    "Deployment": ("apps/v1", {"spec": SELECTED}),
    "StatefulSet": ("apps/v1", {"spec": {**SELECTED, "serviceName": "x"}}),
    "DaemonSet": ("apps/v1", {"spec": SELECTED}),
    "Job": ("batch/v1", {"spec": JOB}),
    "CronJob": ("batch/v1", {"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": JOB}}}),
    "NetworkPolicy": ("networking.k8s.io/v1", {"spec": {"podSelector": {}}}),
    "Ingress": ("networking.k8s.io/v1", {"spec": {"rules": [RULE]}}),
    "IngressClass": ("networking.k8s.io/v1", {"spec": {"controller": "example.org/x"}}),
    "Event": ("v1", {"involvedObject": {"kind": "Pod", "name": "x"}, "reason": "Test", "message": "x", "type": "Normal"}),
    "ConfigMap": ("v1", {"data": {"a": "1"}}),
    "Secret": ("v1", {"stringData": {"a": "1"}}),
    "ServiceAccount": ("v1", {}),
    "PodDisruptionBudget": ("policy/v1", {"spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}}),
    "Lease": ("coordination.k8s.io/v1", {"spec": {"holderIdentity": "x"}}),
}  # fmt: skip
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def api(kubernetes: Testbed) -> ApiClient:
    made: ApiClient = config.new_client_from_config(str(kubernetes.directory / "kubeconfig"))
    return made


@pytest.fixture(scope="module")
def dynamic_client(api: ApiClient) -> Any:
    return dynamic.DynamicClient(api)


@pytest.fixture
def namespace(api: ApiClient) -> Iterator[str]:
    core, name = client.CoreV1Api(api), f"client-{next(_numbers)}"
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_life_of_an_object(dynamic_client: Any, namespace: str, kind: str) -> None:
    api_version, fields = KINDS[kind]
    resource = dynamic_client.resources.get(api_version=api_version, kind=kind)
    place = {"namespace": namespace} if resource.namespaced else {}
    name, labels = f"{kind.lower()}-{next(_numbers)}", {"test": kind}
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": labels}, **fields}
    if kind == "Event":
        body["involvedObject"] = {**fields["involvedObject"], "namespace": namespace}
    created = resource.create(body=body, **place)
    assert created.metadata.uid
    assert resource.get(name=name, **place).metadata.name == name
    listed = resource.get(label_selector=f"test={kind}", **place)
    assert [item.metadata.name for item in listed.items] == [name]
    patch = {"metadata": {"annotations": {"note": "x"}}}
    patched = resource.patch(name=name, body=patch, content_type="application/merge-patch+json", **place)
    assert patched.metadata.annotations.note == "x"
    resource.delete(name=name, body={"gracePeriodSeconds": 0, "propagationPolicy": "Background"}, **place)
    seen = []
    for event in resource.watch(resource_version=listed.metadata.resourceVersion, timeout=PATIENCE, **place):
        if event["object"].metadata.name == name:
            seen.append(event["type"])
        if event["type"] == "DELETED" and event["object"].metadata.name == name:
            break
    assert seen[0] == "MODIFIED"
    assert seen[-1] == "DELETED"
    with pytest.raises(ApiException) as gone:
        resource.get(name=name, **place)
    assert gone.value.status == 404


def test_typed_clients_and_a_watch_with_resume(api: ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    version = core.list_namespaced_pod(namespace).metadata.resource_version
    core.create_namespaced_pod(namespace, pod("typed", netexec()))
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_pod,
        namespace,
        resource_version=version,
        timeout_seconds=PATIENCE,
        allow_watch_bookmarks=True,
    ):
        statuses = event["object"].status.container_statuses or ()
        if any(each.ready for each in statuses):
            watching.stop()
    wait_until(lambda: "Started" in core.read_namespaced_pod_log("typed", namespace), PATIENCE_S, "a line in the log")
    core.patch_namespaced_pod("typed", namespace, {"metadata": {"labels": {"a": "b"}}})
    assert core.read_namespaced_pod("typed", namespace).metadata.labels == {"a": "b"}
    core.delete_namespaced_pod("typed", namespace, grace_period_seconds=0)
    wait_until(lambda: not core.list_namespaced_pod(namespace).items, PATIENCE_S, "no pod")


def test_pages_and_a_watch_that_is_too_late(api: ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    for number in range(5):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"page-{number}"}})
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(namespace, limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert [name for name in names if name.startswith("page-")] == [f"page-{number}" for number in range(5)]
    with pytest.raises(ApiException) as refused:
        core.list_namespaced_config_map(namespace, _continue="nonsense")
    assert refused.value.status == 400


def test_scale_and_status_subresources(api: ApiClient, namespace: str) -> None:
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(
        namespace, {"metadata": {"name": "web"}, "spec": {**SELECTED, "replicas": 1}}
    )  # fmt: skip
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}})
    assert apps.read_namespaced_deployment_scale("web", namespace).spec.replicas == 2
    wait_until(
        lambda: apps.read_namespaced_deployment_status("web", namespace).status.ready_replicas == 2,
        PATIENCE_S,
        "2 pods",
    )


@pytest.fixture
def running_pod(api: ApiClient, namespace: str) -> Iterator[tuple[client.CoreV1Api, str]]:
    """A pod "web" with an HTTP server and a container to enter."""
    core = client.CoreV1Api(api)
    core.create_namespaced_pod(namespace, pod("web", netexec(), tools(), terminationGracePeriodSeconds=0))

    def is_ready() -> bool:
        conditions = core.read_namespaced_pod("web", namespace).status.conditions or ()
        return any(each.type == "Ready" and each.status == "True" for each in conditions)

    wait_until(is_ready, PATIENCE_S, "the pod to be ready")
    yield core, namespace


def test_exec(running_pod: tuple[client.CoreV1Api, str]) -> None:
    core, namespace = running_pod
    opened = stream(
        core.connect_get_namespaced_pod_exec, "web", namespace, container="tools",
        command=["sh", "-c", "read line; echo got $line; echo err >&2; exit 3"],
        stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
    )  # fmt: skip
    opened.write_stdin("typed\n")
    opened.run_forever(timeout=PATIENCE)
    assert opened.read_stdout() == "got typed\n"
    assert opened.read_stderr() == "err\n"
    assert opened.returncode == 3


def test_port_forward(running_pod: tuple[client.CoreV1Api, str]) -> None:
    core, namespace = running_pod
    forward = portforward(core.connect_get_namespaced_pod_portforward, "web", namespace, ports=str(HTTP_PORT))
    connection = forward.socket(HTTP_PORT)
    connection.setblocking(True)
    connection.settimeout(PATIENCE_S)
    connection.sendall(b"GET /hostname HTTP/1.0\r\nHost: x\r\n\r\n")
    received = b""
    while data := connection.recv(4096):
        received += data
    assert received.endswith(b"web")
    assert forward.error(HTTP_PORT) is None


def test_proxy(running_pod: tuple[client.CoreV1Api, str]) -> None:
    core, namespace = running_pod
    answer = core.connect_get_namespaced_pod_proxy_with_path(f"web:{HTTP_PORT}", namespace, "hostname")
    assert answer == "web"


def test_server_side_apply_and_its_conflicts(dynamic_client: Any, namespace: str) -> None:
    resource = dynamic_client.resources.get(api_version="v1", kind="ConfigMap")

    def apply(manager: str, value: str, force: bool = False) -> Any:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": {"a": value}}
        return resource.server_side_apply(
            body=body, namespace=namespace, field_manager=manager, force_conflicts=force
        )  # fmt: skip

    apply("one", "1")
    with pytest.raises(ApiException) as conflict:
        apply("two", "2")
    told = json.loads(conflict.value.body)
    assert (conflict.value.status, told["reason"]) == (409, "Conflict")
    assert told["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]
    assert apply("two", "2", force=True).data.a == "2"


def test_a_stale_update_is_a_conflict(api: ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    old = core.create_namespaced_config_map(namespace, {"metadata": {"name": "stale"}, "data": {"a": "1"}})
    core.patch_namespaced_config_map("stale", namespace, {"data": {"a": "2"}})
    with pytest.raises(ApiException) as conflict:
        core.replace_namespaced_config_map("stale", namespace, old)
    assert conflict.value.status == 409


def test_without_a_token_there_is_nothing(kubernetes: Testbed, api: ApiClient) -> None:
    anonymous = client.Configuration()
    anonymous.host, anonymous.ssl_ca_cert = api.configuration.host, api.configuration.ssl_ca_cert
    with pytest.raises(ApiException) as refused:
        client.CoreV1Api(ApiClient(anonymous)).list_namespace()
    assert refused.value.status == 401
