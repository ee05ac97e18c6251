"""Claims are read line by line; the later one decides."""

from __future__ import annotations

from cluster.claims import FORM, Pod, deciding, parse, unused

WEB, DB, OTHER = Pod("shop/web-1", {"app": "web"}), Pod("shop/db", {}), Pod("other/web-1", {"app": "web"})


def decided(text: str, source: Pod, target: Pod, table: str = "TCP/80") -> bool | None:
    claims, problems = parse(text.splitlines(), "expect")
    assert problems == []
    claim = deciding(claims, table, source, target)
    return None if claim is None else claim.reaches


def test_the_later_claim_decides() -> None:
    text = "- * > shop/db\n+ shop/* > shop/db"
    assert decided(text, WEB, DB) is True
    assert decided(text, OTHER, DB) is False


def test_nothing_is_claimed_about_other_pairs() -> None:
    assert decided("- * > shop/db", DB, WEB) is None


def test_a_label_names_pods_of_a_namespace() -> None:
    text = "+ shop/app=web > *"
    assert decided(text, WEB, DB) is True
    assert decided(text, OTHER, DB) is None
    assert decided(text, DB, WEB) is None


def test_ports_limit_a_claim() -> None:
    text = "+ * > * TCP/80,UDP/*"
    assert decided(text, WEB, DB, "UDP/53") is True
    assert decided(text, WEB, DB, "TCP/81") is None


def test_lists_globs_and_comments() -> None:
    assert decided("+ other/*, shop/[a-e]b > shop/web-? # why not", DB, WEB) is True


def test_what_cannot_be_read_is_told_with_its_line() -> None:
    _, problems = parse(["+ a/b > c/d", "", "a/b > c/d", "+ a/b c/d", "+ > x", "- x > y z w"], "expect")
    assert [problem.line for problem in problems] == [3, 4, 5, 6]
    assert all(FORM in str(problem) for problem in problems)


def test_claims_about_nobody_are_found() -> None:
    claims, _ = parse(["+ shop/web-1 > shop/db", "- shop/wbe > shop/db", "+ * > shop/db,shop/bd"], "expect")
    assert [claim.line for claim in unused(claims, [WEB, DB])] == [2, 3]
