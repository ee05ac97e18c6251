"""The Kubernetes API over TLS: who may ask, and what HTTP looks like around the registry's verbs."""

from __future__ import annotations

import gzip
import json
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import samples
from https import KUBECTL_TABLE, Https, serving_https
from servers import TIMEOUT_S

from cluster.apiserver import pki

PODS = "/api/v1/namespaces/default/pods"
SEEDED = f"{PODS}?labelSelector=app%3Dx"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Https]:
    with serving_https(tmp_path_factory.mktemp("run"), [samples.pod("seeded", {"app": "x"})]) as https:
        yield https


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


# Who asks.


def test_nobody_is_refused_with_a_status(server: Https) -> None:
    answer = server.ask("GET", PODS, Authorization="Bearer wrong")
    assert answer.status == 401
    assert (answer.json["kind"], answer.json["reason"]) == ("Status", "Unauthorized")
    assert server.ask("GET", "/api", Authorization="").status == 401


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version"])
def test_nobody_may_ask_for_health_and_version(server: Https, path: str) -> None:
    assert server.ask("GET", path, Authorization="").status == 200


def test_a_client_certificate_is_enough(server: Https) -> None:
    context = server.context()
    context.load_cert_chain(server.run / "pki" / "admin.crt", server.run / "pki" / "admin.key")
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = server.ask("POST", path, {"kind": "SelfSubjectReview"}, context=context)
    assert answer.status == 201
    assert answer.json["status"]["userInfo"]["username"] == "mininetes-admin"


def test_a_certificate_of_another_authority_is_refused(server: Https, tmp_path: Path) -> None:
    other = pki.ensure(tmp_path / "pki", ["localhost"])
    context = server.context()
    context.load_cert_chain(other.admin_certificate, other.admin_key)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        server.ask("GET", PODS, context=context)


def test_a_service_accounts_token_lasts_as_long_as_its_account(server: Https) -> None:
    path = "/api/v1/namespaces/default/serviceaccounts"
    server.ask("POST", path, {"metadata": {"name": "robot"}})
    token = server.ask("POST", f"{path}/robot/token", {"kind": "TokenRequest", "spec": {}}).json["status"]["token"]
    assert server.ask("GET", PODS, Authorization=f"Bearer {token}").status == 200
    reviewed = server.ask(
        "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"kind": "TokenReview", "spec": {"token": token}}
    ).json
    assert reviewed["status"]["user"]["username"] == "system:serviceaccount:default:robot"
    server.ask("DELETE", f"{path}/robot")
    assert server.ask("GET", PODS, Authorization=f"Bearer {token}").status == 401


def test_everybody_may_do_everything(server: Https) -> None:
    review = {
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}},
    }
    answer = server.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert (answer.status, answer.json["status"]["allowed"]) == (201, True)


def test_the_components_own_api_is_not_served_to_others(server: Https) -> None:
    assert server.ask("GET", "/mininetes/v1/objects").status == 404


# Verbs.


def test_an_objects_life(server: Https) -> None:
    created = server.ask("POST", CONFIG_MAPS, config_map("life", a="1"))
    assert created.status == 201
    again = server.ask("POST", CONFIG_MAPS, config_map("life"))
    assert (again.status, again.json["reason"]) == (409, "AlreadyExists")
    merge = {"content_type": "application/merge-patch+json"}
    assert server.ask("PATCH", f"{CONFIG_MAPS}/life", {"data": {"b": "2"}}, **merge).json["data"] == {
        "a": "1",
        "b": "2",
    }
    stale = {**created.json, "data": {}}
    assert server.ask("PUT", f"{CONFIG_MAPS}/life", stale).json["reason"] == "Conflict"
    assert server.ask("DELETE", f"{CONFIG_MAPS}/life").json["status"] == "Success"
    gone = server.ask("GET", f"{CONFIG_MAPS}/life")
    assert (gone.status, gone.json["message"]) == (404, 'configmaps "life" not found')


def test_yaml_in_and_out(server: Https) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: {x: 'yes'}\n"
    answer = server.ask("POST", CONFIG_MAPS, text, content_type="application/yaml", accept="application/yaml")
    assert answer.status == 201
    assert answer.headers["content-type"] == "application/yaml"
    assert b"x: 'yes'" in answer.body


def test_server_side_apply_creates(server: Https) -> None:
    text = json.dumps(config_map("applied", a="1"))
    options = {"content_type": "application/apply-patch+yaml"}
    path = f"{CONFIG_MAPS}/applied?fieldManager=tests"
    assert server.ask("PATCH", path, text, **options).status == 201
    assert server.ask("PATCH", path, text, **options).status == 200
    assert server.ask("PATCH", f"{CONFIG_MAPS}/applied", text, **options).json["reason"] == "Invalid"


def test_the_manager_of_fields_is_the_program_that_asks(server: Https) -> None:
    answer = server.ask("POST", CONFIG_MAPS, config_map("managed", a="1"), user_agent="robot/v1 (linux)")
    assert answer.json["metadata"]["managedFields"][0]["manager"] == "robot"


def test_a_dry_run_writes_nothing(server: Https) -> None:
    assert server.ask("POST", f"{CONFIG_MAPS}?dryRun=All", config_map("dry")).status == 201
    assert server.ask("GET", f"{CONFIG_MAPS}/dry").status == 404
    assert server.ask("POST", f"{CONFIG_MAPS}?dryRun=Some", config_map("dry")).status == 422


def test_fields_that_are_not_known(server: Https) -> None:
    wrong = {**config_map("wrong"), "datta": {}}
    warned = server.ask("POST", f"{CONFIG_MAPS}?dryRun=All", wrong)
    assert warned.status == 201
    assert 'unknown field \\"datta\\"' in warned.headers["warning"]
    strict = server.ask("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", wrong)
    assert (strict.status, strict.json["reason"]) == (400, "BadRequest")


def test_what_has_no_effect_is_told_in_a_warning(server: Https) -> None:
    role = {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "r"}, "rules": []}
    answer = server.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
    assert answer.headers["warning"].startswith('299 - "kind: no effect here: ')


def test_deleting_a_collection(server: Https) -> None:
    for name in ("many-a", "many-b"):
        server.ask("POST", CONFIG_MAPS, {**config_map(name), "metadata": {"name": name, "labels": {"many": "x"}}})
    deleted = server.ask("DELETE", f"{CONFIG_MAPS}?labelSelector=many%3Dx").json
    assert [obj["metadata"]["name"] for obj in deleted["items"]] == ["many-a", "many-b"]
    assert server.get(f"{CONFIG_MAPS}?labelSelector=many%3Dx")["items"] == []


def test_subresources(server: Https) -> None:
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    server.ask("POST", deployments, samples.workload("Deployment", "scaled", replicas=1))
    merge = {"content_type": "application/merge-patch+json"}
    assert server.ask("PATCH", f"{deployments}/scaled/scale", {"spec": {"replicas": 2}}, **merge).status == 200
    scale = server.get(f"{deployments}/scaled/scale")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 2})
    assert server.get(f"{deployments}/scaled/status")["spec"]["replicas"] == 2
    assert server.ask("POST", f"{deployments}/scaled/scale", {}).status == 405
    assert server.ask("DELETE", f"{deployments}/scaled/status").status == 405
    eviction = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": "seeded"}}
    assert server.ask("POST", f"{PODS}/missing/eviction", eviction).status == 404
    binding = {"metadata": {"name": "seeded"}, "target": {"kind": "Node", "name": "worker"}}
    assert server.ask("POST", "/api/v1/namespaces/default/bindings", binding).json["reason"] == "Conflict"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", CONFIG_MAPS, "{", {}, 400),
        ("POST", CONFIG_MAPS, "[]", {}, 400),
        ("POST", CONFIG_MAPS, b"k8s\0", {"content_type": "application/vnd.kubernetes.protobuf"}, 400),
        ("POST", CONFIG_MAPS, "{}", {"content_type": "text/plain"}, 415),
        ("POST", CONFIG_MAPS, "a: [", {"content_type": "application/yaml"}, 400),
        ("PATCH", f"{CONFIG_MAPS}/x", "{}", {}, 415),
        ("GET", PODS, None, {"accept": "application/vnd.kubernetes.protobuf"}, 406),
        ("GET", f"{PODS}?limit=x", None, {}, 400),
        ("GET", f"{PODS}?watch=perhaps", None, {}, 400),
        ("GET", f"{PODS}?labelSelector=%21%21", None, {}, 400),
        ("PUT", PODS, "{}", {}, 405),
        ("POST", f"{CONFIG_MAPS}/x", "{}", {}, 405),
        ("DELETE", "/api/v1/nodes/worker/status", None, {}, 405),
        ("DELETE", f"{CONFIG_MAPS}/x", '{"kind": "Pod"}', {}, 400),
        ("GET", "/api/v1/nothing", None, {}, 404),
        ("GET", "/apis/nothing/v1", None, {}, 404),
        ("GET", "/openapi/v3/apis/nothing/v1", None, {}, 404),
        ("GET", "/nothing", None, {}, 404),
        ("POST", CONFIG_MAPS, "x" * (3 * 1024 * 1024 + 1), {}, 413),
    ],
)
def test_wrong_requests_are_refused_with_a_status(
    server: Https, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    answer = server.ask(method, path, body, **headers)
    assert answer.status == status
    assert (answer.json["kind"], answer.json["status"], answer.json["code"]) == ("Status", "Failure", status)


# Forms.


def test_a_table(server: Https) -> None:
    table = server.get(SEEDED, accept=KUBECTL_TABLE)
    assert table["kind"] == "Table"
    assert [row["cells"][0] for row in table["rows"]] == ["seeded"]
    assert table["metadata"]["resourceVersion"]
    single = server.get(f"{PODS}/seeded?includeObject=Object", accept=KUBECTL_TABLE)
    assert single["rows"][0]["object"]["kind"] == "Pod"


def test_metadata_alone(server: Https) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = server.get(SEEDED, accept=accept)
    assert (listed["kind"], [sorted(item) for item in listed["items"]]) == (
        "PartialObjectMetadataList",
        [["apiVersion", "kind", "metadata"]],
    )


def test_pages(server: Https) -> None:
    first = server.get("/api/v1/namespaces?limit=2")
    more = server.get(f"/api/v1/namespaces?limit=100&continue={first['metadata']['continue']}")
    names = [obj["metadata"]["name"] for obj in (*first["items"], *more["items"])]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]


def test_a_long_answer_is_compressed(server: Https) -> None:
    answer = server.ask("GET", "/openapi/v2", accept_encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body))["swagger"] == "2.0"


def test_the_head_of_an_answer(server: Https) -> None:
    answer = server.ask("HEAD", PODS)
    assert (answer.status, answer.body) == (200, b"")


# Watches.


def events(server: Https, path: str, count: int, **headers: str) -> list[Any]:
    response = server.open("GET", path, **headers)
    assert response.status == 200
    return [json.loads(response.readline()) for _ in range(count)]


def test_a_watch_tells_what_is_and_what_changes(server: Https) -> None:
    response = server.open("GET", f"{CONFIG_MAPS}?watch=true&fieldSelector=metadata.name%3Dwatched")
    server.ask("POST", CONFIG_MAPS, config_map("watched", a="1"))
    server.ask("DELETE", f"{CONFIG_MAPS}/watched")
    told = [json.loads(response.readline()) for _ in range(2)]
    assert [event["type"] for event in told] == ["ADDED", "DELETED"]
    assert told[0]["object"]["data"] == {"a": "1"}


def test_a_watch_in_tables_has_columns_once(server: Https) -> None:
    response = server.open("GET", f"{CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Dtabled", accept=KUBECTL_TABLE)
    server.ask("POST", CONFIG_MAPS, config_map("tabled", a="1"))
    server.ask("DELETE", f"{CONFIG_MAPS}/tabled")
    first, second = (json.loads(response.readline())["object"] for _ in range(2))
    assert first["columnDefinitions"][0]["name"] == "Name"
    assert second["columnDefinitions"] is None
    assert [row["cells"][:2] for row in (*first["rows"], *second["rows"])] == [["tabled", 1]] * 2


def test_a_watch_ends_in_time_with_a_bookmark(server: Https) -> None:
    version = server.get(CONFIG_MAPS)["metadata"]["resourceVersion"]
    path = f"{CONFIG_MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=1&allowWatchBookmarks=true"
    lines = server.ask("GET", path).body.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["BOOKMARK"]


def test_a_watch_from_the_future_is_refused(server: Https) -> None:
    answer = server.ask("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion=99999999")
    assert answer.json["kind"] == "Status"


def test_sigterm_ends_watches(tmp_path: Path) -> None:
    with serving_https(tmp_path) as https:
        response = https.open("GET", f"{CONFIG_MAPS}?watch=1")
        https.process.process.send_signal(signal.SIGTERM)
        assert https.process.process.wait(TIMEOUT_S) == 0
        assert response.read() == b"", "the stream was cut, not ended"


def test_a_restarted_server_has_the_same_certificates(tmp_path: Path) -> None:
    with serving_https(tmp_path) as https:
        context = https.context()
        https.process.restart()
        assert https.ask("GET", "/version", context=context).status == 200


def test_what_a_deletion_answers_depends_on_the_kind(server: Https) -> None:
    path = "/api/v1/namespaces/default/serviceaccounts"
    server.ask("POST", path, {"metadata": {"name": "gone"}})
    assert server.ask("DELETE", f"{path}/gone").json["kind"] == "ServiceAccount"
    server.ask("POST", CONFIG_MAPS, config_map("gone"))
    assert server.ask("DELETE", f"{CONFIG_MAPS}/gone").json["kind"] == "Status"
