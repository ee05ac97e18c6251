"""What policies said of a connection, in words: which isolate, which rule lets pass, and where each stands."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.policy_names import Direction, Places, RuleName
from controller.asking import Answer


def reason(answer: Answer, source: str, target: str, places: Places) -> str:
    """Why a pair is as it is, in one sentence."""
    if answer.reaches:
        if source == target:
            return "a pod always reaches itself"
        return allowed_by(answer.allowed_by, places) if answer.allowed_by else "neither pod is isolated"
    if answer.direction is None:
        return f"dropped in {answer.table} on {answer.node}"
    subject = source if answer.direction == "egress" else target
    isolated = isolated_by(subject, answer.direction, answer.isolated_by, places)
    return f"{isolated}, and {allowed_by_none(answer.direction)} ({answer.table} on {answer.node})"


def isolated_by(subject: str, direction: Direction, policies: Sequence[str], places: Places) -> str:
    return f"{subject} is isolated for {direction} by {', '.join(map(places.policy, policies))}"


def allowed_by(rules: Sequence[RuleName], places: Places) -> str:
    return f"allowed by {' and '.join(map(places.rule, rules))}"


def allowed_by_none(direction: Direction) -> str:
    return f"no {direction} rule allows it"
