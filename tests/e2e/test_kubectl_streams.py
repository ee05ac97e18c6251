"""kubectl and what runs in pods: exec, logs, attach, port-forward, proxy, cp."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest
from kubectl import Kubectl, lines
from manifests import netexec, pod, shell, tools

COUNTING = "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done"


@pytest.fixture
def shop(kubectl: Kubectl) -> Kubectl:
    """A namespace with a pod of two containers: `web`, an HTTP server, and `tools`."""
    kubectl.apply(pod("two", netexec(), tools(), terminationGracePeriodSeconds=0)).output  # noqa: B018
    kubectl.wait("condition=Ready", "pod/two")
    return kubectl


def test_exec(shop: Kubectl) -> None:
    assert shop("exec", "two", "-c", "tools", "--", "sh", "-c", "echo out; echo err >&2").stdout == "out\n"
    assert shop("exec", "two", "-c", "tools", "--", "sh", "-c", "echo err >&2").stderr.startswith("err\n")
    assert shop("exec", "two", "-c", "tools", "--", "sh", "-c", "exit 7").status == 7
    assert shop("exec", "-i", "two", "-c", "tools", "--", "tr", "a-z", "A-Z", text="typed").stdout == "TYPED"
    missing = shop("exec", "two", "-c", "nothing", "--", "true")
    assert missing.status == 1
    assert "container nothing is not valid for pod two" in missing.stderr
    assert 'pods "none" not found' in shop("exec", "none", "--", "true").stderr


def test_exec_passes_much_in_both_directions(shop: Kubectl) -> None:
    text = "0123456789abcdef" * 65536
    assert shop("exec", "-i", "two", "-c", "tools", "--", "cat", text=text).stdout == text


def test_exec_on_a_terminal(shop: Kubectl) -> None:
    shown = shop.on_terminal(
        "exec", "-it", "two", "-c", "tools", "--", "sh", typed=["test -t 0 && echo term''inal", "exit 3"]
    )
    assert "terminal" in shown.splitlines()


def test_logs(kubectl: Kubectl) -> None:
    containers = (shell("echo one; sleep infinity", name="a"), shell("echo two; sleep infinity", name="b"))
    kubectl.apply(pod("talk", *containers, terminationGracePeriodSeconds=0)).output  # noqa: B018
    kubectl.wait("condition=Ready", "pod/talk")
    assert kubectl("logs", "talk", "-c", "b").output == "two"
    unnamed = kubectl("logs", "talk")
    assert unnamed.output == "one" if unnamed.status == 0 else "choose one of: [a b]" in unnamed.stderr
    assert sorted(kubectl("logs", "talk", "--all-containers").output.splitlines()) == ["one", "two"]
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z two", kubectl("logs", "talk", "-c", "b", "--timestamps").output)
    assert kubectl("logs", "talk", "-c", "b", "--tail=0").output == ""


def test_logs_are_followed(kubectl: Kubectl) -> None:
    kubectl.apply(pod("count", shell(COUNTING), terminationGracePeriodSeconds=0)).output  # noqa: B018
    kubectl.wait("condition=Ready", "pod/count")
    with kubectl.running("logs", "-f", "count") as following:
        assert lines(following, 3) == ["line 1", "line 2", "line 3"]
        kubectl("delete", "pod", "count").output  # noqa: B018
        assert following.wait(20) == 0


def test_logs_of_the_run_before(kubectl: Kubectl) -> None:
    once = "[ -e /tmp/second ] && echo second && sleep infinity; touch /tmp/second; echo first; exit 1"
    kubectl.apply(pod("again", shell(once), terminationGracePeriodSeconds=0)).output  # noqa: B018
    kubectl.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/again") if _newer(kubectl) else None
    for _ in range(100):
        if kubectl("logs", "again").stdout == "second\n":
            break
    assert kubectl("logs", "again").output == "second"
    assert kubectl("logs", "again", "--previous").output == "first"


def _newer(kubectl: Kubectl) -> bool:
    """Whether this kubectl can wait for a JSON path (1.23)."""
    version = json.loads(kubectl("version", "--client", "-o", "json").output)["clientVersion"]
    return int(version["minor"].rstrip("+")) >= 23


def test_attach(kubectl: Kubectl) -> None:
    reading = shell("while read line; do echo got $line; done; sleep infinity", stdin=True)
    kubectl.apply(pod("attached", reading, terminationGracePeriodSeconds=0)).output  # noqa: B018
    kubectl.wait("condition=Ready", "pod/attached")
    with kubectl.running("attach", "-i", "attached") as attached:
        assert attached.stdin is not None
        attached.stdin.write("hello\n")
        attached.stdin.flush()
        shown = lines(attached, 1)
        while "got hello" not in shown[-1]:
            shown += lines(attached, 1)


@pytest.mark.parametrize("target", ["pod/two", "service/two"])
def test_port_forward(shop: Kubectl, target: str) -> None:
    shop("label", "pod", "two", "app=two").output  # noqa: B018
    shop("expose", "pod", "two", "--port=80", "--target-port=8080").output  # noqa: B018
    port = "8080" if target.startswith("pod") else "80"
    with shop.running("port-forward", target, f":{port}") as forwarding:
        told = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> 8080", lines(forwarding, 1)[0])
        assert told is not None
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{told[1]}/hostname", timeout=20) as page:
                assert page.read() == b"two"


def test_proxy(shop: Kubectl) -> None:
    shop("label", "pod", "two", "app=two").output  # noqa: B018
    shop("expose", "pod", "two", "--port=80", "--target-port=8080").output  # noqa: B018
    with shop.running("proxy", "--port=0") as proxying:
        address = lines(proxying, 1)[0].rpartition(" ")[2]
        space = f"http://{address}/api/v1/namespaces/{shop.namespace}"
        with urllib.request.urlopen(f"{space}/pods", timeout=20) as listed:
            assert json.load(listed)["kind"] == "PodList"
        for path in ("pods/two:8080/proxy/hostname", "services/two:80/proxy/hostname", "services/two/proxy/hostname"):
            with urllib.request.urlopen(f"{space}/{path}", timeout=20) as page:
                assert page.read() == b"two"


def test_cp(shop: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content\n")
    shop("cp", str(tmp_path / "file"), "two:/tmp/copied", "-c", "tools").output  # noqa: B018
    assert shop("exec", "two", "-c", "tools", "--", "cat", "/tmp/copied").stdout == "content\n"
    shop("cp", "two:tmp/copied", str(tmp_path / "back"), "-c", "tools").output  # noqa: B018
    assert (tmp_path / "back").read_text() == "content\n"
