"""Objects as JSON text. Writing it is a good part of what the processes of a testbed do, hence orjson."""

from __future__ import annotations

import json

import orjson


def dumps(obj: object) -> str:
    """Compact. What orjson refuses (integers of more than 64 bits, lone surrogates) goes the slow way."""
    try:
        return orjson.dumps(obj).decode()
    except orjson.JSONEncodeError:
        return json.dumps(obj, separators=(",", ":"))
