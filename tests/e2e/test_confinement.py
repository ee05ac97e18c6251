"""No command in a pod or node can change the host, also when root runs the testbed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from manifests import cluster, pod, tools
from testbeds import ROOT, Done, Testbed, User, started

TEXT = "precious\n"
PRIVATE = ("/tmp", "/run", "/var")
"""What is not the host's in a pod, so a sentinel there would show nothing."""
PLACES = (ROOT / "tests", Path.home(), Path("/srv"), Path("/opt"))
"""Where sentinels may be made: the first that is on the host's disk and that the user can enter."""
TARGETS = ("one", "strong", "node/worker", "sandbox")
"""An ordinary pod, a privileged one, a node, and the sandbox itself."""
CHANGES = {
    "overwrite": 'echo changed > "$1/file"',
    "append": 'echo more >> "$1/file"',
    "delete": 'rm -f "$1/file"',
    "create": 'touch "$1/new"',
    "rename": 'mv "$1/file" "$1/other"',
    "link": 'ln "$1/file" "$1/other"',
    "mode": 'chmod 777 "$1/file"',
    "directory": 'rmdir "$1/empty"',
}
ESCAPES = {
    "remount": 'mount -o remount,rw / && echo changed > "$1/file"',
    "remount a bind": 'mount -o remount,bind,rw "$1" && echo changed > "$1/file"',
    "bind": 'mkdir -p /tmp/b && mount --bind "$1" /tmp/b && mount -o remount,bind,rw /tmp/b && echo x > /tmp/b/file',
    "user namespace": 'unshare -Urm sh -c "mount -o remount,bind,rw $1; echo changed > $1/file"',
    "own bind in a user namespace": (
        'mkdir -p /tmp/b && unshare -Urm sh -c "mount --bind $1 /tmp/b && mount -o remount,bind,rw /tmp/b;'
        ' echo x > /tmp/b/file"'
    ),
    "init's root": 'echo changed > "/proc/1/root$1/file"',
    "init's mount namespace": 'nsenter -t 1 -m sh -c "mount -o remount,bind,rw $1; echo changed > $1/file"',
}


def _is_of_the_hosts_disk(place: Path) -> bool:
    return place.is_dir() and os.access(place, os.W_OK) and not str(place).startswith(PRIVATE)


@pytest.fixture(scope="module")
def sentinels(user: User) -> Iterator[Path]:
    """A directory on the host's disk with a file, both belonging to who runs the testbed."""
    places = [place for place in PLACES if _is_of_the_hosts_disk(place) and user.may_enter(place)]
    if not places:
        pytest.skip(f"none of {', '.join(map(str, PLACES))} is on the host's disk and open to us; nowhere to try")
    directory = Path(tempfile.mkdtemp(prefix=".sentinels-", dir=places[0]))
    try:
        (directory / "file").write_text(TEXT)
        (directory / "empty").mkdir()
        for path in (directory, directory / "file", directory / "empty"):
            user.own(path)
        yield directory
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def testbed(user: User) -> Iterator[Testbed]:
    strong = tools(securityContext={"privileged": True, "capabilities": {"add": ["ALL"]}})
    with started(cluster(workers=1), pod("one"), pod("two"), pod("strong", strong), user=user) as running:
        yield running


def attempt(testbed: Testbed, target: str, script: str, sentinels: Path) -> Done:
    return testbed.exec(target, "sh", "-c", script, "sh", str(sentinels))


def assert_untouched(sentinels: Path, done: Done) -> None:
    assert sorted(os.listdir(sentinels)) == ["empty", "file"], str(done)
    assert (sentinels / "file").read_text() == TEXT, str(done)


def test_the_sentinel_can_be_read_in_a_pod(testbed: Testbed, sentinels: Path) -> None:
    assert testbed.exec("one", "cat", str(sentinels / "file")).output == TEXT.strip()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("change", CHANGES)
def test_the_hosts_files_are_read_only(testbed: Testbed, sentinels: Path, target: str, change: str) -> None:
    done = attempt(testbed, target, CHANGES[change], sentinels)
    assert done.status != 0, str(done)
    assert "Read-only file system" in done.stderr, str(done)
    assert_untouched(sentinels, done)


@pytest.mark.parametrize("target", TARGETS[:3])
@pytest.mark.parametrize("escape", ESCAPES)
def test_what_is_read_only_stays_so(testbed: Testbed, sentinels: Path, target: str, escape: str) -> None:
    done = attempt(testbed, target, ESCAPES[escape], sentinels)
    assert done.status != 0, str(done)
    assert_untouched(sentinels, done)


@pytest.mark.parametrize("target", TARGETS[:3])
def test_there_are_no_disks(testbed: Testbed, target: str) -> None:
    done = testbed.exec(target, "find", "/dev", "!", "-type", "d", "!", "-type", "l")
    harmless = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}
    assert set(done.output.split()) == harmless


@pytest.mark.parametrize("target", TARGETS[:3])
@pytest.mark.parametrize("script", ["mknod /tmp/disk b 8 0", "mknod /tmp/memory c 1 1"])
def test_devices_cannot_be_made(testbed: Testbed, target: str, script: str) -> None:
    done = testbed.exec(target, "sh", "-c", script)
    assert done.status != 0, str(done)
    assert "Operation not permitted" in done.stderr, str(done)


@pytest.mark.parametrize("target", TARGETS[:3])
@pytest.mark.parametrize("path", ["/proc/sys/kernel/panic", "/proc/sys/vm/swappiness", "/proc/sysrq-trigger"])
def test_the_kernel_cannot_be_tuned(testbed: Testbed, target: str, path: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"this kernel has no {path}")
    done = testbed.exec(target, "sh", "-c", f"echo 0 > {path}")
    assert done.status != 0, str(done)
    assert any(word in done.stderr for word in ("Read-only", "Permission denied")), str(done)


@pytest.mark.parametrize("directory", PRIVATE)
def test_a_pods_scratch_space_is_its_own(testbed: Testbed, directory: str) -> None:
    testbed.exec("one", "sh", "-c", f"echo mine > {directory}/mark").output  # noqa: B018
    assert testbed.exec("one", "cat", f"{directory}/mark").output == "mine"
    for other in ("two", "node/worker", "sandbox"):
        done = testbed.exec(other, "cat", f"{directory}/mark")
        assert done.status != 0, f"{other} sees it: {done}"
    assert not Path(directory, "mark").exists()


@pytest.mark.parametrize("target", TARGETS[:3])
def test_the_testbeds_control_sockets_are_out_of_sight(testbed: Testbed, target: str) -> None:
    done = testbed.exec(target, "find", "/", "-xdev", "-name", "*.sock", "-path", "*mininetes*")
    assert done.stdout == "", str(done)
    for path in ("/run/mininetes", "/run/openvswitch", "/proc/1/root/run/mininetes", str(testbed.directory)):
        done = testbed.exec(target, "ls", path)
        assert done.status != 0, f"{target} sees {path}: {done}"


@pytest.mark.xfail(strict=True, reason="all pods share one PID namespace: docs/architecture.md, Known gaps")
def test_a_pod_does_not_see_another_pods_files_through_its_processes(testbed: Testbed) -> None:
    testbed.exec("two", "sh", "-c", "echo secret > /tmp/secret").output  # noqa: B018
    done = testbed.exec("one", "sh", "-c", "cat /proc/[0-9]*/root/tmp/secret")
    assert "secret" not in done.stdout.split(), str(done)
