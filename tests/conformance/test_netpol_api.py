"""The API of NetworkPolicies, under upstream's titles."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from kubernetes import client, config, watch
from service_site import Site
from titles import upstream

PATIENCE_S = 20
LABELS = {"special-label": "policy-api"}
SELECTOR = "special-label=policy-api"


@pytest.fixture(scope="module")
def api(site: Site) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(site.testbed.directory / "kubeconfig")) as made:
        yield made


@pytest.fixture
def namespace(api: client.ApiClient, request: pytest.FixtureRequest) -> Iterator[str]:
    core, name = client.CoreV1Api(api), f"policy-api-{request.node.name.count('endport')}"
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


def policy(**spec: Any) -> Mapping[str, Any]:
    """With a name that the server makes."""
    return {
        "metadata": {"generateName": "e2e-example-netpol", "labels": LABELS},
        "spec": {"podSelector": {"matchLabels": {"pod-name": "test-pod"}}, **spec},
    }


def events(listing: Any, *where: str, since: str, wanted: set[tuple[str, str]]) -> None:
    """Returns when all of these (type, name) came after a revision."""
    missing = set(wanted)
    for event in watch.Watch().stream(
        listing, *where, label_selector=SELECTOR, resource_version=since, timeout_seconds=PATIENCE_S
    ):
        missing.discard((event["type"], event["object"].metadata.name))
        if not missing:
            return
    raise AssertionError(f"did not come: {missing}")


@upstream("Netpol API should support creating NetworkPolicy API operations")
def test_api_operations(api: client.ApiClient, namespace: str) -> None:
    groups = client.ApisApi(api).get_api_versions().groups
    assert "networking.k8s.io/v1" in [each.group_version for group in groups for each in group.versions]
    networking = client.NetworkingV1Api(api)
    group = client.NetworkingApi(api).get_api_group()
    assert "networking.k8s.io/v1" in [version.group_version for version in group.versions]
    assert "networkpolicies" in [resource.name for resource in networking.get_api_resources().resources]

    first, second, third = (
        networking.create_namespaced_network_policy(namespace, policy(ingress=[{}])) for _ in range(3)
    )
    names = {each.metadata.name for each in (first, second, third)}
    assert len(names) == 3
    assert networking.read_namespaced_network_policy(first.metadata.name, namespace).metadata.uid == first.metadata.uid

    everywhere, here = networking.list_network_policy_for_all_namespaces, networking.list_namespaced_network_policy
    for found in (everywhere(label_selector=SELECTOR), here(namespace, label_selector=SELECTOR)):
        assert {each.metadata.name for each in found.items} == names
    since = here(namespace, label_selector=SELECTOR).metadata.resource_version

    patch = {"metadata": {"annotations": {"patched": "true"}}}
    patched = networking.patch_namespaced_network_policy(first.metadata.name, namespace, patch)
    assert patched.metadata.annotations["patched"] == "true"
    assert patched.metadata.resource_version != first.metadata.resource_version
    patched.metadata.annotations["updated"] = "true"
    updated = networking.replace_namespaced_network_policy(first.metadata.name, namespace, patched)
    assert (updated.metadata.annotations["patched"], updated.metadata.annotations["updated"]) == ("true", "true")
    changed = {("MODIFIED", first.metadata.name)}
    events(here, namespace, since=since, wanted=changed)
    events(everywhere, since=since, wanted=changed)

    networking.delete_namespaced_network_policy(first.metadata.name, namespace)
    with pytest.raises(client.ApiException) as gone:
        networking.read_namespaced_network_policy(first.metadata.name, namespace)
    assert gone.value.status == 404
    rest = names - {first.metadata.name}
    assert {each.metadata.name for each in here(namespace, label_selector=SELECTOR).items} == rest
    networking.delete_collection_namespaced_network_policy(namespace, label_selector=SELECTOR)
    assert here(namespace, label_selector=SELECTOR).items == []
    events(here, namespace, since=since, wanted={("DELETED", name) for name in names})


@upstream("Netpol API should support creating NetworkPolicy API with endport field")
def test_api_with_endport(api: client.ApiClient, namespace: str) -> None:
    networking = client.NetworkingV1Api(api)
    peer = {"namespaceSelector": {"matchLabels": {"namespace": namespace}}}
    egress = [{"ports": [{"protocol": "TCP", "port": 30000, "endPort": 32768}], "to": [peer]}]
    made = networking.create_namespaced_network_policy(namespace, policy(egress=egress))
    found = networking.list_namespaced_network_policy(namespace).items
    assert [each.metadata.uid for each in found] == [made.metadata.uid]
    read = networking.read_namespaced_network_policy(made.metadata.name, namespace)
    (port,) = read.spec.egress[0].ports
    assert (port.port, port.end_port, port.protocol) == (30000, 32768, "TCP")
    assert read.spec.policy_types == ["Ingress", "Egress"]
    networking.delete_namespaced_network_policy(made.metadata.name, namespace)
    assert networking.list_namespaced_network_policy(namespace).items == []
