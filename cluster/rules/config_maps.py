"""The ConfigMap with the Corefile, which CoreDNS itself would refuse when it starts or reloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.corefile import CorefileError, parse
from cluster.reading.findings import Finding, Path
from cluster.system import COREFILE_KEY, is_dns_config


def findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    if not is_dns_config(data):
        return
    path: Path = ("data", COREFILE_KEY)
    text = data.get("data", {}).get(COREFILE_KEY)
    if text is None:
        yield Finding(path, "found nothing; must be set")
        return
    try:
        parse(text)
    except CorefileError as error:
        for mistake in error.mistakes:
            yield Finding(path, f"line {mistake.line}: {mistake.message}")
