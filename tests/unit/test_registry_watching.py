"""Watches: where they begin, what they see through a selector, when they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_site import Site, config_map, refused, seen, site

from cluster.loops import ControlPlane
from cluster.objects import Object
from cluster.registry import Registry
from cluster.registry.requests import Query
from cluster.registry.watching import INITIAL_EVENTS_END
from cluster.store import Store


@pytest.fixture
def api(tmp_path: Path) -> Site:
    return site(tmp_path)


def labelled(name: str, **labels: str) -> Object:
    given = config_map(name)
    given["metadata"]["labels"] = labels
    return given


def since(api: Site, **query: str) -> Query:
    return Query(resource_version=str(api.registry.revision), **query)  # type: ignore[arg-type]


def test_without_a_revision_everything_comes_first(api: Site) -> None:
    api.create(config_map("a"))
    watch = api.watch("ConfigMap")
    api.create(config_map("b"))
    assert seen(watch)[-2:] == [("ADDED", "a"), ("ADDED", "b")]
    assert seen(watch) == []


def test_from_a_revision_only_what_is_newer(api: Site) -> None:
    api.create(config_map("a"))
    query = since(api)
    api.create(config_map("b"))
    api.patch("ConfigMap", "a", "merge", {"data": {"x": "1"}})
    api.delete("ConfigMap", "b")
    assert seen(api.watch("ConfigMap", query)) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


def test_events_carry_the_revision_of_their_change(api: Site) -> None:
    watch = api.watch("ConfigMap", since(api))
    api.create(config_map("a"))
    api.delete("ConfigMap", "a")
    added, deleted = watch.poll()
    assert int(added.obj["metadata"]["resourceVersion"]) == added.revision
    assert int(deleted.obj["metadata"]["resourceVersion"]) == deleted.revision == added.revision + 1


def test_objects_enter_and_leave_a_selector(api: Site) -> None:
    watch = api.watch("ConfigMap", since(api, label_selector="on=yes"))
    api.create(labelled("a", on="no"))
    api.patch("ConfigMap", "a", "merge", {"metadata": {"labels": {"on": "yes"}}})
    api.patch("ConfigMap", "a", "merge", {"data": {"x": "1"}})
    api.patch("ConfigMap", "a", "merge", {"metadata": {"labels": {"on": "no"}}})
    api.delete("ConfigMap", "a")
    entered, changed, left = watch.poll()
    assert [event.type for event in (entered, changed, left)] == ["ADDED", "MODIFIED", "DELETED"]
    assert left.obj["metadata"]["labels"] == {"on": "yes"}
    assert int(left.obj["metadata"]["resourceVersion"]) == left.revision


def test_transitions_are_seen_after_a_restart_too(tmp_path: Path) -> None:
    api = site(tmp_path)
    api.create(labelled("a", on="yes"))
    query = since(api, label_selector="on=yes")
    api.patch("ConfigMap", "a", "merge", {"metadata": {"labels": {"on": "no"}}})
    api.plane.store.close()
    plane = ControlPlane(Store(tmp_path / "store.sqlite"), api.plane.cluster)
    again = Site(plane, Registry(plane))
    assert seen(again.watch("ConfigMap", query)) == [("DELETED", "a")]


def test_a_namespace_sees_its_own(api: Site) -> None:
    watch = api.watch("ConfigMap", since(api))
    api.create(config_map("a"), namespace="kube-system")
    assert seen(watch) == []


def test_bookmarks_are_for_who_asks(api: Site) -> None:
    assert api.watch("ConfigMap").bookmark() is None
    watch = api.watch("ConfigMap", Query(allow_watch_bookmarks=True))
    watch.poll()
    bookmark = watch.bookmark()
    assert bookmark is not None
    assert bookmark.obj["metadata"]["resourceVersion"] == str(api.registry.revision)
    assert (bookmark.obj["kind"], bookmark.obj["apiVersion"]) == ("ConfigMap", "v1")


def test_initial_events_end_with_a_bookmark(api: Site) -> None:
    api.create(config_map("a"))
    query = Query(send_initial_events=True, resource_version_match="NotOlderThan", allow_watch_bookmarks=True)
    *objects, end = api.watch("ConfigMap", query).poll()
    assert {event.type for event in objects} == {"ADDED"}
    assert end.type == "BOOKMARK"
    assert end.obj["metadata"]["annotations"] == {INITIAL_EVENTS_END: "true"}
    assert refused(api.watch, "ConfigMap", Query(send_initial_events=True)).code == 422


def test_too_old_a_revision_is_expired(tmp_path: Path) -> None:
    api = site(tmp_path, history_length=10)
    old = since(api)
    behind = api.watch("ConfigMap", old)
    for number in range(20):
        api.create(config_map(f"m{number}"))
    error = refused(api.watch, "ConfigMap", old)
    assert (error.code, error.reason) == (410, "Expired")
    assert error.message.startswith("too old resource version: ")
    (event,) = behind.poll()
    assert (event.type, event.obj["code"]) == ("ERROR", 410)


def test_history_grows_old(tmp_path: Path) -> None:
    now = [1000.0]
    api = site(tmp_path, history_age_s=300.0, clock=lambda: now[0])
    old = since(api)
    api.create(config_map("a"))
    now[0] += 299
    api.create(config_map("b"))
    assert seen(api.watch("ConfigMap", old)) == [("ADDED", "a"), ("ADDED", "b")]
    now[0] += 200
    api.create(config_map("c"))
    assert refused(api.watch, "ConfigMap", old).code == 410
