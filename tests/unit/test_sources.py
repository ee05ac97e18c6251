"""What containers take from other objects: variables, and the files of volumes."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import pytest

from cluster.apiserver import tokens
from topo import container_env, rootfs, volumes
from topo.sources import ConfigError, Sources

POD: dict[str, Any] = {
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "u1", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web"}]},
}


def named(kind: str, name: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, **more}


def service(name: str, address: str, *ports: dict[str, Any], namespace: str = "shop") -> dict[str, Any]:
    return named("Service", name, namespace, spec={"clusterIP": address, "ports": list(ports)})


CONFIG = named("ConfigMap", "config", data={"COLOUR": "blue", "a.conf": "x=1\n"})
SECRET = named("Secret", "secret", data={"WORD": base64.b64encode(b"sesame").decode()})
KUBERNETES = service("kubernetes", "10.96.0.1", {"name": "https", "port": 443}, namespace="default")


def variables(container: dict[str, Any], *found: dict[str, Any], **spec: Any) -> dict[str, str]:
    pod = {**POD, "spec": {**POD["spec"], **spec}}
    return dict(container_env.environment(container, pod, Sources(found)))


def test_values_of_keys() -> None:
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "COLOUR"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "WORD"}}},
        {"name": "C", "value": "$(A) $(B)"},
    ]
    assert variables({"env": env}, CONFIG, SECRET) == {"A": "blue", "B": "sesame", "C": "blue sesame"}


def test_all_keys_of_one() -> None:
    env_from = [{"prefix": "P_", "secretRef": {"name": "secret"}}, {"configMapRef": {"name": "config"}}]
    told = variables({"envFrom": env_from, "env": [{"name": "COLOUR", "value": "red"}]}, CONFIG, SECRET)
    assert told == {"P_WORD": "sesame", "COLOUR": "red", "a.conf": "x=1\n"}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "secret", "key": "k"}}, "couldn't find key k in Secret shop/secret"),
    ],
)
def test_what_is_not_there_is_waited_for_unless_it_is_optional(reference: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        variables({"env": [{"name": "A", "valueFrom": reference}]}, SECRET)
    ((kind, value),) = reference.items()
    optional = {kind: {**value, "optional": True}}
    assert variables({"env": [{"name": "A", "valueFrom": optional}]}, SECRET) == {}


def test_service_variables() -> None:
    web = service("my-web", "10.96.1.1", {"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"})
    told = variables({}, web)
    assert told["MY_WEB_SERVICE_HOST"] == "10.96.1.1"
    assert told["MY_WEB_SERVICE_PORT"] == "80"
    assert told["MY_WEB_SERVICE_PORT_DNS"] == "53"
    assert told["MY_WEB_PORT"] == "tcp://10.96.1.1:80"
    assert told["MY_WEB_PORT_53_UDP"] == "udp://10.96.1.1:53"
    assert told["MY_WEB_PORT_53_UDP_ADDR"] == "10.96.1.1"


def test_the_api_servers_variables_are_there_even_without_links() -> None:
    web = service("web", "10.96.1.1", {"port": 80})
    told = variables({}, web, KUBERNETES, enableServiceLinks=False)
    assert told["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert told["KUBERNETES_SERVICE_PORT"] == "443"
    assert "WEB_SERVICE_HOST" not in told


def test_services_without_an_address_and_of_other_namespaces_have_none() -> None:
    other = service("other", "10.96.1.2", {"port": 80}, namespace="else")
    assert variables({}, service("web", "None", {"port": 80}), other) == {}


def test_a_removed_service_has_none() -> None:
    sources = Sources([web := service("web", "10.96.1.1", {"port": 80})])
    assert sources.service_variables("shop", True)
    sources.remove(web)
    assert sources.service_variables("shop", True) == {}


def files(volume: dict[str, Any], sources: Sources, path: str = "/var/v", **mount: Any) -> volumes.Files:
    pod = {**POD, "spec": {"volumes": [{"name": "v", **volume}]}}
    return volumes.files(pod, {"volumeMounts": [{"name": "v", "mountPath": path, **mount}]}, sources)


def test_a_config_map_as_files() -> None:
    sources = Sources([CONFIG])
    assert files({"configMap": {"name": "config"}}, sources) == {"/var/v/COLOUR": b"blue", "/var/v/a.conf": b"x=1\n"}
    items = [{"key": "a.conf", "path": "etc/b.conf"}]
    assert files({"configMap": {"name": "config", "items": items}}, sources) == {"/var/v/etc/b.conf": b"x=1\n"}
    one = files({"configMap": {"name": "config"}}, sources, "/tmp/here", subPath="a.conf")
    assert one == {"/tmp/here": b"x=1\n"}


def test_other_volumes() -> None:
    downward = [{"path": "app", "fieldRef": {"fieldPath": "metadata.labels['app']"}}]
    assert files({"downwardAPI": {"items": downward}}, Sources()) == {"/var/v/app": b"web"}
    assert files({"secret": {"secretName": "secret"}}, Sources([SECRET])) == {"/var/v/WORD": b"sesame"}
    assert files({"emptyDir": {}}, Sources()) == {"/var/v/": b""}


def test_what_is_mounted_elsewhere_is_not_seen() -> None:
    assert files({"configMap": {"name": "config"}}, Sources([CONFIG]), "/etc/config") == {}
    assert not volumes.is_visible("/var")
    assert not volumes.is_visible("/var/../etc/x")


def test_the_token_of_the_service_account(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/sa.key").write_bytes(b"key")
    sources = Sources([named("ServiceAccount", "default")], tmp_path)
    projected = {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    ((path, token),) = files(projected, sources, "/var/run/secrets/kubernetes.io/serviceaccount").items()
    assert path == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    verified = tokens.verify(token.decode(), b"key", time.time())
    assert (verified.namespace, verified.name, verified.uid) == ("shop", "default", "uid-default")
    assert verified.bound == {"pod": {"name": "web-1", "uid": "u1"}}


def test_files_are_written_where_the_container_sees_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootfs, "SCRATCH", str(tmp_path))
    volumes.write("u1", {"/var/run/secrets/token": b"t", "/tmp/d/": b""})
    volumes.write("u1", {"/var/run/secrets/token": b"u"})
    assert (tmp_path / "u1/run/secrets/token").read_bytes() == b"u"
    assert (tmp_path / "u1/tmp/d").is_dir()
    assert sorted(path.name for path in (tmp_path / "u1/run/secrets").iterdir()) == ["token"]
