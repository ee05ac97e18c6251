"""The API as a client of another room sees it: HTTPS with the credentials of a kubeconfig, on one connection that is kept."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.waiting import wait_until
from experiments.testbed import CommandError

_HOST = "127.0.0.1"
_START_TIMEOUT_S = 30.0
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API is, whom to trust, and who one is."""

    host: str
    port: int
    certificate_authority: str
    token: str

    def connection(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cadata=self.certificate_authority)
        return http.client.HTTPSConnection(self.host, self.port, context=context)


def read_access(kubeconfig: Path) -> Access:
    """As the testbed writes it: JSON, with one cluster and one user."""
    config = json.loads(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    address = urlsplit(cluster["server"])
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return Access(str(address.hostname), int(address.port or 443), authority, user["token"])


class ApiClient:
    """One connection. Not for several threads at a time."""

    def __init__(self, access: Access) -> None:
        self._connection = access.connection()
        self._headers = {"Authorization": f"Bearer {access.token}"}

    def send(self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json") -> bytes:
        """The body of the answer. Raises CommandError unless the status is 2xx."""
        headers = self._headers if body is None else {**self._headers, "Content-Type": content_type}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if not 200 <= response.status < 300:
            raise CommandError(f"{method} {path}: {response.status} {answer[:500].decode(errors='replace')}")
        return answer

    def get(self, path: str) -> Any:
        return json.loads(self.send("GET", path))

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True, slots=True)
class LoneServer:
    """An API server without a testbed: what is written is stored and scheduled, and no pod runs."""

    pid: int
    kubeconfig: Path

    @property
    def access(self) -> Access:
        return read_access(self.kubeconfig)

    def memory_bytes(self) -> int:
        """What the process holds resident (VmRSS of proc_pid_status(5))."""
        return parse_resident(Path(f"/proc/{self.pid}/status").read_text())


def parse_resident(status: str) -> int:
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError("the process has no VmRSS")


@contextmanager
def lone_server(run: Path, cluster: dict[str, Any]) -> Iterator[LoneServer]:
    """`python -m cluster.server` on a free port of loopback, with its files in `run`; it ends with the context."""
    (run / "seed.json").write_text(json.dumps({"cluster": cluster, "objects": []}))
    kubeconfig = run / "kubeconfig"
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        listener.listen(_BACKLOG)
        process = subprocess.Popen(
            [sys.executable, "-m", "cluster.server", "--seed", str(run / "seed.json"), "--tls-fd", str(listener.fileno())],
            env={**os.environ, "MININETES_RUN": str(run)},
            pass_fds=[listener.fileno()],
        )  # fmt: skip
    try:
        wait_until(lambda: kubeconfig.exists() or process.poll() is not None, _START_TIMEOUT_S, "the API server")
        if process.poll() is not None:
            raise CommandError(f"the API server ended with status {process.returncode}")
        yield LoneServer(process.pid, kubeconfig)
    finally:
        process.terminate()
        process.wait()
