"""The warnings for what is accepted and has no effect here: the notices of `mininetes up`, as clients show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cluster.reading.documents import Document
from cluster.reading.notices import notices
from cluster.reading.schema import without_nulls
from cluster.resources import Resource


def warnings_for(resource: Resource, given: Any) -> Sequence[str]:
    """One sentence per kind or field. `given` was accepted as an object of this resource."""
    obj = without_nulls({**given, "kind": resource.kind}, [])
    return [f"{problem.field}: {problem.message}" for problem in notices([Document("", 0, obj)])]
