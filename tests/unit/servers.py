"""A real API server process on a socket of its own, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import samples

from cluster.client import Client
from cluster.objects import Object

TIMEOUT_S = 20


class ServerProcess:
    """`python -m cluster.server` in `run`, seeded with a small cluster."""

    def __init__(
        self, run: Path, objects: Iterable[Object] = (), fd: int | None = None, tls_fd: int | None = None
    ) -> None:
        self._seed = run / "seed.json"
        self._seed.write_text(json.dumps({"cluster": samples.cluster_document(), "objects": list(objects)}))
        self._run = run
        handed_in = {"--fd": fd, "--tls-fd": tls_fd}
        self._options = [word for option, fd in handed_in.items() if fd is not None for word in (option, str(fd))]
        self._pass_fds = tuple(fd for fd in handed_in.values() if fd is not None)
        self.socket = run / "api.sock"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cluster.server", "--seed", str(self._seed), *self._options],
            env={**os.environ, "MININETES_RUN": str(self._run)},
            pass_fds=self._pass_fds,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def restart(self) -> None:
        self.kill()
        self.start()

    def client(self) -> Client:
        return Client(self.socket, patience_s=TIMEOUT_S)

    def empty(self) -> None:
        """Delete the cluster's own objects, so that all pods and Services are the test's."""
        self.client().delete("Deployment", "kube-system", "coredns")
        self.client().delete("Service", "kube-system", "kube-dns")
        self.end_terminating()

    def end_terminating(self) -> None:
        """Say, as the agent does, that the pods that are told to end have ended."""
        pods = [pod["metadata"] for pod in self.client().objects(["Pod"])[1] if "deletionTimestamp" in pod["metadata"]]
        self.client().post_removed([{field: pod[field] for field in ("namespace", "name", "uid")} for pod in pods])


@contextmanager
def serving(run: Path, objects: Iterable[Object] = ()) -> Iterator[ServerProcess]:
    server = ServerProcess(run, objects)
    try:
        yield server
    finally:
        server.kill()
