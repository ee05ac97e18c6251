"""Refusals read as kubectl's users know them."""

from __future__ import annotations

from cluster import resources
from cluster.registry import errors
from cluster.registry.errors import Cause

PODS = resources.find("", "v1", "pods")
DEPLOYMENTS = resources.find("apps", "v1", "deployments")


def test_not_found_names_the_plural_and_the_group() -> None:
    assert DEPLOYMENTS is not None
    error = errors.not_found(DEPLOYMENTS, "web")
    assert error.status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.apps "web" not found',
        "reason": "NotFound",
        "details": {"name": "web", "group": "apps", "kind": "deployments"},
        "code": 404,
    }


def test_invalid_names_the_kind_and_every_cause_once() -> None:
    assert PODS is not None
    causes = [Cause("FieldValueRequired", "Required value", "spec.containers")] * 2
    error = errors.invalid(PODS, "web", causes)
    assert error.message == 'Pod "web" is invalid: spec.containers: Required value'
    assert error.code == 422
    more = errors.invalid(PODS, "web", [*causes, Cause("FieldValueInvalid", 'Invalid value: "": no', "spec.hostname")])
    assert more.message == (
        'Pod "web" is invalid: [spec.containers: Required value, spec.hostname: Invalid value: "": no]'
    )


def test_too_many_requests_says_when_to_come_back() -> None:
    assert errors.too_many_requests("wait", 10).retry_after_s == 10
    assert errors.bad_request("no").retry_after_s is None
