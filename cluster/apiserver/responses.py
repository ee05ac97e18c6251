"""Objects as HTTP answers: JSON or YAML, pretty or not, compressed where that pays, with warnings as headers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from cluster.apiserver import negotiation
from cluster.apiserver.negotiation import PLAIN, Form
from cluster.json_text import dumps
from cluster.reading import documents
from cluster.registry.errors import StatusError

GZIP_THRESHOLD_BYTES = 128 * 1024
"""As the real server: smaller answers cost more time to compress than to send."""
_GZIP_LEVEL = 1
_HUMAN_AGENTS = ("curl/", "Wget/", "Mozilla/")
_MAX_WARNING_LENGTH = 4096


def answer(request: Request, obj: Any, form: Form = PLAIN, code: int = 200, warnings: Sequence[str] = ()) -> Response:
    """`obj` as the client wants to have it. Equal warnings are sent once."""
    if form.media_type == negotiation.YAML:
        body = documents.dump(obj).encode()
    elif _is_pretty(request):
        body = json.dumps(obj, indent=2).encode() + b"\n"
    else:
        body = dumps(obj).encode() + b"\n"
    return content(request, body, form.content_type, code, warnings)


def content(
    request: Request, body: bytes, content_type: str, code: int = 200, warnings: Sequence[str] = ()
) -> Response:
    """A body that is encoded already."""
    headers = {"content-type": content_type, "cache-control": "no-cache, private", "vary": "Accept, Accept-Encoding"}
    if len(body) >= GZIP_THRESHOLD_BYTES and takes_gzip(request.headers):
        body = gzip.compress(body, _GZIP_LEVEL)
        headers["content-encoding"] = "gzip"
    response = Response(body, code, headers)
    for line in warning_headers(warnings):
        response.headers.append("warning", line)
    return response


def refusal(request: Request, error: StatusError) -> Response:
    """A Status. What the client accepts matters less than that it learns why: an unknown form becomes JSON."""
    try:
        form = negotiation.form_for(request)
    except StatusError:
        form = PLAIN
    response = answer(request, error.status, form, error.code)
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(error.retry_after_s)
    if error.code == 401:
        response.headers["www-authenticate"] = 'Bearer realm="kubernetes"'
    return response


def warning_headers(warnings: Iterable[str]) -> Iterable[str]:
    """RFC 7234, section 5.5: code 299, no agent, the text quoted."""
    for text in dict.fromkeys(warnings):
        printable = "".join(char if char.isprintable() and ord(char) < 256 else " " for char in text)
        escaped = printable[:_MAX_WARNING_LENGTH].replace("\\", "\\\\").replace('"', '\\"')
        yield f'299 - "{escaped}"'


def takes_gzip(headers: Headers) -> bool:
    codings = negotiation.parse(headers.get("accept-encoding", ""))
    return any(coding.name in ("gzip", "*") and coding.quality > 0 for coding in codings)


def _is_pretty(request: Request) -> bool:
    """`?pretty`, or somebody who seems to be looking."""
    asked = request.query_params.get("pretty")
    if asked is not None:
        return asked not in ("0", "false", "False")
    return request.headers.get("user-agent", "").startswith(_HUMAN_AGENTS)
