"""Objects as JSON text. Writing and reading it is a good part of what the processes of a testbed do, hence orjson."""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(text: str | bytes) -> Any:
    """What `dumps` wrote. Raises ValueError."""
    return orjson.loads(text)


def dumps(obj: object) -> str:
    """Compact. What orjson refuses (integers of more than 64 bits, lone surrogates) goes the slow way."""
    try:
        return orjson.dumps(obj).decode()
    except orjson.JSONEncodeError:
        return json.dumps(obj, separators=(",", ":"))
