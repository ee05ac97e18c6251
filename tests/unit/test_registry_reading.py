"""Lists: selectors, pages, revisions of the past."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import samples
from api_site import Site, config_map, refused, site

from cluster.registry.requests import Query

MINE = "mine in (yes)"


@pytest.fixture
def api(tmp_path: Path) -> Site:
    one = site(tmp_path)
    for name in "cabde":
        given = config_map(name)
        given["metadata"]["labels"] = {"mine": "yes", "letter": name}
        one.create(given)
    return one


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("mine=yes", "abcde"),
        ("letter=a", "a"),
        ("letter==a", "a"),
        ("mine=yes,letter!=a", "bcde"),
        ("mine,letter notin (a,b)", "cde"),
        ("letter in (a, b ,x)", "ab"),
        ("mine=yes,!letter", ""),
        ("!mine,letter=a", ""),
        ("letter", "abcde"),
        ("letter=", ""),
    ],
)
def test_labels_select(api: Site, selector: str, names: str) -> None:
    assert api.names("ConfigMap", Query(label_selector=selector)) == list(names)


@pytest.mark.parametrize("selector", ["a b", "=x", "a in", "a in (b", "a,,b", "a=b,", "a==b=c", "-a", "a=-", "a>x", "(a)"])
def test_broken_label_selectors_are_refused(api: Site, selector: str) -> None:
    error = refused(api.list, "ConfigMap", Query(label_selector=selector))
    assert (error.code, error.reason) == (400, "BadRequest")
    assert error.message.startswith("unable to parse requirement")


def test_fields_select(api: Site) -> None:
    assert api.names("ConfigMap", Query(field_selector="metadata.name=b")) == ["b"]
    assert api.names("ConfigMap", Query(label_selector=MINE, field_selector="metadata.name!=b")) == list("acde")
    api.create(samples.pod("one", nodeName="worker"))
    api.create(samples.pod("two"))
    assert api.names("Pod", Query(field_selector="spec.nodeName=worker")) == ["one"]
    assert api.names("Pod", Query(field_selector="status.phase=Pending,spec.nodeName=")) == ["two"]


def test_fields_that_a_kind_does_not_have_are_refused(api: Site) -> None:
    error = refused(api.list, "ConfigMap", Query(field_selector="data.x=1"))
    assert error.message == "field label not supported: data.x"


def test_pages_are_of_one_revision(api: Site) -> None:
    first = api.list("ConfigMap", Query(label_selector=MINE, limit=2))
    api.delete("ConfigMap", "c")
    api.create(config_map("cc"))
    changed = api.get("ConfigMap", "d")
    api.update({**changed, "data": {"new": "yes"}})
    second = api.list("ConfigMap", Query(label_selector=MINE, limit=2, continue_token=first.continue_token))
    third = api.list("ConfigMap", Query(label_selector=MINE, limit=2, continue_token=second.continue_token))
    pages = [[obj["metadata"]["name"] for obj in page.items] for page in (first, second, third)]
    assert pages == [["a", "b"], ["c", "d"], ["e"]]
    assert third.continue_token == ""
    assert {page.resource_version for page in (first, second, third)} == {first.resource_version}
    assert second.items[1]["data"] == {}


def test_what_is_left_is_counted_where_nothing_is_selected(api: Site) -> None:
    listing = api.list("ConfigMap", Query(limit=2))
    assert listing.remaining_item_count == len(api.names("ConfigMap")) - 2
    assert api.list("ConfigMap", Query(label_selector=MINE, limit=2)).remaining_item_count is None


def test_a_page_of_a_forgotten_revision_has_expired(tmp_path: Path) -> None:
    api = site(tmp_path, history_length=10)
    for name in "ab":
        api.create(config_map(name))
    token = api.list("ConfigMap", Query(limit=1)).continue_token
    for number in range(20):
        api.create(config_map(f"more-{number}"))
    error = refused(api.list, "ConfigMap", Query(limit=1, continue_token=token))
    assert (error.code, error.reason) == (410, "Expired")
    assert error.message.startswith("The provided continue parameter is too old")


@pytest.mark.parametrize("token", ["x", "????", base64.b64encode(json.dumps({"v": "other"}).encode()).decode(), "bnVsbA"])
def test_a_broken_token_is_refused(api: Site, token: str) -> None:
    assert refused(api.list, "ConfigMap", Query(continue_token=token)).code == 400


def test_a_list_of_an_exact_revision_is_the_state_of_then(api: Site) -> None:
    then = str(api.registry.revision)
    api.delete("ConfigMap", "a")
    exact = Query(label_selector=MINE, resource_version=then, resource_version_match="Exact")
    assert api.names("ConfigMap", exact) == list("abcde")
    assert api.names("ConfigMap", Query(label_selector=MINE, resource_version=then)) == list("bcde")


def test_a_revision_of_the_future_is_too_large(api: Site) -> None:
    error = refused(api.list, "ConfigMap", Query(resource_version="999999"))
    assert (error.code, error.reason) == (504, "Timeout")
    assert refused(api.list, "ConfigMap", Query(resource_version="x")).code == 400


@pytest.mark.parametrize(
    "query",
    [
        Query(resource_version_match="Exact"),
        Query(resource_version_match="Exact", resource_version="0"),
        Query(resource_version_match="Never", resource_version="1"),
        Query(resource_version_match="Exact", resource_version="1", continue_token="x"),
    ],
)
def test_matches_that_make_no_sense_are_invalid(api: Site, query: Query) -> None:
    assert refused(api.list, "ConfigMap", query).code == 422


def test_a_list_names_its_kind(api: Site) -> None:
    shown = api.list("Deployment").to_json()
    assert (shown["kind"], shown["apiVersion"], shown["items"]) == ("DeploymentList", "apps/v1", [])
