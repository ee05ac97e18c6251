"""The Kubernetes API as a pod reaches it: by its service account's token and the variables of the Service kubernetes."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_REQUEST_TIMEOUT_S = 30.0
_WATCH_S = 300
"""How long one watch lasts at most. The server ends it, and the next one goes on where it was."""
_WATCH_TIMEOUT_S = _WATCH_S + 15.0

Object = dict[str, Any]
BROKEN = (OSError, http.client.HTTPException, json.JSONDecodeError)
"""What a connection raises when the server goes away under it, or is not there."""


class ApiError(Exception):
    """The server refused; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"{status}: {message}")


@dataclass(frozen=True, slots=True)
class KubeApi:
    """Every request is a connection of its own."""

    host: str
    port: int
    token: str
    tls: ssl.SSLContext | None

    def list(self, path: str) -> tuple[list[Object], str]:
        """The objects of a collection ("/api/v1/services"), and its resourceVersion. Raises ApiError, BROKEN."""
        answer = self._request("GET", path)
        kind = str(answer["kind"]).removesuffix("List")
        objects = [{**item, "kind": kind, "apiVersion": answer["apiVersion"]} for item in answer.get("items") or ()]
        return objects, answer["metadata"]["resourceVersion"]

    def watch(self, path: str, version: str) -> Iterator[tuple[str, Object]]:
        """Event types and objects after that version, until the server ends it. Raises ApiError, BROKEN."""
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": _WATCH_S}
        connection = self._connection(_WATCH_TIMEOUT_S)
        try:
            connection.request("GET", f"{path}?{urlencode(query)}", headers=self._headers())
            response = connection.getresponse()
            if response.status != 200:
                raise ApiError(response.status, response.read().decode(errors="replace"))
            while line := response.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code", 500), event["object"].get("message", ""))
                yield event["type"], event["object"]
        finally:
            connection.close()

    def merge(self, path: str, change: Mapping[str, Any]) -> None:
        """A JSON merge patch. Raises ApiError, BROKEN."""
        self._request("PATCH", path, json.dumps(change), {"Content-Type": "application/merge-patch+json"})

    def _request(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        connection = self._connection(_REQUEST_TIMEOUT_S)
        try:
            connection.request(method, path, body, {**self._headers(), **(headers or {})})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise ApiError(response.status, content.decode(errors="replace"))
        return json.loads(content)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        if self.tls is None:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout_s)
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout_s, context=self.tls)


def of_this_pod() -> KubeApi:
    """Raises KeyError or FileNotFoundError outside of a pod that has a token."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    return KubeApi(host, port, (ACCOUNT / "token").read_text().strip(), context)
