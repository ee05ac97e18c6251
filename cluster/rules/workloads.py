"""Workloads: the selector selects the template's pods, and the template restarts as its kind needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.reading.findings import Finding, Path, any_of, found
from cluster.rules.metadata import EXISTENCE_OPERATORS, SET_OPERATORS, selector_findings
from cluster.selectors import matches, matches_labels
from cluster.templates import template_path, value_at

_SELECTING = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet")
_TEMPLATE_IS_OPTIONAL_IN_SCHEMA = ("ReplicaSet", "ReplicationController")
_RESTART_POLICIES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*_SELECTING, "ReplicationController"), ("Always",)),
    **dict.fromkeys(("Job", "CronJob"), ("OnFailure", "Never")),
}
_DEFAULT_RESTART_POLICY = "Always"
_COUNTS = (("spec", "replicas"), ("spec", "completions"), ("spec", "parallelism"), ("spec", "minReadySeconds"))
_CRON_FIELDS = 5


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    kind = str(data.get("kind"))
    if kind not in _RESTART_POLICIES:
        return
    spec: Mapping[str, Any] = data.get("spec", {})
    if kind in _TEMPLATE_IS_OPTIONAL_IN_SCHEMA and "template" not in spec:
        yield Finding(("spec", "template"), "found nothing; must be set")
    if kind in _SELECTING and "selector" in spec:
        yield from _selector_findings(kind, spec)
    if kind == "ReplicationController":
        yield from _equality_selector_findings(spec)
    yield from _restart_findings(data, kind)
    for path in _COUNTS:
        count = value_at(data, path)
        if count is not None and count < 0:
            yield Finding(path, found(count, "must be greater than or equal to 0"))
    schedule = value_at(data, ("spec", "schedule"))
    if kind == "CronJob" and schedule is not None and not _is_schedule(schedule):
        yield Finding(("spec", "schedule"), found(schedule, "must be five fields in cron format, or @hourly, @daily …"))


def _selector_findings(kind: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    path: Path = ("spec", "selector")
    selector = spec["selector"]
    wrong = list(selector_findings(selector, path))
    yield from wrong
    if not any(selector.get(part) for part in ("matchLabels", "matchExpressions")):
        yield Finding(path, f"found an empty map; empty selector is invalid for {kind.lower()}")
    elif not wrong and _complete(selector) and "template" in spec:
        labels = spec["template"].get("metadata", {}).get("labels", {})
        if not matches(selector, labels):
            yield Finding(("spec", "template", "metadata", "labels"), _mismatch(labels))


def _complete(selector: Mapping[str, Any]) -> bool:
    """The schema requires key and operator; where one was missing there is nothing to match."""
    return all(
        "key" in requirement and requirement.get("operator") in SET_OPERATORS + EXISTENCE_OPERATORS
        for requirement in selector.get("matchExpressions", ())
    )


def _mismatch(labels: Mapping[str, str]) -> str:
    shown = ", ".join(f"{key}={value}" for key, value in labels.items()) or "none"
    return f"found {shown}; `selector` does not match template `labels`"


def _equality_selector_findings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    labels = (spec.get("template") or {}).get("metadata", {}).get("labels", {})
    if "template" in spec and not matches_labels(spec.get("selector", {}), labels):
        yield Finding(("spec", "template", "metadata", "labels"), _mismatch(labels))


def _restart_findings(data: Mapping[str, Any], kind: str) -> Iterator[Finding]:
    template = template_path(kind) or ()
    path = (*template, "spec", "restartPolicy")
    pod_spec = value_at(data, path[:-1])
    if isinstance(pod_spec, dict):
        policy = pod_spec.get("restartPolicy", _DEFAULT_RESTART_POLICY)
        supported = _RESTART_POLICIES[kind]
        if policy not in supported:
            said = found(policy, "") if "restartPolicy" in pod_spec else f"found nothing, which means '{policy}'; "
            yield Finding(path, f"{said}{any_of(supported)} in a {kind}")


def _is_schedule(text: str) -> bool:
    if text.startswith("@"):
        return text in ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
    return len(text.split()) == _CRON_FIELDS
