"""Objects by the thousand, by the API that the testbed's own parts use: no TLS, no authentication in what is measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cluster.client import Client
from experiments.testbed import Testbed

Object = dict[str, Any]
_AT_A_TIME = 1000


def client_of(testbed: Testbed) -> Client:
    return Client(kubeconfig_of(testbed).with_name("api.sock"))


def kubeconfig_of(testbed: Testbed) -> Path:
    return Path(testbed.output("kubeconfig").strip())


def apply(client: Client, objects: Iterable[Object]) -> int:
    """In transactions of a thousand; the last one's revision."""
    batch: list[Object] = []
    revision = 0
    for each in objects:
        batch.append(each)
        if len(batch) == _AT_A_TIME:
            revision, batch = client.apply(batch), []
    return client.apply(batch) if batch else revision
