"""Where the schema says something is wrong: the place as it is in the data, whatever its keys look like."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.reading import schema


def config_map(data: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


@pytest.mark.parametrize("key", ["404", "1", "07", "+7", "", "a/b", "~", "a~1b", "\ud800"])
def test_a_key_is_told_as_it_is(key: str) -> None:
    (finding,) = schema.findings(config_map({"right": "x", key: 5}))
    assert finding.path == ("data", key)
    assert finding.message == 'found 5 (integer); must be a string: write "5"'


def test_keys_that_are_the_same_number_are_two_places() -> None:
    found = schema.findings(config_map({"7": 1, "07": 2}))
    assert sorted(finding.path for finding in found) == [("data", "07"), ("data", "7")]


def test_what_is_nested_deep_is_told_like_the_rest() -> None:
    nested: Any = "x"
    for _ in range(300):
        nested = [nested]
    (finding,) = schema.findings(config_map({"deep": nested}))
    assert finding.path == ("data", "deep")
