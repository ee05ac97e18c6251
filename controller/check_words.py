"""Why a pair is as it is, in words: which policies isolate, which rule lets pass, and where each stands."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.documents import Document
from cluster.objects import name, namespace
from controller.asking import Answer
from controller.policy_model import RuleName


class Places:
    """Where each policy stands: file and line."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = {
            f"{namespace(document.data)}/{name(document.data)}": document
            for document in documents
            if document.data.get("kind") == "NetworkPolicy"
        }

    def policy(self, key: str) -> str:
        return self._placed(f"NetworkPolicy {key}", key, ())

    def rule(self, rule: RuleName) -> str:
        return self._placed(str(rule), rule.policy, ("spec", rule.direction, rule.index))

    def _placed(self, text: str, key: str, path: tuple[str | int, ...]) -> str:
        document = self._documents.get(key)
        return f"{text} ({document.file}:{document.line_of(path)})" if document else text


def reason(answer: Answer, source: str, target: str, places: Places) -> str:
    """One sentence."""
    if answer.reaches:
        if source == target:
            return "a pod always reaches itself"
        rules = " and ".join(places.rule(rule) for rule in answer.allowed_by)
        return f"allowed by {rules}" if rules else "neither pod is isolated"
    if answer.direction is None:
        return f"dropped in {answer.table} on {answer.node}"
    subject = source if answer.direction == "egress" else target
    policies = ", ".join(places.policy(key) for key in answer.isolated_by)
    return (
        f"{subject} is isolated for {answer.direction} by {policies}, and no {answer.direction} rule allows it "
        f"({answer.table} on {answer.node})"
    )
