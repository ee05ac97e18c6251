"""A testbed leaves the host as it was: its interfaces, namespaces, switches, mounts and processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from manifests import cluster, daemon_set, netexec, pod
from testbeds import Testbed, User, started

from topo.waiting import wait_until

MARK = "MININETES_E2E_MARK"
GONE_S = 2.0
"""How long after kill -9 of the top process anything may be left."""


@dataclass(frozen=True)
class Host:
    """What a testbed could leave behind outside of its processes."""

    links: str
    network_namespaces: str
    bridges: str
    mounts: str


def host() -> Host:
    return Host(
        links=output("ip", "-o", "link"),
        network_namespaces=output("ip", "netns", "list"),
        bridges=output("ovs-vsctl", "--timeout=5", "list-br"),
        mounts=Path("/proc/self/mounts").read_text(),
    )


def output(*argv: str) -> str:
    """What a command says; of one that is not there or fails (no switch on the host), that it does."""
    if shutil.which(argv[0]) is None:
        return "none"
    done = subprocess.run(argv, capture_output=True, text=True)
    return f"{done.returncode} {done.stdout}"


def pid_namespace(pid: int | str) -> str | None:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return None


def has_ended(pid: str) -> bool:
    """Gone, or only its exit status is left for the host's init to take, which does that when it likes."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def processes_in(namespace: str) -> list[str]:
    pids = [pid for pid in os.listdir("/proc") if pid.isdigit() and pid_namespace(pid) == namespace]
    return [pid for pid in pids if not has_ended(pid)]


def marked_processes(mark: str) -> list[str]:
    """The processes that inherited this test's mark. Other people's processes come and go as they like."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def marked(user: User) -> tuple[User, str]:
    """The same user, its testbeds' processes recognisable."""
    mark = f"{os.getpid()}-{user.name.replace(' ', '-')}"
    return replace(user, environment={**user.environment, MARK: mark}), mark


SPEC = (cluster(), daemon_set("web", netexec()), pod("tools"))


@dataclass(frozen=True)
class Seen:
    """The host before two testbeds of one spec, and the testbeds."""

    before: Host
    first: Testbed
    second: Testbed
    mark: str


@pytest.fixture(scope="module")
def two(user: User) -> Iterator[Seen]:
    owner, mark = marked(user)
    before = host()
    with started(*SPEC, user=owner) as first, started(*SPEC, user=owner) as second:
        yield Seen(before, first, second, mark)


def test_two_testbeds_of_one_spec_work_side_by_side(two: Seen) -> None:
    for testbed in (two.first, two.second):
        done = testbed.mininetes("matrix", "--with-nodes", "--expect-full", "--timeout", "5")
        assert done.status == 0, str(done)


def test_two_testbeds_of_one_spec_have_the_same_addresses(two: Seen) -> None:
    addresses = [{pod.name: pod.ips for pod in each.pods().values()} for each in (two.first, two.second)]
    assert addresses[0] == addresses[1]


def test_the_host_is_the_same_while_they_run(two: Seen) -> None:
    assert host() == two.before


def test_all_their_processes_are_in_their_own_trees(two: Seen) -> None:
    own = {pid_namespace(testbed.pid) for testbed in (two.first, two.second)}
    assert len(own) == 2
    assert pid_namespace("self") not in own
    strays = [pid for pid in marked_processes(two.mark) if pid_namespace(pid) not in own]
    assert strays == [], subprocess.run(["ps", "-fp", *strays], capture_output=True, text=True).stdout


def test_nothing_is_left_after_down(user: User) -> None:
    owner, mark = marked(user)
    before, ours = host(), set(marked_processes(mark))
    with started(*SPEC, user=owner) as testbed:
        namespace = pid_namespace(testbed.pid)
        assert namespace is not None
        owner.mininetes("down", testbed.name).output  # noqa: B018
        assert processes_in(namespace) == []
        assert set(marked_processes(mark)) <= ours
        assert host() == before
        assert not testbed.directory.exists()


def test_nothing_is_left_after_the_top_process_is_killed(user: User) -> None:
    owner, mark = marked(user)
    before, ours = host(), set(marked_processes(mark))
    with started(*SPEC, user=owner) as testbed:
        pid = testbed.pid
        namespace = pid_namespace(pid)
        assert namespace is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not processes_in(namespace), GONE_S, f"the end of {processes_in(namespace)}")
        assert set(marked_processes(mark)) <= ours
        assert host() == before


def test_a_killed_testbed_is_not_listed_and_its_name_is_free(user: User) -> None:
    with started(cluster(), user=user) as testbed:
        os.kill(testbed.pid, signal.SIGKILL)
        done = user.mininetes("up", "-q", "--name", testbed.name)
        assert done.status == 0, str(done)
        assert testbed.name in user.mininetes("list").output


def test_clean_forgets_what_a_killed_testbed_kept(user: User) -> None:
    with started(cluster(), user=user) as testbed:
        os.kill(testbed.pid, signal.SIGKILL)
        done = user.mininetes("clean")
        assert str(testbed.directory) in done.stderr
        assert not testbed.directory.exists()
