"""PID 1 of a sandbox: builds its file trees, keeps its services running, starts and reaps container processes.

It stays small and does nothing that can block, because when it ends the testbed ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cluster.run_directory import RUNTIME_SOCKET
from topo import forked, limits, linux, namespaces, netlink, rootfs, services
from topo.runtime import Processes, encode
from topo.sandbox import LOCK

_RESTART_PAUSES_S = (0.0, 0.1, 0.5, 1.0, 5.0)
"""How long a service that died waits for its next start; from the back again after it ran for a while."""
_STEADY_S = 10.0
_AGENT_TIMEOUT_S = 1.0
"""An agent that does not read for so long is let go; it is told everything when it connects again."""
_POLL_S = 0.005
"""How often to look whether what a service needs is there. Only while one waits."""


@dataclass(slots=True)
class _Running:
    service: services.Service
    pid: int | None = None
    started_at: float = 0.0
    deaths: int = 0
    not_before: float = 0.0


class Init:
    """The loop. One per sandbox."""

    def __init__(self, run: Path, api_fd: int, *mapped_fds: int) -> None:
        self._run = run
        self._services = [_Running(service) for service in services.all_services(api_fd, mapped_fds)]
        self._environment = services.environment()
        self._selector = selectors.DefaultSelector()
        self._processes = Processes(self._selector)
        self._agents: dict[socket.socket, bytearray] = {}

    def serve_forever(self) -> NoReturn:
        wakeup_read, wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(wakeup_read, selectors.EVENT_READ, lambda: os.read(wakeup_read, 4096))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._run / RUNTIME_SOCKET))
        listener.listen()
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        while True:
            for key, _ in self._selector.select(self._start_services()):
                # One that was ready may have been let go of by the one before it.
                if key.fd in self._selector.get_map():
                    key.data()
            self._reap()

    def _start_services(self) -> float | None:
        """Start what can be started; the seconds until the next look, None = until something happens."""
        now = time.monotonic()
        waits: list[float] = []
        for running in self._services:
            if running.pid is not None:
                continue
            if now < running.not_before:
                waits.append(running.not_before - now)
            elif all(os.path.exists(path) for path in running.service.needs):
                self._start(running, now)
            else:
                waits.append(_POLL_S)
        return min(waits, default=None)

    def _start(self, running: _Running, now: float) -> None:
        service = running.service
        pid = os.fork()
        if pid == 0:
            try:
                log = self._run / "logs" / f"{service.name}.log"
                fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                os.dup2(fd, 1)
                os.dup2(fd, 2)
                limits.restore()
                if service.before is not None:
                    service.before()
                if service.module:
                    forked.run_module(service.argv[0], service.argv[1:], self._environment, service.inherits)
                for inherited in service.inherits:
                    os.set_inheritable(inherited, True)
                os.execvpe(service.argv[0], service.argv, self._environment)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(127)
        running.pid, running.started_at = pid, now

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            self._processes.ending(ended.si_pid)
            pid, status = os.waitpid(ended.si_pid, 0)
            event = self._processes.reaped(pid, status)
            if event is not None:
                self._tell(event)
            for running in self._services:
                if running.pid == pid:
                    self._died(running, status)

    def _died(self, running: _Running, status: int) -> None:
        now = time.monotonic()
        running.pid = None
        running.deaths = 0 if now - running.started_at > _STEADY_S else running.deaths + 1
        running.not_before = now + _RESTART_PAUSES_S[min(running.deaths, len(_RESTART_PAUSES_S) - 1)]
        code = os.waitstatus_to_exitcode(status)
        print(f"{running.service.name} ended ({code}); starting it again", file=sys.stderr, flush=True)

    def _accept(self, listener: socket.socket) -> None:
        agent, _ = listener.accept()
        agent.settimeout(_AGENT_TIMEOUT_S)
        self._agents[agent] = bytearray()
        self._selector.register(agent, selectors.EVENT_READ, lambda: self._read(agent))
        self._send(agent, encode(self._processes.state()))

    def _read(self, agent: socket.socket) -> None:
        data = agent.recv(1 << 16) if agent in self._agents else b""
        if not data:
            self._drop(agent)
            return
        buffer = self._agents[agent]
        buffer += data
        *lines, rest = bytes(buffer).split(b"\n")
        self._agents[agent] = bytearray(rest)
        for line in lines:
            request = json.loads(line)
            if request["op"] == "attach":
                self._attach(agent, request["id"])
                continue
            answer = self._processes.handle(request)
            if answer is not None:
                self._tell(answer)

    def _attach(self, agent: socket.socket, id: str) -> None:
        fd = self._processes.input_of(id)
        answer = encode({"event": "attached", "id": id, "input": fd is not None})
        if fd is None:
            self._send(agent, answer)
            return
        try:
            socket.send_fds(agent, [answer], [fd])
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self._drop(agent)
        finally:
            os.close(fd)

    def _tell(self, event: dict[str, object]) -> None:
        for agent in list(self._agents):
            self._send(agent, encode(event))

    def _send(self, agent: socket.socket, data: bytes) -> None:
        try:
            agent.sendall(data)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self._drop(agent)

    def _drop(self, agent: socket.socket) -> None:
        if self._agents.pop(agent, None) is not None:
            self._selector.unregister(agent)
            agent.close()


def main(run: Path, api_fd: int, *mapped_fds: int) -> NoReturn:
    """Be PID 1, in a fresh child. `run`: the run directory (the host's path); `api_fd`: the API's listening socket;
    `mapped_fds`: the sockets of the cluster's port mappings."""
    forked.become(f"mininetes init {run}", keep=[api_fd, *mapped_fds])
    rootfs.build(str(run))
    (Path(rootfs.RUN) / "logs").mkdir(exist_ok=True)
    # Not before: a file that is open for writing keeps its mount from becoming read-only.
    lock = os.open(f"{rootfs.RUN}/{LOCK}", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    linux.sethostname("mininetes")
    # The switches' ends of all cables live in this namespace; addresses of their own would only make noise.
    namespaces.set_sysctls([("ipv6/conf/default/addr_gen_mode", str(netlink.IN6_ADDR_GEN_MODE_NONE))])
    namespaces.raise_interface(namespaces.LOOPBACK, None)
    # Three descriptors for every container process.
    limits.raise_open_files()
    Init(Path(rootfs.RUN), api_fd, *mapped_fds).serve_forever()
