"""A user without root or sudo has the whole testbed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from manifests import HTTP_PORT, cluster, daemon_set, netexec, pod
from testbeds import Testbed, User, started


@pytest.fixture(scope="module")
def testbed(nobody: User) -> Iterator[Testbed]:
    with started(cluster(), daemon_set("web", netexec()), pod("tools"), user=nobody) as running:
        yield running


def test_it_belongs_to_the_user(testbed: Testbed) -> None:
    owner = os.stat(f"/proc/{testbed.pid}").st_uid
    assert owner != 0
    assert owner == os.stat(testbed.directory).st_uid


def test_its_directory_is_private(testbed: Testbed) -> None:
    assert os.stat(testbed.directory).st_mode & 0o077 == 0


def test_all_pods_are_ready(testbed: Testbed) -> None:
    assert all(pod["ready"] for pod in testbed.status()["pods"]), testbed.status()


def test_everybody_reaches_everybody(testbed: Testbed) -> None:
    done = testbed.mininetes("matrix", "--with-nodes", "--expect-full", "--timeout", "5")
    assert done.status == 0, str(done)


def test_exec_in_a_pod_reaches_another(testbed: Testbed) -> None:
    for web in testbed.pods_of("web"):
        done = testbed.exec("tools", "curl", "-sS", "--max-time", "20", f"http://{web.ips[0]}:{HTTP_PORT}/hostname")
        assert done.output == web.name


def test_the_prompt_works(testbed: Testbed) -> None:
    assert "0% dropped" in testbed.mininetes("cli", text="pingall\n").output


def test_others_do_not_see_it(testbed: Testbed, nobody: User) -> None:
    if not nobody.prefix:
        pytest.skip("there is no other user here")
    listed = json.loads(User("root").mininetes("list", "-o", "json").output)
    assert testbed.name not in [entry["name"] for entry in listed]


def test_down_ends_it(nobody: User) -> None:
    with started(cluster(), user=nobody) as running:
        nobody.mininetes("down", running.name).output  # noqa: B018
        assert running.name not in nobody.mininetes("list").output
