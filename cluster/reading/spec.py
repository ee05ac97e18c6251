"""A spec: paths in, the cluster and its objects out, or every mistake in all files at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from cluster.model import Cluster
from cluster.objects import Object
from cluster.problems import Problem, SpecError
from cluster.reading import config, documents, manifests, notices
from cluster.reading.documents import Document, Reading
from cluster.reading.findings import Finding
from cluster.rules import together


@dataclass(frozen=True)
class Spec:
    """What the user asked for, checked.

    `objects` are the validated manifests in the order of the files, each with its namespace; `documents` are the
    same with their places, so that a field of an object can be traced to its file and line.
    """

    cluster_document: dict[str, Any]
    cluster: Cluster
    objects: tuple[Object, ...]
    notices: tuple[Problem, ...]
    documents: tuple[Document, ...]


def load(paths: Sequence[str], stdin: IO[bytes] | None = None) -> Spec:
    """Read and check everything. Raises SpecError with all problems of all files."""
    return check(documents.read(paths, stdin))


def check(reading: Reading) -> Spec:
    """Of documents that were read. Raises SpecError with all problems of all of them."""
    clusters = [document for document in reading.documents if config.is_cluster(document.data)]
    checked = [manifests.check(document) for document in reading.documents if not config.is_cluster(document.data)]
    cluster_problems = _cluster_problems(clusters)
    cluster_document = clusters[0].data if clusters else config.DEFAULT_DOCUMENT
    cluster = None if cluster_problems else config.resolve(cluster_document)
    objects = tuple(one.document for one in checked)
    problems = [*reading.problems, *cluster_problems, *(problem for one in checked for problem in one.problems)]
    problems += together.check(objects, cluster)
    if problems or cluster is None:
        raise SpecError(list(dict.fromkeys(problems)))
    return Spec(
        cluster_document=cluster_document,
        cluster=cluster,
        objects=tuple(document.data for document in objects),
        notices=(*reading.notices, *notices.notices((*clusters, *objects))),
        documents=objects,
    )


def _cluster_problems(clusters: Sequence[Document]) -> list[Problem]:
    """What is wrong with each cluster document; a spec has at most one."""
    problems = [problem for document in clusters for problem in config.check(document)]
    for extra in clusters[1:]:
        first = clusters[0]
        message = f"found a second cluster document; the first is {first.file}:{first.line}"
        problems.append(extra.problem(Finding(("kind",), message)))
    return problems
