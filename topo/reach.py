"""New connections from many namespaces at once, to see which of them get an answer.

One process makes the sockets in every namespace (a socket stays in the one it was made in) and waits for all of
them together, so a thousand pairs cost a second, not a thousand programs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from zlib import crc32

from cluster.model import IPAddress
from cluster.problems import MachineError
from topo import namespaces
from topo.pace import Window

_REQUEST = b"GET /hostname HTTP/1.1\r\nHost: matrix\r\nConnection: close\r\n\r\n"
_DATAGRAM = b"hostname\n"
_ECHO_REQUEST = {4: 8, 6: 128}
_ECHO_REPLY = {4: 0, 6: 129}
_ECHO_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_NOT_YET = (errno.EINPROGRESS, errno.EAGAIN)
_FIRST_SOURCE_PORT, _SOURCE_PORTS, _IDENTIFIERS = 32768, 28232, 1 << 16
"""Linux's own range of ephemeral ports (ip(7), ip_local_port_range)."""
_SLOTS_A_SECOND = 100


@dataclass(frozen=True, slots=True)
class Question:
    """Does a new connection from the namespace `netns` (a name) to this address get an answer?

    `protocol`: tcp, udp, sctp, or icmp (whose port means nothing). `way`: the nodes at its ends; answers by one way should
    take equally long.
    """

    netns: str
    address: IPAddress
    protocol: str
    port: int
    way: tuple[str, str] = ("", "")


def answers(questions: Sequence[Question], timeout_s: float, attempts: int) -> dict[Question, bool]:
    """Ask all; the unanswered ones again, up to `attempts` times in all. Raises MachineError where there is no SCTP."""
    found: dict[Question, bool] = {}
    open_questions = list(dict.fromkeys(questions))
    window = Window(timeout_s)
    for _ in range(attempts):
        found.update(_Round(timeout_s, window).ask(open_questions))
        open_questions = [question for question in open_questions if not found[question]]
    return found


def own_number(question: Question, now_s: float, numbers: int) -> int:
    """Below `numbers`: the source port or identifier with which to ask this question now. For 280 s (of ports) it is
    another one each time: a policy is not asked about what still counts as an established connection, for a minute or so.
    """
    text = f"{question.netns} {question.address} {question.protocol} {question.port}"
    return (crc32(text.encode()) + int(now_s * _SLOTS_A_SECOND)) % numbers


class _Attempt:
    """One connection under way: what to do when its socket is ready, until that says yes or no."""

    def __init__(self, question: Question, connection: socket.socket, now_s: float, timeout_s: float) -> None:
        self.question, self.socket = question, connection
        self.began, self.deadline = now_s, now_s + timeout_s
        self.identifier = own_number(question, now_s, _IDENTIFIERS)
        self.connected = question.protocol in ("udp", "icmp")

    @property
    def waits_for(self) -> int:
        return selectors.EVENT_READ if self.connected else selectors.EVENT_WRITE

    def step(self) -> bool | None:
        """Go on; the verdict, or None while there is none."""
        try:
            if self.connected:
                return self._read()
            number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                return False
            self.connected = True
            self.socket.send(_REQUEST)
        except OSError:
            # Refused, reset, unreachable: all of them mean that it does not reach.
            return False
        return None

    def _read(self) -> bool | None:
        data = self.socket.recv(2048)
        if self.question.protocol == "icmp":
            return True if _is_reply(data, self.question.address.version, self.identifier) else None
        return True

    def expired(self) -> bool:
        """The verdict at the deadline: a connection that stands reached its peer, even if that says nothing."""
        return self.connected and self.question.protocol in ("tcp", "sctp")


class _Round:
    """One attempt at each question."""

    def __init__(self, timeout_s: float, window: Window) -> None:
        self._timeout_s = timeout_s
        self._window = window
        self._selector = selectors.DefaultSelector()
        self._pending: deque[_Attempt] = deque()
        self._verdicts: dict[Question, bool] = {}

    def ask(self, questions: Iterable[Question]) -> dict[Question, bool]:
        by_place = groupby(sorted(questions, key=lambda question: question.netns), lambda question: question.netns)
        for netns, group in by_place:
            waiting = list(group)
            while waiting:
                self._wait(self._window.size - min(len(waiting), self._window.size // 2))
                # Late answers may have made the window smaller meanwhile.
                room = max(0, self._window.size - len(self._selector.get_map()))
                batch, waiting = waiting[:room], waiting[room:]
                fd = namespaces.open_pinned(netns)
                with namespaces.visit(fd):
                    for question in batch:
                        self._begin(question)
                os.close(fd)
        self._wait(0)
        self._selector.close()
        return self._verdicts

    def _begin(self, question: Question) -> None:
        now_s = time.monotonic()
        connection = _socket(question, now_s)
        connection.setblocking(False)
        number = connection.connect_ex((str(question.address), question.port))
        attempt = _Attempt(question, connection, now_s, self._timeout_s)
        if number and number not in _NOT_YET:
            connection.close()
            self._verdicts[question] = False
            return
        try:
            if question.protocol == "udp":
                connection.send(_DATAGRAM)
            elif question.protocol == "icmp":
                connection.send(_echo_request(question.address.version, attempt.identifier))
        except OSError:
            connection.close()
            self._verdicts[question] = False
            return
        self._pending.append(attempt)
        self._selector.register(connection, attempt.waits_for, attempt)

    def _wait(self, at_most: int) -> None:
        """Until no more than so many attempts are under way."""
        while len(self._selector.get_map()) > at_most:
            while self._pending and self._pending[0].question in self._verdicts:
                self._pending.popleft()
            timeout = max(0.0, self._pending[0].deadline - time.monotonic())
            for key, _ in self._selector.select(timeout):
                attempt: _Attempt = key.data
                verdict = attempt.step()
                if verdict is None:
                    self._selector.modify(attempt.socket, attempt.waits_for, attempt)
                elif verdict:
                    self._end(attempt, verdict)
                    self._window.answered(attempt.question.way, attempt.began, time.monotonic())
                else:
                    self._end(attempt, verdict)
                    self._window.passed()
            now = time.monotonic()
            while self._pending and self._pending[0].deadline <= now:
                attempt = self._pending.popleft()
                if attempt.question not in self._verdicts:
                    self._end(attempt, attempt.expired())
                    self._window.passed()

    def _end(self, attempt: _Attempt, verdict: bool) -> None:
        self._verdicts[attempt.question] = verdict
        self._selector.unregister(attempt.socket)
        attempt.socket.close()


_KINDS: dict[str, Callable[[int], tuple[int, int]]] = {
    "tcp": lambda _version: (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": lambda _version: (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": lambda _version: (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
    "icmp": lambda version: (socket.SOCK_RAW, _ECHO_PROTOCOL[version]),
}


def _socket(question: Question, now_s: float) -> socket.socket:
    family = socket.AF_INET if question.address.version == 4 else socket.AF_INET6
    try:
        made = socket.socket(family, *_KINDS[question.protocol](question.address.version))
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            raise MachineError("this kernel has no SCTP; run: sudo modprobe sctp") from error
        raise
    if question.protocol == "udp":
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # A server of the pod's has that port: let the kernel choose another.
            made.bind(("", _FIRST_SOURCE_PORT + own_number(question, now_s, _SOURCE_PORTS)))
    return made


_echo_numbers = count(1)


def _echo_request(version: int, identifier: int) -> bytes:
    """RFC 792, RFC 4443."""
    number = next(_echo_numbers) & 0xFFFF
    head = struct.pack("!BBHHH", _ECHO_REQUEST[version], 0, 0, identifier, number)
    checksum = _internet_checksum(head) if version == 4 else 0
    return head[:2] + struct.pack("!H", checksum) + head[4:]


def _is_reply(data: bytes, version: int, identifier: int) -> bool:
    message = data[(data[0] & 0xF) * 4 :] if version == 4 else data
    kind, _, _, answered = struct.unpack_from("!BBHH", message)
    return bool(kind == _ECHO_REPLY[version] and answered == identifier)


def _internet_checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
