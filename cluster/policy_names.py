"""What the rules of NetworkPolicies are called, and where they stand in the files that they came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from cluster.objects import name, namespace
from cluster.reading.documents import Document
from cluster.reading.findings import Path

Direction = Literal["ingress", "egress"]


@dataclass(frozen=True, slots=True)
class RuleName:
    """`spec.ingress[index]` or `spec.egress[index]` of a policy ("namespace/name")."""

    policy: str
    direction: Direction
    index: int

    @property
    def path(self) -> Path:
        return ("spec", self.direction, self.index)

    def __str__(self) -> str:
        return f"NetworkPolicy {self.policy}: spec.{self.direction}[{self.index}]"


class Places:
    """Where each policy of these documents stands: file and line. Of others only the name is told."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self._documents = {
            f"{namespace(document.data)}/{name(document.data)}": document
            for document in documents
            if document.data.get("kind") == "NetworkPolicy"
        }

    def policy(self, key: str) -> str:
        """ "NetworkPolicy shop/db (db.yaml:1)"."""
        return self._placed(f"NetworkPolicy {key}", key, ())

    def rule(self, rule: RuleName) -> str:
        """ "NetworkPolicy shop/db: spec.ingress[0] (db.yaml:7)"."""
        return self._placed(str(rule), rule.policy, rule.path)

    def policy_json(self, key: str) -> dict[str, Any]:
        """`file` and `line` are None where the policy did not come from a file."""
        space, _, its_name = key.partition("/")
        file, line = self._place(key, ()) or (None, None)
        return {"namespace": space, "name": its_name, "file": file, "line": line}

    def rule_json(self, rule: RuleName) -> dict[str, Any]:
        file, line = self._place(rule.policy, rule.path) or (None, None)
        return {
            **self.policy_json(rule.policy),
            "direction": rule.direction, "index": rule.index, "file": file, "line": line,
        }  # fmt: skip

    def _place(self, key: str, path: Path) -> tuple[str, int] | None:
        document = self._documents.get(key)
        return (document.file, document.line_of(path)) if document else None

    def _placed(self, text: str, key: str, path: Path) -> str:
        place = self._place(key, path)
        return f"{text} ({place[0]}:{place[1]})" if place else text
