"""Generated names."""

from __future__ import annotations

import re

from cluster.names import ALPHABET, generated, template_hash


def test_a_name_depends_on_its_seed_only() -> None:
    assert generated("web-", 1, set()) == generated("web-", 1, set()) != generated("web-", 2, set())
    assert re.fullmatch(f"web-[{ALPHABET}]{{5}}", generated("web-", 1, set()))


def test_a_taken_name_is_not_given_again() -> None:
    first = generated("web-", 1, set())
    assert generated("web-", 1, {first}) not in ("", first)


def test_a_name_is_a_dns_label() -> None:
    assert len(generated("x" * 100, 1, set())) == 63


def test_the_hash_does_not_depend_on_the_order_of_fields() -> None:
    assert template_hash({"a": 1, "b": 2}) == template_hash({"b": 2, "a": 1}) != template_hash({"a": 1, "b": 3})
