"""Whatever is sent to the API: no 5xx, no traceback, no lost object.

The ordinary tests send a few hundred requests; MININETES_FUZZ_REQUESTS=20000 sends so many.
"""

from __future__ import annotations

import os
from http.client import HTTPException
from pathlib import Path
from typing import Any

import api_fuzz
from api_fuzz import NAMESPACE, Client, Request
from https import serving_https
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servers import TIMEOUT_S

REQUESTS = int(os.environ.get("MININETES_FUZZ_REQUESTS", "300"))
PER_EXAMPLE = 20

_REFUSED_504 = "Too large resource version"
"""The one answer of the 500s that is Kubernetes' own: a revision that is not there yet."""


def _problem(client: Client, request: Request) -> Any:
    """What is wrong with the answer to a request; None if it is as it should be."""
    try:
        status, answer = client.send(request)
    except (OSError, HTTPException, ValueError) as error:
        return repr(error)
    needs_kubelet = status == 503 and request.path.partition("?")[0].endswith("/log")  # and there is none here
    too_large = status == 504 and answer["message"].startswith(_REFUSED_504)
    if status >= 500 and not needs_kubelet and not too_large:
        return status, answer
    if status >= 400 and request.method != "HEAD" and (answer or {}).get("kind") != "Status":
        return status, answer
    return None


def test_no_request_breaks_the_server(tmp_path: Path) -> None:
    with serving_https(tmp_path) as server:
        client = Client(server)
        broken: list[tuple[Request, Any]] = []
        server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})

        @settings(
            max_examples=max(1, REQUESTS // PER_EXAMPLE), deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        )  # fmt: skip
        @given(st.data())
        def send(data: st.DataObject) -> None:
            for _ in range(PER_EXAMPLE):
                request = api_fuzz.request(data.draw)
                # Not raised here: the server remembers what was sent, so nothing could be replayed or made smaller.
                if not broken and (problem := _problem(client, request)):
                    broken.append((request, problem))

        send()
        assert broken == []
        assert client.lost() == []
        assert client.model.present, "nothing of what was sent was right"
        server.process.process.terminate()
        _, said = server.process.process.communicate(timeout=TIMEOUT_S)
        assert "Traceback" not in said, said
