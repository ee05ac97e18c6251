"""What the API refuses, in Kubernetes' words; what an update may not change; what is allocated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import samples
import yaml
from api_site import STRICT, Site, config_map, refused, resource, site

from cluster.objects import Object

INVALID_POLICIES = Path(__file__).parents[3] / "shared" / "netpol" / "invalid"


@pytest.fixture
def api(tmp_path: Path) -> Site:
    return site(tmp_path)


def policy(**spec: Any) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p"},
        "spec": {"podSelector": {}, **spec},
    }


def service(**spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], **spec}}


POD = samples.pod("a")
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            service(ports=[{"port": 0}]),
            'Service "web" is invalid: [spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, '
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive]",
        ),
        (
            service(ports=[{"port": 80, "protocol": "tcp"}]),
            'Service "web" is invalid: spec.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", '
            '"TCP", "UDP"',
        ),
        (service(type="NodePort", ports=[]), 'Service "web" is invalid: spec.ports: Required value'),
        (
            service(type="NodePort", ports=[{"port": 80, "nodePort": 80}]),
            'Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. '
            "The range of valid ports is 30000-32767",
        ),
        (
            service(clusterIP="8.8.8.8"),
            'Service "web" is invalid: spec.clusterIPs: Invalid value: ["8.8.8.8"]: failed to allocate IP 8.8.8.8: '
            "the provided IP (8.8.8.8) is not in the valid range. The range of valid IPs is 10.96.0.0/16",
        ),
        (
            {**config_map("a"), "metadata": {"name": "A_b"}},
            'ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain must consist '
            "of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character "
            rf"(e.g. 'example.com', regex used for validation is '{LABEL}(\.{LABEL})*')",
        ),
        (
            policy(ingress=[{"ports": [{"port": 81, "endPort": 80}]}]),
            'NetworkPolicy.networking.k8s.io "p" is invalid: spec.ingress[0].ports[0].endPort: Invalid value: 80: '
            "must be greater than or equal to `port`, which is 81",
        ),
        (
            {**samples.workload("Deployment", "web"), "spec": {"selector": {"matchLabels": {"a": "b"}}}},
            'Deployment.apps "web" is invalid: [spec.template.spec.containers: Required value, '
            "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`]",
        ),
        (
            samples.workload("Deployment", "web", replicas=-1),
            'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
        ),
        (
            samples.workload("Deployment", "web", {"restartPolicy": "Never"}),
            'Deployment.apps "web" is invalid: spec.template.spec.restartPolicy: Unsupported value: "Never": '
            'supported values: "Always"',
        ),
        (
            samples.pod("a", containers=[{"name": "c"}]),
            'Pod "a" is invalid: spec.containers[0].image: Required value',
        ),
    ],
)
def test_what_is_wrong_is_told_in_kubernetes_words(api: Site, given: Object, message: str) -> None:
    error = refused(api.create, given)
    assert error.message == message
    assert (error.code, error.reason) == (422, "Invalid")


def test_every_mistake_is_a_cause(api: Site) -> None:
    error = refused(api.create, service(ports=[{"port": 0, "targetPort": 1}, {"port": 70000, "name": "x", "targetPort": 1}]))
    assert error.details is not None
    assert [(cause["reason"], cause["field"]) for cause in error.details["causes"]] == [
        ("FieldValueInvalid", "spec.ports[0].port"),
        ("FieldValueRequired", "spec.ports[0].name"),
        ("FieldValueInvalid", "spec.ports[1].port"),
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "the body must be a JSON object of kind Pod"),
        ({"kind": "Service"}, "the kind in the data (Service) does not match the expected kind (Pod)"),
        (
            {"metadata": {"name": 1}},
            'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal number 1 into Go struct field '
            "ObjectMeta.metadata.name of type string",
        ),
        (
            {"spec": {"containers": {}}},
            'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal object into Go struct field '
            "PodSpec.spec.containers of type []v1.Container",
        ),
        (
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}},
            'Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(api: Site, given: Any, message: str) -> None:
    error = refused(api.registry.create, resource("Pod"), "default", given, STRICT)
    assert (error.code, error.message) == (400, message)


def test_nulls_are_fields_that_are_not_there(api: Site) -> None:
    made = api.create({**config_map("a"), "data": None, "binaryData": None})
    assert "data" not in made and "binaryData" not in made


@pytest.mark.parametrize(
    ("before", "change", "message"),
    [
        (
            samples.workload("Deployment", "web"),
            {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}},
            'Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: '
            "field is immutable",
        ),
        (
            samples.workload("StatefulSet", "web"),
            {"podManagementPolicy": "Parallel"},
            'StatefulSet.apps "web" is invalid: spec: Forbidden: updates to statefulset spec for fields other than '
            "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
            "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
        (
            POD,
            {"dnsPolicy": "Default"},
            'Pod "a" is invalid: spec: Forbidden: pod updates may not change fields other than '
            "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
            "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
            "was previously negative)",
        ),
        (
            service(),
            {"clusterIP": "10.96.0.99", "clusterIPs": ["10.96.0.99"]},
            'Service "web" is invalid: spec.clusterIPs[0]: Invalid value: ["10.96.0.99"]: may not change once set',
        ),
        (
            samples.workload("Job", "web", {"restartPolicy": "Never"}),
            {"completions": 5},
            'Job.batch "web" is invalid: spec.completions: Invalid value: 5: field is immutable',
        ),
    ],
)
def test_what_may_not_change(api: Site, before: Object, change: Object, message: str) -> None:
    api.create(before)
    error = refused(api.patch, before["kind"], before["metadata"]["name"], "merge", {"spec": change})
    assert error.message == message


def test_a_pods_image_may_change(api: Site) -> None:
    api.create(POD)
    patch = {"spec": {"containers": [{"name": "main", "image": "other"}]}}
    assert api.patch("Pod", "a", "strategic", patch).obj["spec"]["containers"][0]["image"] == "other"


def test_an_immutable_config_map_stays(api: Site) -> None:
    api.create({**config_map("a", x="1"), "immutable": True})
    error = refused(api.patch, "ConfigMap", "a", "merge", {"data": {"x": "2"}})
    assert error.message == (
        'ConfigMap "a" is invalid: data: Forbidden: field is immutable when `immutable` is set'
    )


def test_services_get_addresses_and_ports_above_the_bands(api: Site) -> None:
    spec = api.create(service(type="NodePort"))["spec"]
    assert spec["clusterIP"] == spec["clusterIPs"][0] == "10.96.1.1"
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30086}]


def test_an_update_keeps_what_was_allocated(api: Site) -> None:
    made = api.create(service(type="NodePort"))
    again = api.update(service(type="NodePort", ports=[{"port": 80}, {"port": 81, "name": "b"}][:1]))
    assert again["spec"] == made["spec"]
    plain = api.update({**made, "spec": {**made["spec"], "type": "ClusterIP", "externalTrafficPolicy": None}})
    assert plain["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert "nodePort" not in plain["spec"]["ports"][0]
    external = api.update({**made, "metadata": {"name": "web"}, "spec": {"type": "ExternalName", "externalName": "x.org"}})
    assert not external["spec"].keys() & {"clusterIP", "clusterIPs"}


def test_an_address_or_port_is_given_once(api: Site) -> None:
    first = api.create(service(type="NodePort"))["spec"]
    other = {**service(type="NodePort", ports=[{"port": 80, "nodePort": 30086}]), "metadata": {"name": "b"}}
    assert refused(api.create, other).message == (
        'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30086: provided port is already allocated'
    )
    ip = first["clusterIP"]
    taken = {**service(clusterIP=ip), "metadata": {"name": "c"}}
    assert refused(api.create, taken).message == (
        f'Service "c" is invalid: spec.clusterIPs: Invalid value: ["{ip}"]: failed to allocate IP {ip}: '
        "provided IP is already allocated"
    )


@pytest.mark.skipif(not INVALID_POLICIES.is_dir(), reason=f"no policies in {INVALID_POLICIES}")
def test_invalid_policies_are_rejected(api: Site) -> None:
    for folder in sorted(INVALID_POLICIES.iterdir()):
        expected = json.loads((folder / "expected.json").read_text())
        (manifest,) = (path for path in folder.iterdir() if path.suffix == ".yaml")
        given = yaml.safe_load(manifest.read_text())
        given["metadata"]["namespace"] = "default"
        error = refused(api.create, given)
        assert error.code in (400, 422), expected
