"""The `mininetes` command as the end-to-end tests use it: run it, look into a testbed, take it down."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from manifests import Object, as_documents

from cluster.client import Client
from topo import container_log
from topo.waiting import Timeout, wait_until

ROOT = Path(__file__).resolve().parents[2]
COMMAND_TIMEOUT_S = 120.0
PATIENCE_S = 60.0
"""How long to wait for what happens by itself. Long, since the machine may be busy."""
NOBODY = 65534
_MACHINE_LACKS_SOMETHING = 3
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    argv: Sequence[str]
    status: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"{' '.join(self.argv)}\nstatus {self.status}\n{self.stdout}\n{self.stderr}"

    @property
    def output(self) -> str:
        """Standard output of a command that must have succeeded."""
        assert self.status == 0, str(self)
        return self.stdout.strip()


@dataclass(frozen=True, slots=True)
class User:
    """Who runs a testbed: what to put before a command, and what to add to its environment."""

    name: str
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The directory of this user's testbeds."""
        runtime = self.environment.get("XDG_RUNTIME_DIR")
        if runtime is None and os.geteuid() == 0:
            return Path("/run/mininetes")
        runtime = runtime or os.environ.get("XDG_RUNTIME_DIR")
        return Path(runtime) / "mininetes" if runtime else Path(f"/tmp/mininetes-{os.geteuid()}")

    def may_enter(self, directory: Path) -> bool:
        """Whether this user can reach what is in a directory."""
        return subprocess.run([*self.prefix, "test", "-x", str(directory)]).returncode == 0

    def own(self, path: Path) -> None:
        """Make a file or directory this user's."""
        if self.prefix:
            os.chown(path, NOBODY, NOBODY)

    def mininetes(self, *arguments: str, text: str | None = None, timeout_s: float = COMMAND_TIMEOUT_S) -> Done:
        argv = self.argv(*arguments)
        done = subprocess.run(
            argv, input=text, stdin=None if text is not None else subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout_s, env=self._environment(), cwd=ROOT,
        )  # fmt: skip
        return Done(("mininetes", *arguments), done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A `mininetes` command in the background, ended at the end."""
        process = subprocess.Popen(
            self.argv(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self._environment(), cwd=ROOT,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=COMMAND_TIMEOUT_S)

    def argv(self, *arguments: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "cluster.commands", *arguments]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **self.environment}


CALLER = User("root" if os.geteuid() == 0 else "ordinary user")


@contextlib.contextmanager
def ordinary_user() -> Iterator[User]:
    """A user without any right of root's: the caller, or, if that is root, nobody, with directories of its own."""
    if os.geteuid() != 0:
        yield CALLER
        return
    if shutil.which("setpriv") is None:
        pytest.skip("becoming an ordinary user takes setpriv (package util-linux)")
    prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all", "--")
    with tempfile.TemporaryDirectory(prefix="mininetes-user-") as directory:
        os.chown(directory, NOBODY, NOBODY)
        user = User("ordinary user", prefix, {"HOME": directory, "XDG_RUNTIME_DIR": directory})
        readable = subprocess.run([*prefix, sys.executable, "-c", "import cluster"], capture_output=True, cwd=ROOT)
        if readable.returncode != 0:
            pytest.skip(f"an ordinary user may not read {ROOT}")
        yield user


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as `status -o json` tells it."""

    namespace: str
    name: str
    node: str
    ips: Sequence[str]
    phase: str
    ready: bool

    @property
    def target(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Testbed:
    """A testbed by its name and owner. `started` is the `up` that started it."""

    __test__ = False

    name: str
    user: User
    started: Done

    @property
    def directory(self) -> Path:
        return self.user.home / self.name

    @property
    def client(self) -> Client:
        return Client(self.directory / "api.sock")

    @property
    def pid(self) -> int:
        """The top process, as the host numbers it."""
        listed = json.loads(self.user.mininetes("list", "-o", "json").output)
        return next(int(entry["pid"]) for entry in listed if entry["name"] == self.name)

    def mininetes(self, command: str, *arguments: str, **options: Any) -> Done:
        return self.user.mininetes(command, "--name", self.name, *arguments, **options)

    def exec(self, target: str, *command: str, container: str | None = None) -> Done:
        return self.mininetes("exec", *(("-c", container) if container else ()), target, "--", *command)

    def running(self, target: str, *command: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        """A command in a target, in the background."""
        return self.user.running("exec", "--name", self.name, target, "--", *command)

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.mininetes("status", "-o", "json").output)
        return told

    def pods(self, namespace: str = "default") -> dict[str, Pod]:
        """The pods of a namespace by name."""
        return {each["name"]: Pod(**each) for each in self.status()["pods"] if each["namespace"] == namespace}

    def pods_of(self, owner: str) -> list[Pod]:
        """The pods of a DaemonSet or Deployment."""
        return [pod for name, pod in self.pods().items() if name.startswith(f"{owner}-")]

    def pod_object(self, name: str) -> Object:
        _, found = self.client.objects(["Pod"])
        return next(obj for obj in found if obj["metadata"]["name"] == name)

    def container_status(self, pod: str) -> dict[str, Any]:
        """The status of a pod's first container; empty before there is one."""
        statuses = self.pod_object(pod).get("status", {}).get("containerStatuses") or [{}]
        told: dict[str, Any] = statuses[0]
        return told

    def log(self, pod: str, container: str = "tools", run: int = 0) -> str:
        """What a container wrote in its run with that number."""
        uid = self.pod_object(pod)["metadata"]["uid"]
        path = Path(container_log.path(self.directory, uid, container, run))
        return container_log.text(path.read_bytes()).decode() if path.exists() else ""

    def service_log(self, service: str) -> str:
        return (self.directory / "logs" / f"{service}.log").read_text()

    def process_ids(self, pattern: str) -> list[int]:
        """The sandbox's processes whose command line matches, by the sandbox's numbers."""
        found = self.exec("sandbox", "pgrep", "-f", pattern).stdout.split()
        return [int(word) for word in found]

    def kill(self, pattern: str) -> int:
        """kill -9 the one process whose command line matches, when there is one; returns its number."""
        found: list[int] = []

        def one() -> bool:
            found[:] = self.process_ids(pattern)
            return len(found) == 1

        wait_until(one, PATIENCE_S, f"one process {pattern}")
        self.exec("sandbox", "kill", "-9", str(found[0])).output  # noqa: B018
        return found[0]

    def wait_for_restart(self, pattern: str, old: int) -> None:
        def restarted() -> bool:
            return any(number != old for number in self.process_ids(pattern))

        wait_until(restarted, PATIENCE_S, f"another process {pattern} than {old}")

    def wait_for_pod(self, name: str, condition: Any, what: str) -> None:
        """Wait until `condition` holds for the Pod object; a failure shows its status."""
        try:
            wait_until(lambda: bool(condition(self.pod_object(name))), PATIENCE_S, f"pod {name}: {what}")
        except Timeout as timeout:
            status = json.dumps(self.pod_object(name).get("status"), indent=1)
            raise AssertionError(f"{timeout}; its status:\n{status}") from None


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def able(user: User) -> bool:
    """Whether this machine lets the user have a testbed, found out without asking the product."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    if any(shutil.which(program, path=path) is None for program in ("ovs-vswitchd", "ovsdb-server", "ip", "tc")):
        return False
    own_user = ["--user", "--map-root-user"] if user.prefix or os.geteuid() != 0 else []
    make = [*user.prefix, "unshare", *own_user, "--net", "--mount", "--pid", "--fork", "--", "true"]
    return subprocess.run(make, capture_output=True, cwd="/").returncode == 0


@contextlib.contextmanager
def started(
    *objects: Object, files: Sequence[Path] = (), user: User = CALLER, expect: int = 0, timeout_s: float = PATIENCE_S
) -> Iterator[Testbed]:
    """A testbed of these objects and files, taken down at the end whatever happens. `expect`: the status of `up`."""
    name = f"e2e-{os.getpid()}-{next(_numbers)}"
    with tempfile.TemporaryDirectory(prefix="mininetes-spec-") as directory:
        os.chmod(directory, 0o755)
        paths = list(files)
        if objects:
            paths.append(Path(directory) / "spec.yaml")
            paths[-1].write_text(as_documents(objects))
        arguments = [word for path in paths for word in ("-f", str(path))]
        try:
            done = user.mininetes(
                "up", *arguments, "--name", name, "--timeout", f"{timeout_s:g}", timeout_s=timeout_s + COMMAND_TIMEOUT_S
            )
            if done.status == _MACHINE_LACKS_SOMETHING != expect and not able(user):
                pytest.skip(f"this machine cannot: {done.stderr.strip()}")
            assert done.status == expect, str(done)
            yield Testbed(name, user, done)
        finally:
            if (user.home / name).exists():
                user.mininetes("down", name)
                user.mininetes("clean")


def unshare_prefix() -> list[str]:
    """What runs a command in a network namespace of its own, as whoever runs the tests."""
    return ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net", "--"]
