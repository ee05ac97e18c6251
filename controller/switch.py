"""One connected switch: what it holds, what it must hold, and the difference, sent in bundles.

On connection the switch is asked what it holds; from then on it is known. One difference is under way at a time: the
next begins when the barrier behind it is answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cluster.model import REFUSING_ADDRESSES
from controller import decode, encode
from controller.encode import Message
from controller.flow import Flow, FlowKey, FlowTable, Group, Translation
from controller.pipeline import SESSION_AFFINITY, TABLE_ID

LOG = logging.getLogger("controller.switch")

BUNDLE_MESSAGES = 2000
"""Messages in one bundle: enough that the round trip is nothing beside them, few enough for a socket's patience."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A flow or group that the switch would not take. `error` is OpenFlow's type and code."""

    node: str
    owner: str
    flow: str
    error: str

    def __str__(self) -> str:
        return f"{self.node} refused ({self.error}) what {self.owner} needs: {self.flow}"


@dataclass(slots=True)
class _Sent:
    """What is under way: each message by its transaction id, and which bundle's commit has which."""

    barrier_xid: int
    revision: int
    messages: dict[int, Message] = field(default_factory=dict)
    commits: dict[int, range] = field(default_factory=dict)
    failed: list[range] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)


class Switch:
    """One connection to one node's switch. `send` writes bytes to it."""

    def __init__(self, name: str, zone: int, send: Callable[[bytes], object]) -> None:
        """`zone`: of the connections whose translations may end."""
        self.node = name
        self._zone = zone
        self._ended: list[Translation] = []
        self._found: dict[FlowKey, Translation] = {}
        self._compared = (0, 0, 0)
        self.flow_mods_sent = 0
        self.realised_revision = 0
        self.refused: dict[FlowKey | int, Refusal] = {}
        self._send = send
        self._xid = 0
        self._flows: set[FlowKey] = set()
        self._groups: set[int] = set()
        self._idle_groups: set[int] = set()
        """Those that no flow names any more. A switch without one of them translates packets that are on their way by it
        to nothing, and its userspace datapath mixes up what it has cached for them (decision 026)."""
        self._leaving_groups: set[int] = set()
        self._unread = {encode.OFPMP_FLOW, encode.OFPMP_GROUP}
        self._sent: _Sent | None = None
        self._wanted: tuple[int, FlowTable] | None = None

    @property
    def flow_count(self) -> int:
        return len(self._flows)

    def connected(self) -> None:
        """Ask what it holds."""
        self._send(encode.ask_flows(self._next_xid()) + encode.ask_groups(self._next_xid()))

    def holds_flows(self, wires: Mapping[FlowKey, bytes], last: bool) -> None:
        """Match and instructions by key. What the switch has learned by itself is its own."""
        for key, wire in wires.items():
            if key[0] == TABLE_ID[SESSION_AFFINITY]:
                continue
            self._flows.add(key)
            if translation := decode.udp_translation(wire):
                self._found[key] = translation
        self._read(encode.OFPMP_FLOW, last)

    def holds_groups(self, ids: Iterable[int], last: bool) -> None:
        self._groups.update(ids)
        self._read(encode.OFPMP_GROUP, last)

    def _read(self, what: int, last: bool) -> None:
        if last:
            self._unread.discard(what)
            self._proceed()

    def want(self, revision: int, table: FlowTable, ended: Iterable[Translation] = ()) -> None:
        """This is what the switch must hold now. Later calls replace earlier ones that were not begun.

        `ended`: connections that were translated so must be forgotten when it does.
        """
        self._wanted = (revision, table)
        self._ended += ended
        self._proceed()

    def send_out(self, frames: Iterable[bytes], of_port: int) -> None:
        """Packets of the controller's own."""
        self._send(b"".join(encode.packet_out(frame, of_port, self._next_xid()) for frame in frames))

    def forget(self, ended: Iterable[Translation]) -> None:
        """Forget these connections now; errors are only logged."""
        self._send(b"".join(self._flushing(each).encode(self._next_xid()) for each in ended))

    def retire_groups(self) -> bool:
        """Delete the groups that no flow has named since the last call. Whether there are others that none names now."""
        gone, self._leaving_groups = self._leaving_groups, set(self._idle_groups - self._leaving_groups)
        self._groups -= gone
        self._idle_groups -= gone
        self._send(b"".join(encode.delete_group(each).encode(self._next_xid()) for each in sorted(gone)))
        return bool(self._leaving_groups)

    def _name_again(self, groups: Iterable[int]) -> None:
        self._idle_groups.difference_update(groups)
        self._leaving_groups.difference_update(groups)

    def _flushing(self, ended: Translation) -> Message:
        return encode.flush_connections(ended, self._zone)

    def _proceed(self) -> None:
        if self._unread or self._sent or self._wanted is None:
            return
        revision, table = self._wanted
        self._wanted = None
        self.refused = {key: what for key, what in self.refused.items() if key in table.flows or key in table.groups}
        place = (id(table), table.generation, 0)
        known = self._compared[:2] == place[:2]
        messages = list(self._changes(table) if known else self._difference(table))
        self._compared = (*place[:2], len(table.touched))
        self._begin(revision, messages)

    def _changes(self, table: FlowTable) -> Iterator[Message]:
        """`_difference`, when the table has been compared before: costs what was touched since."""
        touched = dict.fromkeys(table.touched[self._compared[2] :])
        flows = [each for each in touched if isinstance(each, Flow)]
        groups = [each for each in touched if isinstance(each, Group)]
        wanted = {flow.key: flow for flow in flows if flow.key in table.flows and flow.key not in self.refused}
        wanted_groups = {group.group_id for group in groups if group.group_id in table.groups}
        gone = {flow.key: flow for flow in flows if flow.key not in table.flows and flow.key in self._flows}
        self._idle_groups |= {group.group_id for group in groups if group.group_id not in table.groups} & self._groups
        new_groups = wanted_groups - self._groups - self.refused.keys()
        yield from (encode.add_group(table.groups[group_id]) for group_id in sorted(new_groups))
        yield from (encode.add_flow(flow) for key, flow in wanted.items() if key not in self._flows)
        yield from (encode.remove_flow(flow) for flow in gone.values() if not table.is_replaced(flow))
        self._flows.difference_update(gone)
        self._flows.update(wanted)
        self._groups.update(new_groups)
        self._name_again(wanted_groups)

    def _difference(self, table: FlowTable) -> Iterator[Message]:
        """In the order that no flow ever names a group that is not there, and no packet finds no flow."""
        self._ended += self._ended_meanwhile(table)
        held_flows, held_groups = self._flows | self.refused.keys(), self._groups | self.refused.keys()
        yield from (encode.add_group(group) for key, group in table.groups.items() if key not in held_groups)
        yield from (encode.add_flow(flow) for key, flow in table.flows.items() if key not in held_flows)
        yield from (encode.delete_flow(key) for key in sorted(self._flows - table.flows.keys()))
        self._idle_groups = self._groups - table.groups.keys()
        self._flows, self._groups = set(table.flows), set(table.groups) | self._idle_groups
        self._name_again(table.groups)

    def _ended_meanwhile(self, table: FlowTable) -> Iterable[Translation]:
        """Where the flows that an earlier controller left translate UDP to and nothing does any more: who ended while
        no controller ran. The address that refuses is never anybody's.
        """
        found, self._found = self._found, {}
        ended = {translation for key, translation in found.items() if key not in table.flows}
        if not ended:
            return ()
        refusing = {one for one in ended if one.endpoint in REFUSING_ADDRESSES.values()}
        return refusing | ended - {decode.udp_translation(flow.wire) for flow in table.flows.values()}

    def _begin(self, revision: int, messages: Sequence[Message]) -> None:
        """Nothing to send: realised at once. Else bundles, and a barrier behind them."""
        ended, self._ended = self._ended, []
        if not messages and not ended:
            self.realised_revision = revision
            return
        sent, wire = _Sent(0, revision), []
        for start in range(0, len(messages), BUNDLE_MESSAGES):
            open_xid = self._next_xid()
            numbered = [(self._next_xid(), message) for message in messages[start : start + BUNDLE_MESSAGES]]
            commit_xid = self._next_xid()
            sent.messages.update(numbered)
            sent.commits[commit_xid] = range(open_xid + 1, commit_xid)
            wire.append(encode.bundle(open_xid, numbered, open_xid, commit_xid))
        # Behind the changes: what comes after the flush finds the new flows.
        for translation in ended:
            xid, message = self._next_xid(), self._flushing(translation)
            sent.messages[xid] = message
            wire.append(message.encode(xid))
        self._flush(sent, wire, len(messages))

    def _flush(self, sent: _Sent, wire: list[bytes], count: int) -> None:
        sent.barrier_xid = self._next_xid()
        self._sent = sent
        self.flow_mods_sent += count
        self._send(b"".join((*wire, encode.barrier(sent.barrier_xid))))

    def refuses(self, xid: int, error: str) -> None:
        """An OFPErrorMsg. About a bundle's commit, it means that none of the bundle was done."""
        sent = self._sent
        if sent is not None and xid in sent.commits:
            sent.failed.append(sent.commits[xid])
            return
        message = sent.messages.get(xid) if sent else None
        if sent is None or message is None:
            LOG.error("%s: error about a message that is not under way (xid %d): %s", self.node, xid, error)
            return
        sent.refused.add(xid)
        self._record(message, error)

    def _record(self, message: Message, error: str) -> None:
        match message.subject:
            case Flow() as flow:
                refusal = Refusal(self.node, flow.owner, str(flow), error)
                self.refused[flow.key] = refusal
                self._flows.discard(flow.key)
            case Group() as group:
                refusal = Refusal(self.node, group.owner, str(group), error)
                self.refused[group.group_id] = refusal
                self._groups.discard(group.group_id)
            case _:
                refusal = Refusal(self.node, "a deletion", message.body.hex(), error)
        LOG.error("%s", refusal)

    def barrier_answered(self, xid: int) -> bool:
        """Whether this ends what was under way: the revision is realised then, but for `refused`."""
        sent = self._sent
        if sent is None or sent.barrier_xid != xid:
            return False
        self._sent = None
        if sent.failed:
            self._send_singly(sent)
            return False
        self.realised_revision = sent.revision
        self._proceed()
        return True

    def _send_singly(self, sent: _Sent) -> None:
        """The messages of bundles that failed, again, each by itself: the switch then refuses only what is wrong."""
        again = [
            (self._next_xid(), sent.messages[xid])
            for xids in sent.failed
            for xid in xids
            if xid not in sent.refused
        ]
        wire = [message.encode(xid) for xid, message in again]
        self._flush(_Sent(0, sent.revision, dict(again)), wire, len(again))

    def _next_xid(self) -> int:
        self._xid = (self._xid + 1) & 0xFFFFFFFF
        return self._xid
