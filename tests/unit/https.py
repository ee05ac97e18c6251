"""An API server that answers over TLS, and a client of it, for tests."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

from servers import TIMEOUT_S, ServerProcess

from cluster.objects import Object
from topo.waiting import wait_until

KUBECTL_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Https:
    """`run` is the server's run directory, `port` where it answers."""

    run: Path
    port: int
    process: ServerProcess

    @property
    def token(self) -> str:
        return (self.run / "pki" / "admin.token").read_text()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.run / "pki" / "ca.crt"))

    def open(
        self, method: str, path: str, body: Any = None, context: ssl.SSLContext | None = None, **headers: str
    ) -> HTTPResponse:
        """A request as the administrator, if nothing else is said. `headers` by name with _ for -."""
        given = {"Authorization": f"Bearer {self.token}"} if context is None else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT_S, context=context or self.context())
        content = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        if content is not None:
            given.setdefault("content-type", "application/json")
        connection.request(method, path, content, given)
        return connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        response = self.open(method, path, body, **options)
        names = {name.lower() for name, _ in response.getheaders()}
        headers = {name: ", ".join(response.headers.get_all(name, ())) for name in names}
        return Answer(response.status, headers, response.read())

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of an answer that must be 200."""
        answer = self.ask("GET", path, **headers)
        assert answer.status == 200, answer
        return answer.json


@contextmanager
def serving_https(run: Path, objects: Iterable[Object] = ()) -> Iterator[Https]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        process = ServerProcess(run, objects, tls_fd=listener.fileno())
        try:
            wait_until((run / "kubeconfig").exists, TIMEOUT_S, "the server to answer over TLS")
            yield Https(run, listener.getsockname()[1], process)
        finally:
            process.kill()
