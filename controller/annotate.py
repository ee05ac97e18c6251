"""A dump of flows in the words of manifests: table names for numbers, the owner of each flow from its cookie."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller.flow import DIGEST_BITS, OWNER_BITS, Flow, FlowKey, FlowTable
from controller.pipeline import PIPELINE, TABLE_ID, Feature

_FLOW_LINE = re.compile(
    r"cookie=(?P<cookie>0x[0-9a-f]+),.*?table=(?P<table>\d+),.*?n_packets=(?P<packets>\d+), n_bytes=(?P<bytes>\d+),"
    r"(?:.*?\s)?(?P<rule>priority=\S+ actions=.*)"
)
_COUNTED_PRIORITY = re.compile(r"priority=(\d+),?\s*")
_GOTO = re.compile(r"(goto_table:|table=)(\d+)")

UNKNOWN = "(nobody: not of this pipeline)"


@dataclass(frozen=True, slots=True)
class AnnotatedFlow:
    """One flow as a switch holds it. `owner` is "Pod shop/web-1"; UNKNOWN when nothing in the API explains it."""

    table: str
    owner: str
    feature: str
    packets: int
    bytes: int
    priority: int
    rule: str

    def __str__(self) -> str:
        return f"{self.priority:>5} {self.rule}  # {self.owner}, {self.feature}, {self.packets} packets"


def annotated(dump: str, table: FlowTable) -> Iterator[AnnotatedFlow]:
    """The flows of an `ovs-ofctl dump-flows`, explained by what was compiled. Raises ValueError for a foreign line."""
    for line in dump.splitlines():
        if "cookie=" not in line:
            continue  # the reply's own heading
        found = _FLOW_LINE.search(line)
        if found is None:
            raise ValueError(f"not a flow: {line}")
        key = (int(found["table"]), int(found["cookie"], 16))
        counts = int(found["packets"]), int(found["bytes"])
        yield _annotated(key, counts, found["rule"], table.flows)


def _annotated(
    key: FlowKey, counts: tuple[int, int], rule: str, compiled: Mapping[FlowKey, Flow]
) -> AnnotatedFlow:
    table_id, cookie = key
    flow = compiled.get(key)
    priority = _COUNTED_PRIORITY.match(rule)
    return AnnotatedFlow(
        table=PIPELINE[table_id].name if table_id < len(PIPELINE) else str(table_id),
        owner=flow.owner if flow else UNKNOWN,
        feature=_feature_name(cookie),
        packets=counts[0],
        bytes=counts[1],
        priority=int(priority[1]) if priority else 0,
        rule=_GOTO.sub(_table_name, _COUNTED_PRIORITY.sub("", rule, count=1)),
    )


def _feature_name(cookie: int) -> str:
    number = cookie >> OWNER_BITS + DIGEST_BITS
    return Feature(number).name.lower() if number in tuple(Feature) else f"feature {number}"


def _table_name(found: re.Match[str]) -> str:
    number = int(found[2])
    return found[1] + (PIPELINE[number].name if number < len(PIPELINE) else found[2])


def selected(flows: Iterable[AnnotatedFlow], table: str | None, owner: str | None) -> list[AnnotatedFlow]:
    """Those of one table and one owner (KIND/NAMESPACE/NAME or KIND/NAME, any case of the kind), in pipeline order."""
    kept = [
        flow
        for flow in flows
        if (table is None or flow.table.lower() == table.lower()) and (owner is None or _is(flow.owner, owner))
    ]
    order = {name: place for name, place in TABLE_ID.items()}
    return sorted(kept, key=lambda flow: (order.get(flow.table, len(order)), -flow.priority, flow.owner, flow.rule))


def _is(owner: str, wanted: str) -> bool:
    kind, _, name = owner.partition(" ")
    wanted_kind, _, wanted_name = wanted.partition("/")
    return (kind.lower(), name) == (wanted_kind.lower(), wanted_name)


def page(node: str, flows: Iterable[AnnotatedFlow]) -> str:
    """All flows of one node, under a heading per table."""
    lines, heading = [f"{node}:"], ""
    for flow in flows:
        if flow.table != heading:
            heading = flow.table
            lines.append(f"  {heading}")
        lines.append(f"    {flow}")
    return "\n".join(lines)
