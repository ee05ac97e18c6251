"""kubectl and objects: apply, diff, delete, get in every form, describe, edit, patch, explain."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from kubectl import Kubectl, lines
from manifests import netexec, pod
from testbeds import PATIENCE_S, ROOT

from topo.waiting import wait_until

SHARED = ROOT.parent / "shared" / "manifests"
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"a": "1"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"tier": "front"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [netexec()]}},
    },
}


@pytest.mark.skipif(not SHARED.exists(), reason=f"no published manifests in {SHARED}")
@pytest.mark.parametrize("path", sorted(SHARED.glob("*/*.yaml")), ids=lambda path: path.name)
def test_published_manifests_are_applied_compared_and_deleted(kubectl: Kubectl, path: Path, tmp_path: Path) -> None:
    # One of them was published with its "---" at the end of a line, which kubectl does not take for a separator.
    (tmp_path / path.name).write_text(re.sub(r"(?<=\S)---$", "\n---", path.read_text(), flags=re.MULTILINE))
    files = ("-f", str(tmp_path))
    applied = kubectl("apply", *files).output.splitlines()
    assert applied
    assert all(line.endswith(" created") for line in applied)
    assert kubectl("diff", *files).output == ""
    again = kubectl("apply", *files).output.splitlines()
    assert len(again) == len(applied)
    assert all(line.endswith(" unchanged") for line in again), "\n".join(again)
    deleted = kubectl("delete", *files).output.splitlines()
    assert len(deleted) == len(applied)
    wait_until(lambda: kubectl("get", "all").output == "", PATIENCE_S, "nothing to be left")


def test_a_changed_manifest_is_shown_and_applied(kubectl: Kubectl) -> None:
    kubectl.apply(CONFIG).output  # noqa: B018
    changed = json.dumps({**CONFIG, "data": {"a": "2"}})
    difference = kubectl("diff", "-f", "-", text=changed)
    assert difference.status == 1
    assert '-  a: "1"\n+  a: "2"' in difference.stdout
    assert kubectl("apply", "-f", "-", "--dry-run=server", text=changed).output.endswith("configured (server dry run)")
    assert kubectl("apply", "-f", "-", text=changed).output == "configmap/config configured"
    assert kubectl.json("configmap", "config")["data"] == {"a": "2"}


def test_wrong_manifests_are_refused(kubectl: Kubectl) -> None:
    unknown = kubectl.apply({**CONFIG, "dota": {}})
    assert unknown.status == 1
    assert "dota" in unknown.stderr
    wrong = kubectl.apply({**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "selector": {"matchLabels": {"app": "x"}}}})  # type: ignore[dict-item]
    assert wrong.status == 1
    assert 'The Deployment "web" is invalid: spec.template.metadata.labels' in wrong.stderr


def test_get_in_every_form(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT).output  # noqa: B018
    kubectl.wait("condition=Available", "deployment/web")
    plain = kubectl("get", "deployments").output.splitlines()
    assert plain[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert plain[1].split()[:4] == ["web", "1/1", "1", "1"]
    wide = kubectl("get", "pods", "-o", "wide").output.splitlines()
    assert wide[0].split()[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert "Running" in wide[1]
    assert "tier=front" in kubectl("get", "deploy", "--show-labels").output
    assert kubectl("get", "deploy", "-o", "name").output == "deployment.apps/web"
    assert kubectl.json("deploy", "web")["spec"]["replicas"] == 1
    assert "replicas: 1" in kubectl("get", "deploy", "web", "-o", "yaml").output
    assert kubectl("get", "deploy", "-o", "jsonpath={.items[*].metadata.name}").output == "web"
    assert kubectl("get", "deploy", "web", "-o", "go-template={{.spec.replicas}}").output == "1"
    columns = kubectl("get", "deploy", "-o", "custom-columns=N:.metadata.name,R:.spec.replicas").output
    assert [line.split() for line in columns.splitlines()] == [["N", "R"], ["web", "1"]]
    everything = kubectl("get", "all").output
    assert all(kind in everything for kind in ("pod/web-", "deployment.apps/web", "replicaset.apps/web-"))
    assert "kube-system" in kubectl("get", "pods", "--all-namespaces", "--sort-by=.metadata.name").output


def test_get_with_selectors(kubectl: Kubectl) -> None:
    pods = [{**pod(name, netexec()), "metadata": {"name": name, "labels": {"n": name}}} for name in "ab"]
    kubectl.apply(*pods).output  # noqa: B018
    kubectl.wait("condition=Ready", "pod", "--all")
    assert kubectl("get", "pods", "-l", "n in (a)", "-o", "name").output == "pod/a"
    assert kubectl("get", "pods", "--field-selector", "metadata.name!=a", "-o", "name").output == "pod/b"
    assert kubectl("get", "pods", "--field-selector", "status.phase=Running", "-o", "name").output == "pod/a\npod/b"
    node = kubectl.json("pod", "a")["spec"]["nodeName"]
    assert "pod/a" in kubectl("get", "pods", "--field-selector", f"spec.nodeName={node}", "-o", "name").output
    unknown = kubectl("get", "pods", "--field-selector", "spec.hostname=x")
    assert unknown.status == 1
    assert "field label not supported" in unknown.stderr


def test_get_watches(kubectl: Kubectl) -> None:
    with kubectl.running("get", "pods", "-w", "--output-watch-events", "-o", "name") as watching:
        kubectl.apply(pod("seen", netexec())).output  # noqa: B018
        assert lines(watching, 1) == ["pod/seen"]
    with kubectl.running("get", "pods", "-w") as watching:
        assert [line.split()[0] for line in lines(watching, 2)] == ["NAME", "seen"]
        kubectl("delete", "pod", "seen", "--wait=false").output  # noqa: B018
        shown = lines(watching, 1)
        while "Terminating" not in shown[-1]:
            shown += lines(watching, 1)


def test_describe(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT).output  # noqa: B018
    kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080").output  # noqa: B018
    kubectl.wait("condition=Available", "deployment/web")
    described = kubectl("describe", "deployment", "web").output
    assert "1 desired | 1 updated | 1 total | 1 available" in described
    assert "ScalingReplicaSet" in described
    of_pod = kubectl("describe", "pods").output
    assert "Ready          True" in of_pod or "Ready                       True" in of_pod
    assert "Scheduled" in of_pod
    assert "Started" in of_pod
    of_service = kubectl("describe", "service", "web").output
    address = kubectl.json("pods")["items"][0]["status"]["podIP"]
    assert f"{address}:8080" in of_service
    assert "KubeletReady" in kubectl("describe", "node", "worker").output
    assert "Status:" in kubectl("describe", "namespace", kubectl.namespace).output


def test_labels_and_annotations(kubectl: Kubectl) -> None:
    kubectl.apply(CONFIG).output  # noqa: B018
    assert kubectl("label", "configmap", "config", "a=b").output == "configmap/config labeled"
    assert kubectl("label", "configmap", "config", "a=c").status == 1
    kubectl("label", "configmap", "config", "a=c", "--overwrite").output  # noqa: B018
    kubectl("annotate", "configmap", "config", "note=x").output  # noqa: B018
    metadata = kubectl.json("configmap", "config")["metadata"]
    assert (metadata["labels"], metadata["annotations"]["note"]) == ({"a": "c"}, "x")
    kubectl("label", "configmap", "config", "a-").output  # noqa: B018
    assert "labels" not in kubectl.json("configmap", "config")["metadata"]


@pytest.mark.parametrize(
    ("options", "patch"),
    [
        (("--type=strategic",), {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": []}]}}}}),
        (("--type=merge",), {"spec": {"minReadySeconds": 1}}),
        (("--type=json",), [{"op": "add", "path": "/metadata/labels/x", "value": "y"}]),
    ],
    ids=["strategic", "merge", "json"],
)
def test_patches(kubectl: Kubectl, options: tuple[str, ...], patch: object) -> None:
    kubectl.apply(DEPLOYMENT).output  # noqa: B018
    done = kubectl("patch", "deployment", "web", *options, "-p", json.dumps(patch))
    assert done.output.startswith("deployment.apps/web patched")
    assert kubectl.json("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == netexec()["image"]


def test_server_side_apply_and_its_conflicts(kubectl: Kubectl) -> None:
    def apply(value: str, manager: str, *more: str) -> object:
        text = json.dumps({**CONFIG, "data": {"a": value}})
        return kubectl("apply", "--server-side", f"--field-manager={manager}", *more, "-f", "-", text=text)

    assert apply("1", "one").output == "configmap/config serverside-applied"  # type: ignore[attr-defined]
    conflict = apply("2", "two")
    assert conflict.status == 1  # type: ignore[attr-defined]
    assert 'conflict with "one": .data.a' in conflict.stderr  # type: ignore[attr-defined]
    assert apply("2", "two", "--force-conflicts").status == 0  # type: ignore[attr-defined]
    assert kubectl.json("configmap", "config")["data"] == {"a": "2"}


def test_edit(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl.apply(CONFIG).output  # noqa: B018
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/a: "1"/a: "edited"/\' "$1"\n')
    editor.chmod(0o755)
    assert kubectl("edit", "configmap", "config", EDITOR=str(editor)).output == "configmap/config edited"
    assert kubectl.json("configmap", "config")["data"] == {"a": "edited"}


def test_explain_and_api_resources(kubectl: Kubectl) -> None:
    assert "List of ports to expose" in kubectl("explain", "pod.spec.containers.ports").output
    assert "containerPort" in kubectl("explain", "pod.spec.containers", "--recursive").output
    named = {line.split()[0] for line in kubectl("api-resources", "--no-headers").output.splitlines()}
    assert {"pods", "services", "deployments", "networkpolicies", "endpointslices", "leases"} <= named
    apps = kubectl("api-resources", "--api-group=apps", "--namespaced=true", "-o", "name").output.splitlines()
    assert "deployments.apps" in apps
    assert "apps/v1" in kubectl("api-versions").output.splitlines()


def test_create_expose_run(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "made", "--image=nginx").output  # noqa: B018
    kubectl("create", "configmap", "made", "--from-literal=k=v").output  # noqa: B018
    kubectl("create", "secret", "generic", "made", "--from-literal=k=v").output  # noqa: B018
    kubectl("create", "serviceaccount", "made").output  # noqa: B018
    kubectl("create", "job", "made", "--image=busybox", "--", "true").output  # noqa: B018
    kubectl("create", "service", "clusterip", "other", "--tcp=80:80").output  # noqa: B018
    kubectl("expose", "deployment", "made", "--port=80").output  # noqa: B018
    kubectl("run", "alone", "--image=nginx", "--port=80").output  # noqa: B018
    kubectl.wait("condition=Available", "deployment/made")
    kubectl.wait("condition=complete", "job/made")
    kubectl.wait("condition=Ready", "pod/alone")
    assert kubectl("create", "deployment", "made", "--image=nginx").stderr.strip().endswith('"made" already exists')
    assert kubectl.json("endpoints", "made")["subsets"][0]["ports"][0]["port"] == 80


def test_kinds_without_effect_are_kept_with_a_notice(kubectl: Kubectl) -> None:
    role = kubectl("create", "role", "reader", "--verb=get", "--resource=pods")
    assert role.output == "role.rbac.authorization.k8s.io/reader created"
    assert "no effect here" in role.stderr
    assert kubectl("auth", "can-i", "delete", "nodes").output == "yes"
