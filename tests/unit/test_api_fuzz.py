"""Whatever is sent to the API: no 5xx, no traceback, no lost object.

The ordinary tests send a few hundred requests; MININETES_FUZZ_REQUESTS=20000 sends so many.
"""

from __future__ import annotations

import os
from pathlib import Path

import api_fuzz
from api_fuzz import NAMESPACE, Client
from https import serving_https
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import TIMEOUT_S

REQUESTS = int(os.environ.get("MININETES_FUZZ_REQUESTS", "300"))
PER_EXAMPLE = 20

_REFUSED_504 = "Too large resource version"
"""The one answer of the 500s that is Kubernetes' own: a revision that is not there yet."""


def test_no_request_breaks_the_server(tmp_path: Path) -> None:
    with serving_https(tmp_path) as server:
        client = Client(server)
        server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})

        @settings(
            max_examples=max(1, REQUESTS // PER_EXAMPLE), deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(st.data())
        def send(data: st.DataObject) -> None:
            for _ in range(PER_EXAMPLE):
                request = api_fuzz.request(data.draw)
                status, answer = client.send(request)
                expected = status == 504 and answer["message"].startswith(_REFUSED_504)
                assert status < 500 or expected, (request, answer)
                assert status < 400 or request.method == "HEAD" or answer["kind"] == "Status", (request, answer)

        send()
        assert client.lost() == []
        assert client.model.present, "nothing of what was sent was right"
        server.process.process.terminate()
        _, said = server.process.process.communicate(timeout=TIMEOUT_S)
        assert "Traceback" not in said, said
