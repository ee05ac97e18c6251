"""What the processes of a testbed use: the children of one process, as /proc shows them."""

from __future__ import annotations

import os
import subprocess

import pytest

from cluster import service_processes
from cluster.service_processes import CONTAINERS, children, name_of


def every_process(_parent: int) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


@pytest.mark.parametrize("without_list", [False, True], ids=["listed by the kernel", "looked for"])
def test_children(monkeypatch: pytest.MonkeyPatch, without_list: bool) -> None:
    if without_list:
        monkeypatch.setattr(service_processes, "_candidates", every_process)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(b"it runs\n")
            child.stdin.flush()
            child.stdout.readline()
            found = children(os.getpid())
            assert found[child.pid].name == CONTAINERS
            assert found[child.pid].memory_bytes > 0
            assert found[child.pid].cpu_s < 1
            assert os.getpid() not in found
        finally:
            child.kill()


@pytest.mark.parametrize(("command", "name"), [
    ("ovs-vswitchd\0unix:/run/db.sock\0", "ovs-vswitchd"),
    ("/work/.venv/bin/python -m controller.app", "controller"),
    ("python3 -m cluster.server --seed x", "api"),
    ("python3\0/nginx-ingress-controller\0--class=nginx\0", "ingress"),
    ("sleep\0infinity\0", "containers"),
    ("", "containers"),
])  # fmt: skip
def test_names(command: str, name: str) -> None:
    assert name_of(command) == name
