"""One testbed = one set of Linux namespaces: make it, find it, enter it, end it (namespaces(7)).

A testbed's *run directory* on the host holds its seed, store, sockets and logs, and `init.pid`: the process that
is PID 1 inside. Everything lives in namespaces whose last reference is that process, so when it dies, however it
dies, the kernel tears everything down. A lock held by that process, not the number in a file, says that the
testbed is alive: the number might be somebody else's by now.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from cluster.problems import MachineError, NoTestbedError
from cluster.run_directory import API_SOCKET, KUBECONFIG, NAME_VARIABLE
from topo import forked, linux
from topo.exit_codes import exit_code
from topo.waiting import Timeout, wait_until

LOCK, PID_FILE = "lock", "init.pid"
START_TIMEOUT_S = 10.0
DOWN_TIMEOUT_S = 30.0


def home() -> Path:
    """The directory of all testbeds' run directories of this user."""
    if os.geteuid() == 0:
        return Path("/run/mininetes")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "mininetes" if runtime else Path(f"/tmp/mininetes-{os.geteuid()}")


@dataclass(frozen=True, slots=True)
class Testbed:
    """A testbed by name, running or not."""

    __test__ = False

    name: str

    @property
    def directory(self) -> Path:
        return home() / self.name

    @property
    def api_socket(self) -> Path:
        return self.directory / API_SOCKET

    @property
    def kubeconfig(self) -> Path:
        return self.directory / KUBECONFIG

    @property
    def pid(self) -> int:
        """PID 1 of the sandbox, as the host numbers it."""
        return int((self.directory / PID_FILE).read_text())

    @property
    def alive(self) -> bool:
        try:
            with open(self.directory / LOCK) as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            pass
        return False

    def remove(self) -> None:
        """Forget a testbed that is not running: its run directory and all that is in it."""
        shutil.rmtree(self.directory)


def testbeds() -> list[Testbed]:
    """All testbeds of this user that have a run directory, by name."""
    return [Testbed(path.name) for path in sorted(home().iterdir())] if home().exists() else []


def find(name: str | None) -> Testbed:
    """The running testbed of that name, or the only one. Raises NoTestbedError."""
    running = [testbed for testbed in testbeds() if testbed.alive]
    if name is not None:
        running = [testbed for testbed in running if testbed.name == name]
    if len(running) == 1:
        return running[0]
    if running:
        names = ", ".join(testbed.name for testbed in running)
        raise NoTestbedError(f"{len(running)} testbeds are running ({names}); say which one with --name")
    raise NoTestbedError(f"no testbed{f' named {name!r}' if name else ''} is running; start one with: mininetes up")


def create(name: str) -> Testbed:
    """A fresh run directory for a testbed to be started. Raises NoTestbedError if that name runs already."""
    testbed = Testbed(name)
    if testbed.alive:
        raise NoTestbedError(f"testbed {name!r} is running already; choose another --name, or: mininetes down {name}")
    if testbed.directory.exists():
        testbed.remove()
    testbed.directory.mkdir(parents=True, mode=0o700)
    return testbed


class First(Protocol):
    """What PID 1 does: with its run directory, and the descriptors of the API's listening socket and of the others."""

    def __call__(self, run: Path, api_fd: int, /, *others: int) -> NoReturn: ...


def start(testbed: Testbed, log: Path, listeners: Sequence[socket.socket], first: First) -> None:
    """Start PID 1 of the sandbox, detached from the caller, its messages in `log`. Returns when it holds the lock.

    `listeners` are sockets in the host's network: where the API server will answer, and those of port mappings. PID 1
    goes on with the caller's interpreter, whose threads and other descriptors it does not have.

    Raises MachineError where the kernel does not let this user make namespaces.
    """
    forked.prepare()
    report_read, report_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(report_read)
        # Now, since who runs a testbed decides where it is, and in a user namespace everybody looks like root.
        directory = testbed.directory
        _detach(testbed, log, report_write)
        os.close(report_write)
        _be_first(directory, [listener.fileno() for listener in listeners], first)
    os.close(report_write)
    compile_services()  # while the namespaces are made
    os.waitpid(child, 0)
    with os.fdopen(report_read) as report:
        message = report.read()
    if message:
        raise MachineError(message)
    wait_until(lambda: testbed.alive or _ended(testbed), START_TIMEOUT_S, "the sandbox's first process")
    if not testbed.alive:
        raise MachineError(f"the sandbox could not be set up: {log.read_text().strip()}")


def compile_services() -> None:
    """Bring the bytecode of what will run inside up to date where this user may write it: in there nobody can, and
    every start would compile it again (0.2 s; looking takes 6 ms)."""
    here = Path(__file__).parents[1]
    for package in ("cluster", "topo", "controller"):
        compileall.compile_dir(here / package, quiet=2)


def _ended(testbed: Testbed) -> bool:
    try:
        os.close(os.pidfd_open(testbed.pid))
    except ProcessLookupError:
        return True
    return False


def _detach(testbed: Testbed, log: Path, report: int) -> None:
    """In a child: leave the caller's session, make the namespaces, fork PID 1, which alone returns from here."""
    try:
        os.setsid()
        # Both of the host's mounts: a file that is open for writing keeps its mount from becoming read-only.
        log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        pid_fd = os.open(testbed.directory / PID_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        _make_namespaces()
        pid = os.fork()
        if pid:
            os.write(pid_fd, str(pid).encode())
            os._exit(0)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log_fd, 1), (log_fd, 2)):
            os.dup2(source, target)
        os.environ[NAME_VARIABLE] = testbed.name
    except OSError as error:
        os.write(report, _remedy(error).encode())
        os._exit(1)


def _be_first(directory: Path, fds: Sequence[int], first: First) -> NoReturn:
    try:
        first(directory, *fds)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _make_namespaces() -> None:
    uid, gid = os.geteuid(), os.getegid()
    flags = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWPID | linux.CLONE_NEWNET
    if uid == 0:
        linux.unshare(flags)
        return
    linux.unshare(flags | linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _remedy(error: OSError) -> str:
    hints = {
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        "/proc/sys/user/max_user_namespaces": ("0", "sudo sysctl user.max_user_namespaces=10000"),
    }
    for path, (bad, command) in hints.items():
        if Path(path).exists() and Path(path).read_text().strip() == bad:
            return f"this machine lets only root make namespaces ({path} is {bad}); run: {command}, or use sudo"
    return f"cannot make the sandbox's namespaces: {error}; use sudo"


def stop(testbed: Testbed) -> None:
    """End a running testbed and wait until the kernel has taken everything down. Then forget it."""
    if testbed.alive:
        pid_fd = os.pidfd_open(testbed.pid)
        # Alive still, so the number that was opened is its own and nobody else's.
        if testbed.alive:
            signal.pidfd_send_signal(pid_fd, signal.SIGKILL)
            # PID 1 of a namespace is gone only when every process in there is (pid_namespaces(7)).
            ended = select.poll()
            ended.register(pid_fd, select.POLLIN)
            if not ended.poll(DOWN_TIMEOUT_S * 1000):
                raise Timeout(f"waited {DOWN_TIMEOUT_S:g} s for testbed {testbed.name} to end")
        os.close(pid_fd)
    testbed.remove()


def join(testbed: Testbed) -> None:
    """Make the calling process one of the sandbox's agents (its children will be in its PID namespace).

    The caller must be single-threaded. Raises NoTestbedError when the testbed ends meanwhile.
    """
    kinds = {"user": linux.CLONE_NEWUSER, "mnt": linux.CLONE_NEWNS, "net": linux.CLONE_NEWNET}
    kinds |= {"uts": linux.CLONE_NEWUTS, "ipc": linux.CLONE_NEWIPC, "pid": linux.CLONE_NEWPID}
    if os.geteuid() == 0:
        del kinds["user"]
    try:
        fds = {kind: os.open(f"/proc/{testbed.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds}
    except FileNotFoundError as error:
        raise NoTestbedError(f"testbed {testbed.name!r} has just ended") from error
    directory = os.getcwd()
    for kind, flag in kinds.items():
        linux.setns(fds[kind], flag)
        os.close(fds[kind])
    os.chdir(directory)


def run_inside(testbed: Testbed, action: Callable[[], int]) -> int:
    """Run `action` in a child inside the sandbox; its result, or 128 + signal, is the answer.

    Signals of the terminal reach the child by themselves; SIGTERM is passed on.
    """
    join(testbed)
    child = os.fork()
    if child == 0:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        os._exit(_result(action))
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    return exit_code(status)


def _result(action: Callable[[], int]) -> int:
    try:
        return action()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
