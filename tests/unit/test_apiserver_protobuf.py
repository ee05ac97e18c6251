"""Bodies in Kubernetes' protobuf form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import kinds
from cluster.apiserver import protobuf
from cluster.apiserver.protobuf import ProtobufError


def varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value % (1 << 64))
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    """runtime.Unknown: typeMeta = 1, raw = 2."""
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


NAMED = field(1, field(1, "web") + field(3, "") + field(7, 0) + field(8, b""))
"""ObjectMeta: name = 1, namespace = 3, generation = 7, creationTimestamp = 8, with what Go writes for what is not set."""


def test_a_deployment() -> None:
    port = field(1, "http") + field(2, 0) + field(3, 80) + field(4, "TCP") + field(5, "")
    container = field(1, "web") + field(2, "nginx") + field(6, port) + field(16, 0)
    pod_spec = field(2, container) + field(4, 0) + field(11, 0)
    label = field(1, field(1, "app") + field(2, "web"))
    template = field(1, b"") + field(2, pod_spec)
    spec = field(1, 0) + field(2, label) + field(3, template)
    assert protobuf.decode(body("apps/v1", "Deployment", NAMED + field(2, spec) + field(3, field(2, 0)))) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "nginx",
                            "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
                        }
                    ],
                    "terminationGracePeriodSeconds": 0,
                },
            },
        },
        "status": {"replicas": 0},
    }


@pytest.mark.parametrize(
    ("port", "told"),
    [(field(1, 0) + field(2, 8080), 8080), (field(1, 1) + field(3, "http"), "http"), (field(2, -1), -1)],
)
def test_a_number_or_a_name(port: bytes, told: object) -> None:
    ports = field(1, field(3, 80) + field(4, port))
    assert protobuf.decode(body("v1", "Service", NAMED + field(2, ports)))["spec"]["ports"] == [
        {"port": 80, "targetPort": told}
    ]


def test_what_is_one_level_deeper_than_in_json() -> None:
    """VolumeSource is a message of its own, and no object in JSON; so is the reference of a Secret's key."""
    volume = field(1, "v") + field(2, field(6, field(1, "secret")))
    env = field(1, "E") + field(3, field(4, field(1, field(1, "s")) + field(2, "k")))
    pod = NAMED + field(2, field(1, volume) + field(2, field(1, "c") + field(7, env)))
    spec = protobuf.decode(body("v1", "Pod", pod))["spec"]
    assert spec["volumes"] == [{"name": "v", "secret": {"secretName": "secret"}}]
    assert spec["containers"][0]["env"] == [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]


def test_bytes_quantities_and_times() -> None:
    secret = NAMED + field(2, field(1, "k") + field(2, b"\x00v")) + field(3, "Opaque")
    assert protobuf.decode(body("v1", "Secret", secret))["data"] == {"k": "AHY="}
    quota = NAMED + field(2, field(1, field(1, "cpu") + field(2, field(1, "500m"))))
    assert protobuf.decode(body("v1", "ResourceQuota", quota))["spec"] == {"hard": {"cpu": "500m"}}
    lease = NAMED + field(2, field(1, "x") + field(3, field(1, 1_700_000_000) + field(2, 250_000_000)))
    assert protobuf.decode(body("coordination.k8s.io/v1", "Lease", lease))["spec"] == {
        "holderIdentity": "x",
        "acquireTime": "2023-11-14T22:13:20.250000Z",
    }


def test_options_of_a_deletion() -> None:
    options = field(1, 0) + field(4, "Background") + field(2, field(1, "u"))
    assert protobuf.decode(body("v1", "DeleteOptions", options)) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u"},
    }


def test_numbers_that_are_not_known_are_passed_over() -> None:
    assert protobuf.decode(body("v1", "ConfigMap", NAMED + field(4000, "x") + field(4001, 7)))["metadata"] == {
        "name": "web"
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (b"{}", "does not begin"),
        (b"k8s\x00", "no valid protobuf"),
        (body("v1", "Nothing", b""), "not read as protobuf"),
        (body("v1", "ConfigMap", b"\x0a\xff"), "no valid protobuf"),
        (body("v1", "ConfigMap", b"\x0b"), "wire type 3"),
        (body("v1", "ConfigMap", field(1, 5)), "no valid protobuf"),
        (body("v1", "ConfigMap", field(1, field(1, b"\xff"))), "no valid protobuf"),
    ],
)
def test_wrong_bodies(wrong: bytes, message: str) -> None:
    with pytest.raises(ProtobufError, match=message):
        protobuf.decode(wrong)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_an_error(raw: bytes) -> None:
    try:
        assert protobuf.decode(body("v1", "Pod", raw))["kind"] == "Pod"
    except ProtobufError as error:
        assert str(error)


def test_every_field_of_the_table_is_one_of_its_type() -> None:
    def names(fields: Any) -> Any:
        for value in fields.values():
            yield from names(value) if isinstance(value, dict) else [value]

    definitions = kinds.definitions()["$defs"]
    for name, fields in protobuf._table().items():
        assert set(names(fields)) <= set(definitions[name]["properties"]), name
