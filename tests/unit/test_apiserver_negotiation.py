"""Which form of an answer a client accepts, and how it is sent."""

from __future__ import annotations

import gzip
import json

import pytest
from starlette.requests import Request

from cluster.apiserver import negotiation, responses
from cluster.apiserver.negotiation import LIST_KINDS, Form
from cluster.registry import errors
from cluster.registry.errors import StatusError

TABLE = Form("application/json", "Table", "meta.k8s.io", "v1")
KUBECTL = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


def request(query: str = "", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": raw})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form()),
        ("*/*", Form()),
        ("application/*;q=0.5", Form()),
        ("application/yaml", Form("application/yaml")),
        ("application/json;q=0.1, application/yaml;q=0.9", Form("application/yaml")),
        ("application/vnd.kubernetes.protobuf,application/json", Form()),
        ("application/json;q=oops, application/yaml", Form("application/yaml")),
        (KUBECTL, TABLE),
        ("application/json;as=Table;v=v7;g=meta.k8s.io,application/json", Form()),
    ],
)
def test_the_best_form_that_there_is(accept: str, form: Form) -> None:
    assert negotiation.choose(accept, LIST_KINDS) == form


@pytest.mark.parametrize("accept", ["application/vnd.kubernetes.protobuf", "text/html", "application/json;q=0"])
def test_no_form_that_there_is(accept: str) -> None:
    with pytest.raises(StatusError) as refused:
        negotiation.choose(accept)
    assert refused.value.code == 406
    assert "application/json" in refused.value.message


def test_the_content_type_names_the_conversion() -> None:
    assert TABLE.content_type == "application/json;as=Table;v=v1;g=meta.k8s.io"


def test_an_answer_in_yaml() -> None:
    response = responses.answer(request(), {"kind": "Pod", "on": ["x", "yes"]}, Form("application/yaml"))
    assert bytes(response.body) == b"kind: Pod\n'on':\n- x\n- 'yes'\n"


@pytest.mark.parametrize(
    ("query", "agent", "pretty"),
    [
        ("", "kubectl/v1", False),
        ("pretty=true", "kubectl/v1", True),
        ("", "curl/8", True),
        ("pretty=0", "curl/8", False),
    ],
)
def test_pretty_for_who_asks_and_who_looks(query: str, agent: str, pretty: bool) -> None:
    response = responses.answer(request(query, user_agent=agent), {"a": 1})
    assert (b"\n  " in bytes(response.body)) == pretty


@pytest.mark.parametrize(
    ("coding", "length", "compressed"),
    [("gzip", 200_000, True), ("gzip;q=0", 200_000, False), ("br", 200_000, False), ("gzip", 100, False)],
)
def test_what_is_long_is_compressed_for_who_can_read_it(coding: str, length: int, compressed: bool) -> None:
    response = responses.answer(request(accept_encoding=coding), {"a": "x" * length})
    assert response.headers.get("content-encoding") == ("gzip" if compressed else None)
    body = bytes(response.body)
    assert len(json.loads(gzip.decompress(body) if compressed else body)["a"]) == length


def test_warnings_are_headers_of_their_own_sent_once() -> None:
    response = responses.answer(request(), {}, warnings=["no effect", 'say "x"\nand', "no effect"])
    assert response.headers.getlist("warning") == ['299 - "no effect"', '299 - "say \\"x\\" and"']


def test_a_refusal_is_a_status_whatever_the_client_accepts() -> None:
    response = responses.refusal(request(accept="text/html"), errors.too_many_requests("slow down", 7))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert json.loads(bytes(response.body))["reason"] == "TooManyRequests"
