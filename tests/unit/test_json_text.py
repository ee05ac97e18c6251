"""Objects as JSON text."""

from __future__ import annotations

import json

import pytest

from cluster.json_text import dumps


def test_it_is_compact() -> None:
    assert dumps({"a": [1, {"b": "é"}]}) == '{"a":[1,{"b":"é"}]}'


@pytest.mark.parametrize("value", [2**70, -(2**70), {"a": [2**64]}, "\ud800", {"\udfff": 1}])
def test_what_orjson_refuses_is_written_too(value: object) -> None:
    assert json.loads(dumps(value)) == value
