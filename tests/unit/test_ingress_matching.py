"""Which backend a request ends at: the rules of the Ingress API, one row each, asked of a running nginx.

The rows about Exact, Prefix and wildcards with "k8s" are the tables of kubernetes.io, Ingress (Examples, Hostname
wildcards). The cases that are about one host are one configuration, each with a host of its own; every other case is a
configuration of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest
from ingress_site import Object, Site, backends, endpoint_slice, ingress, running, service

PREFIX, EXACT, SPECIFIC = "Prefix", "Exact", "ImplementationSpecific"
REWRITE = {"nginx.ingress.kubernetes.io/rewrite-target": "/$2"}
REGEX = {"nginx.ingress.kubernetes.io/use-regex": "true"}
ADDRESSES = {name: f"127.0.1.{number}" for number, name in enumerate("abcdef", 1)}
"""Of the backends; Service x has no endpoints, and Service y does not exist."""
H = "shop.example"

Paths = tuple[tuple[str, str, str, str], ...]


def one(path_type: str, *paths: str) -> Paths:
    """Paths of one host, the backends a, b, … in turn."""
    return tuple((H, path_type, path, backend) for path, backend in zip(paths, "abcdef", strict=False))


CASES: dict[str, Sequence[Object]] = {
    "k8s prefix /": [ingress("i", *one(PREFIX, "/"))],
    "k8s exact /foo": [ingress("i", *one(EXACT, "/foo"))],
    "k8s exact /foo/": [ingress("i", *one(EXACT, "/foo/"))],
    "k8s prefix /foo": [ingress("i", *one(PREFIX, "/foo"))],
    "k8s prefix /foo/": [ingress("i", *one(PREFIX, "/foo/"))],
    "k8s prefix /aaa/bb": [ingress("i", *one(PREFIX, "/aaa/bb"))],
    "k8s prefix /aaa/bbb": [ingress("i", *one(PREFIX, "/aaa/bbb"))],
    "k8s prefix /aaa/bbb/": [ingress("i", *one(PREFIX, "/aaa/bbb/"))],
    "k8s prefixes / /aaa": [ingress("i", *one(PREFIX, "/", "/aaa"))],
    "k8s prefixes /aaa /aaa/bbb /": [ingress("i", *one(PREFIX, "/aaa", "/aaa/bbb", "/"))],
    "k8s prefix and exact /foo": [ingress("i", (H, PREFIX, "/foo", "a"), (H, EXACT, "/foo", "b"))],
    "exact /": [ingress("i", *one(EXACT, "/"))],
    "exact /foo/ beside prefix /foo": [ingress("i", (H, PREFIX, "/foo", "a"), (H, EXACT, "/foo/", "b"))],
    "specific /foo": [ingress("i", *one(SPECIFIC, "/foo"))],
    "specific /foo/": [ingress("i", *one(SPECIFIC, "/foo/", "/"))],
    "specific without a path": [ingress("i", *one(SPECIFIC, ""))],
    "all three of one path": [
        ingress("i", (H, SPECIFIC, "/foo", "a"), (H, PREFIX, "/foo", "b"), (H, EXACT, "/foo", "c"))
    ],
    "odd paths": [ingress("i", *one(PREFIX, '/a"b', "/a b", "/a.c", "/$x", "/{y};", "/~user"))],
    "wildcard": [ingress("i", ("*.foo.com", PREFIX, "/", "a"))],
    "wildcard beside a host": [ingress("i", ("*.foo.com", PREFIX, "/", "a"), ("bar.foo.com", PREFIX, "/bar", "b"))],
    "two wildcards": [ingress("i", ("*.foo.com", PREFIX, "/", "a"), ("*.bar.foo.com", PREFIX, "/", "b"))],
    "two hosts": [ingress("i", ("one.example", PREFIX, "/", "a"), ("two.example", PREFIX, "/", "b"))],
    "no host": [ingress("i", ("", PREFIX, "/", "a"), (H, PREFIX, "/shop", "b"))],
    "default backend": [ingress("i", (H, PREFIX, "/foo", "a"), default="b")],
    "default backend alone": [ingress("i", default="a"), ingress("j", (H, PREFIX, "/foo", "b"))],
    "own default before the general": [
        ingress("i", default="a"), ingress("j", (H, PREFIX, "/foo", "b"), default="c"),
    ],
    "rule without paths": [ingress("i", (H, PREFIX, "-", ""), default="a")],
    "no endpoints": [ingress("i", (H, PREFIX, "/none", "x"), (H, PREFIX, "/missing", "y"), (H, PREFIX, "/", "a"))],
    "two Ingresses of one host": [
        ingress("i", (H, PREFIX, "/foo", "a"), creationTimestamp="2026-01-02T00:00:00Z"),
        ingress("j", (H, PREFIX, "/foo", "b"), (H, PREFIX, "/bar", "b"), creationTimestamp="2026-01-01T00:00:00Z"),
    ],
    "expressions": [
        ingress("i", (H, SPECIFIC, "/v[0-9]+/items", "a"), (H, SPECIFIC, "/v[0-9]+", "b"), annotations=REGEX),
        ingress("j", (H, PREFIX, "/v1/items/new", "c"), (H, EXACT, "/v2", "d"), (H, PREFIX, "/", "e")),
    ],
    "rewriting beside plain paths": [
        ingress("i", (H, PREFIX, "/api(/|$)(.*)", "a"), annotations=REWRITE),
        ingress("j", (H, PREFIX, "/", "b"), (H, PREFIX, "/api/internal/v1", "c")),
    ],
    "another class": [{**ingress("i", *one(PREFIX, "/")), "spec": {**ingress("i", *one(PREFIX, "/"))["spec"],
                       "ingressClassName": "other"}}],
}  # fmt: skip

TABLE = """
k8s prefix /
    shop.example         /                      a
    shop.example         /any/path?at=all       a
    other.example        /                      404
k8s exact /foo
    shop.example         /foo                   a
    shop.example         /foo?bar               a
    shop.example         /bar                   404
    shop.example         /foo/                  404
    shop.example         /FOO                   404
k8s exact /foo/
    shop.example         /foo                   404
    shop.example         /foo/                  a
    shop.example         /foo/x                 404
k8s prefix /foo
    shop.example         /foo                   a
    shop.example         /foo/                  a
    shop.example         /foo/bar               a
    shop.example         /foobar                404
    shop.example         /Foo                   404
    shop.example         /                      404
    SHOP.example         /foo                   a
    shop.example:80      /foo                   a
k8s prefix /foo/
    shop.example         /foo                   a
    shop.example         /foo/                  a
    shop.example         /foo/x/y               a
    shop.example         /foox                  404
k8s prefix /aaa/bb
    shop.example         /aaa/bbb               404
    shop.example         /aaa/bb                a
k8s prefix /aaa/bbb
    shop.example         /aaa/bbb               a
    shop.example         /aaa/bbb/              a
    shop.example         /aaa/bbb/ccc           a
    shop.example         /aaa/bbbxyz            404
k8s prefix /aaa/bbb/
    shop.example         /aaa/bbb               a
k8s prefixes / /aaa
    shop.example         /aaa/ccc               b
    shop.example         /ccc                   a
    shop.example         /aaab                  a
k8s prefixes /aaa /aaa/bbb /
    shop.example         /aaa/bbb               b
    shop.example         /aaa/bbc               a
    shop.example         /ccc                   c
k8s prefix and exact /foo
    shop.example         /foo                   b
    shop.example         /foo/                  a
exact /
    shop.example         /                      a
    shop.example         /x                     404
exact /foo/ beside prefix /foo
    shop.example         /foo/                  b
    shop.example         /foo                   a
    shop.example         /foo/bar               a
specific /foo
    shop.example         /foo                   a
    shop.example         /foobar                a
    shop.example         /fo                    404
specific /foo/
    shop.example         /foo                   b
    shop.example         /foo/x                 a
specific without a path
    shop.example         /anything              a
all three of one path
    shop.example         /foo                   c
    shop.example         /foo/x                 b
    shop.example         /foobar                a
odd paths
    shop.example         /a%22b/x               a
    shop.example         /a%20b                 b
    shop.example         /abc                   404
    shop.example         /a.c                   c
    shop.example         /$x/1                  d
    shop.example         /{y};                  e
    shop.example         /~user/                f
wildcard
    bar.foo.com          /                      a
    BAR.foo.com          /                      a
    baz.bar.foo.com      /                      404
    foo.com              /                      404
    barfoo.com           /                      404
wildcard beside a host
    bar.foo.com          /bar                   b
    bar.foo.com          /                      404
    baz.foo.com          /bar                   a
two wildcards
    x.bar.foo.com        /                      b
    bar.foo.com          /                      a
two hosts
    one.example          /                      a
    two.example          /                      b
    three.example        /                      404
no host
    anything.example     /x                     a
    127.0.0.1            /                      a
    shop.example         /shop                  b
    shop.example         /x                     404
default backend
    shop.example         /foo                   a
    shop.example         /bar                   b
    other.example        /foo                   b
default backend alone
    shop.example         /foo                   b
    shop.example         /bar                   a
    other.example        /                      a
own default before the general
    shop.example         /bar                   c
    other.example        /                      a
rule without paths
    shop.example         /x                     a
no endpoints
    shop.example         /none                  503
    shop.example         /missing/x             503
    shop.example         /other                 a
two Ingresses of one host
    shop.example         /foo                   b
    shop.example         /bar                   b
expressions
    shop.example         /v12/items/3           a
    shop.example         /v12/other             b
    shop.example         /V12/other             b
    shop.example         /v1/items/new          a
    shop.example         /v2                    d
    shop.example         /vx                    e
rewriting beside plain paths
    shop.example         /api/x                 a
    shop.example         /api                   a
    shop.example         /apis                  b
    shop.example         /api/internal/v1/x     c
another class
    shop.example         /                      404
"""
"""A case, and below it host, path of a request, and where it ends: a backend, or 404, or 503."""


def _rows() -> Iterator[tuple[str, str, str, str]]:
    case = ""
    for line in TABLE.strip().splitlines():
        if not line.startswith(" "):
            case = line
            continue
        host, path, backend = line.split()
        yield case, host, path, backend


ROWS = list(_rows())


@pytest.fixture(scope="module")
def services() -> Iterator[list[Object]]:
    with backends() as port:
        found = [service(name) for name in (*ADDRESSES, "x")]
        yield [*found, *(endpoint_slice(name, port, address, ready=True) for name, address in ADDRESSES.items())]


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(Path(tmp_path_factory.mktemp("nginx"))) as site:
        yield site


def test_the_table_is_large_and_each_case_has_rows() -> None:
    assert len(ROWS) >= 60
    assert [name for name, _ in groupby(row[0] for row in ROWS)] == list(CASES)


def hosts(objects: Sequence[Object]) -> set[str]:
    return {rule.get("host", "") for each in objects for rule in each["spec"]["rules"]}


ONE_HOST = {name: f"case-{number}.example" for number, (name, objects) in enumerate(CASES.items())
            if hosts(objects) == {H} and not any("defaultBackend" in each["spec"] for each in objects)}  # fmt: skip
"""The host that takes the place of H, by case."""


def placed(case: str) -> list[Object]:
    """The Ingresses of a case of ONE_HOST, with names and a host of their own."""
    found: list[Object] = json.loads(json.dumps(CASES[case]).replace(H, ONE_HOST[case]))
    for each in found:
        each["metadata"]["namespace"] = "default"
        each["metadata"]["name"] = f"{each['metadata']['name']}-{ONE_HOST[case]}"
    return found


def asked_for(host: str, instead: str) -> str:
    """The host of a row, with `instead` in the place of H."""
    return host.replace(H, instead).replace("SHOP.example", instead.upper())


def test_cases_of_one_host_share_a_configuration() -> None:
    assert len(ONE_HOST) > 15


@pytest.mark.parametrize("case", CASES)
def test_requests_end_where_the_rules_say(nginx: Site, services: list[Object], case: str) -> None:
    alone = case not in ONE_HOST
    nginx.serve(*services, *(CASES[case] if alone else [each for other in ONE_HOST for each in placed(other)]))
    asked = [row for row in ROWS if row[0] == case]
    names = {address: name for name, address in ADDRESSES.items()}
    found = []
    for _, host, path, _ in asked:
        answer = nginx.ask(host if alone else asked_for(host, ONE_HOST[case]), path).backend
        found.append((case, host, path, names.get(answer, answer)))
    assert found == asked
