"""The nginx process: starts, takes over a new configuration without losing a request, ends after its last one."""

from __future__ import annotations

import http.client
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from topo.ingress import certificates
from topo.ingress.nginx_conf import GENERATION_PATH
from topo.ingress.site import Site

_TAKES_OVER_S = 10.0
_POLL_S = 0.005


class NginxError(Exception):
    """nginx refuses a configuration, or has ended."""


class Nginx:
    """`directory` is where everything of it is written. Programs of the machine: nginx, openssl."""

    def __init__(self, directory: Path, status_port: int) -> None:
        self.directory = directory
        self._status_port = status_port
        self._process: subprocess.Popen[bytes] | None = None
        self._ssl = directory / "ssl"
        self._ssl.mkdir(parents=True, exist_ok=True)
        if not (self._ssl / "fake.pem").exists():
            certificates.make_fake(self._ssl / "fake.pem")

    def configure(self, text: str, generation: str, site: Site) -> None:
        """Start with this configuration, or take it over: the new workers take new connections, the old ones end with
        their last request. Returns when only new workers answer. Raises NginxError, and goes on as before."""
        wanted = {certificates.file_name(host.certificate): host.certificate for host in site.hosts if host.certificate}
        for name, certificate in wanted.items():
            if not (self._ssl / name).exists():
                _write(self._ssl / name, certificates.pem(certificate))
        new = self.directory / "new.conf"
        _write(new, text.encode())
        self._test(new)
        new.replace(self.directory / "nginx.conf")
        if self._process is None:
            self._process = subprocess.Popen(self._argv(self.directory / "nginx.conf"))
        else:
            self._process.send_signal(signal.SIGHUP)
        self._wait_for(generation)
        for file in self._ssl.iterdir():
            if file.name not in wanted and file.name != "fake.pem":
                file.unlink()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def quit(self) -> None:
        """End when the last request has been answered."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def _has_one_worker(self) -> bool:
        """Whether the old worker takes no connections any more: it calls itself "… is shutting down" by then, 100 ms
        after the new one has started (ngx_master_process_cycle)."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        if not children.exists():
            return True  # a kernel without CONFIG_PROC_CHILDREN; old workers may then answer for these 100 ms
        titles = [_title(int(child)) for child in children.read_text().split()]
        return titles.count("nginx: worker process") == 1

    def generation(self) -> str:
        """Of the configuration with which a new connection is answered. Raises OSError, HTTPException."""
        connection = http.client.HTTPConnection("127.0.0.1", self._status_port, timeout=1.0)
        try:
            connection.request("GET", GENERATION_PATH, headers={"Connection": "close"})
            return connection.getresponse().read().decode().strip()
        finally:
            connection.close()

    def _argv(self, configuration: Path) -> list[str]:
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin")
        if program is None:
            raise NginxError("the program 'nginx' is not there; run: sudo apt-get install nginx-light")
        return [program, "-p", str(self.directory), "-e", "stderr", "-c", str(configuration)]

    def _test(self, configuration: Path) -> None:
        done = subprocess.run([*self._argv(configuration), "-q", "-t"], capture_output=True, text=True)
        if done.returncode != 0:
            raise NginxError(f"nginx refuses the configuration: {done.stderr.strip()}")

    def _wait_for(self, generation: str) -> None:
        deadline = time.monotonic() + _TAKES_OVER_S
        while time.monotonic() < deadline:
            if not self.is_running():
                raise NginxError("nginx has ended; its reason is above")
            try:
                if self.generation() == generation and self._has_one_worker():
                    return
            except (OSError, http.client.HTTPException):
                pass  # not there yet, or a worker that has just ended
            time.sleep(_POLL_S)
        raise NginxError(f"nginx did not take over its configuration within {_TAKES_OVER_S:g} s")


def open_files_limit() -> int:
    """How many files a worker may open: what this process may, at most 16384."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 16384 if hard == resource.RLIM_INFINITY else min(hard, 16384)


def has_ipv6() -> bool:
    """Whether a socket can be bound to an IPv6 address here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def resolvers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """The name servers of this pod, as nginx wants them."""
    if not path.exists():
        return []
    words = [line.split() for line in path.read_text().splitlines()]
    found = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    return [f"[{address}]" if ":" in address else address for address in found]


def _title(pid: int) -> str:
    """What a process calls itself; nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
