"""`mininetes check`: manifests in, truth table out, and whether that was meant."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
BOUTIQUE = ROOT.parent / "shared" / "manifests" / "online-boutique"

PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: main, image: pause, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, labels: {app: db}}
spec: {containers: [{name: main, image: pause, ports: [{containerPort: 5432, name: sql}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: job, labels: {app: job}}
spec: {containers: [{name: main, image: pause}]}
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: web}}
    ports:
    - port: sql
"""
EXPECT = "- * > default/db\n+ default/app=web > default/db TCP/5432\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "pods.yaml").write_text(PODS)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def check(directory: Path, *arguments: str, files: tuple[str, ...] = ("pods.yaml", "policy.yaml")) -> tuple[int, str]:
    """Exit status, and what it says on either stream."""
    given = [word for file in files for word in ("-f", file)]
    command = [sys.executable, "-m", "cluster.commands", "check", *given, *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), **_PATH})
    return done.returncode, done.stdout + done.stderr


_PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}


def test_the_table_as_json(directory: Path) -> None:
    status, said = check(directory, "-o", "json")
    tables = json.loads(said)["tables"]
    assert status == 0
    assert tables["TCP/5432"]["default/web"] == {"default/db": True}
    assert tables["TCP/5432"]["default/job"] == {"default/db": False}
    assert tables["TCP/80"]["default/db"] == {"default/web": True}
    assert tables["any"]["default/web"] == {"default/job": True}, "it declares no port, so it is asked by echo"


def test_given_ports_are_asked_of_everybody(directory: Path) -> None:
    _, said = check(directory, "-o", "json", "--ports", "5432,1", "--protocols", "tcp,udp")
    tables = json.loads(said)["tables"]
    assert sorted(tables) == ["TCP/1", "TCP/5432", "UDP/1", "UDP/5432"]
    assert tables["UDP/5432"]["default/web"] == {"default/db": False, "default/job": True, "default/web": True}


def test_an_expectation_that_holds(directory: Path) -> None:
    (directory / "expect").write_text(EXPECT)
    status, said = check(directory, "--expect", "expect")
    assert status == 0, said
    assert "2 claims, 0 pairs are otherwise" in said


def test_an_expectation_that_fails_names_the_pair_and_the_rule(directory: Path) -> None:
    (directory / "expect").write_text("- * > default/db\n+ default/job > default/db TCP/5432\n")
    status, said = check(directory, "--expect", "expect")
    assert status == 1
    assert "line 1: default/web must not reach default/db on TCP/5432: allowed by NetworkPolicy default/db" in said
    assert "spec.ingress[0] (policy.yaml:7)" in said
    assert "line 2: default/job must reach default/db on TCP/5432: default/db is isolated for ingress by " in said
    assert "NetworkPolicy default/db (policy.yaml:1)" in said


def test_an_expectation_about_nobody_is_wrong_input(directory: Path) -> None:
    (directory / "expect").write_text("- * > default/bd\nwhat\n")
    status, said = check(directory, "--expect", "expect")
    assert status == 2 and "expect:2: found 'what'; must be" in said
    (directory / "expect").write_text("- * > default/bd\n")
    status, said = check(directory, "--expect", "expect")
    assert status == 2 and "expect:1: found '- * > default/bd'; no pods are so called" in said


def test_a_wrong_manifest_is_wrong_input(directory: Path) -> None:
    (directory / "policy.yaml").write_text(POLICY.replace("port: sql", "port: 0"))
    status, said = check(directory)
    assert status == 2 and "policy.yaml:10" in said


def test_the_difference_to_older_manifests(directory: Path) -> None:
    (directory / "old.yaml").write_text(PODS)
    status, said = check(directory, "--diff", "old.yaml")
    assert status == 0
    assert "- TCP/5432 default/job > default/db (reaches -> does not reach)" in said
    assert "1 pairs change" in said


def test_junit(directory: Path) -> None:
    (directory / "expect").write_text("- * > default/db\n+ * > default/web\n")
    status, said = check(directory, "--expect", "expect", "-o", "junit")
    suite = ElementTree.fromstring(said)
    assert (status, suite.get("tests"), suite.get("failures")) == (1, "2", "1")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["- * > default/db"]


def test_markdown(directory: Path) -> None:
    _, said = check(directory, "-o", "markdown")
    assert "### TCP/5432" in said and "| default/job | ✗ |" in said


def test_what_does_nothing_is_told_with_its_place(directory: Path) -> None:
    text = POLICY.replace("port: sql", "port: http").replace("app: web", "app: wbe") + "---\n"
    text += POLICY.replace("app: db", "app: bd").replace("name: db", "name: bd")
    (directory / "policy.yaml").write_text(text)
    _, said = check(directory)
    assert "policy.yaml:8: NetworkPolicy default/db: spec.ingress[0].from[0]: selects no pod" in said
    assert "policy.yaml:10: NetworkPolicy default/db: spec.ingress[0].ports[0].port: found 'http'; no selected pod" in said
    assert "NetworkPolicy default/bd: spec.podSelector: selects no pod: the policy isolates nobody" in said


@pytest.mark.skipif(not BOUTIQUE.is_dir(), reason=f"no published manifests in {BOUTIQUE}")
def test_online_boutique_within_two_seconds(tmp_path: Path) -> None:
    (tmp_path / "expect").write_text(
        "- * > *\n"
        "+ * > default/app=frontend\n"
        "+ default/app=frontend > default/app=adservice,default/app=checkoutservice,default/app=recommendationservice\n"
        "+ default/app=frontend,default/app=checkoutservice > default/app=cartservice,default/app=currencyservice\n"
        "+ default/app=frontend,default/app=checkoutservice > default/app=shippingservice\n"
        "+ default/app=frontend,default/app=checkoutservice > default/app=productcatalogservice\n"
        "+ default/app=recommendationservice > default/app=productcatalogservice\n"
        "+ default/app=checkoutservice > default/app=emailservice,default/app=paymentservice\n"
        "+ default/app=cartservice > default/app=redis-cart\n"
        "- * > * any\n"
    )
    began = time.monotonic()
    status, said = check(tmp_path, "--expect", "expect", files=(str(BOUTIQUE),))
    took_s = time.monotonic() - began
    assert status == 0, said
    assert took_s < 4, "two seconds on an idle machine"
