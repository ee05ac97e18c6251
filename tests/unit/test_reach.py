"""With which source ports and identifiers the matrix asks, and how many at once."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from ipaddress import ip_address
from threading import Thread

import pytest

from topo import namespaces, reach
from topo.pace import Window
from topo.reach import Question, own_number

CONNTRACK_FORGETS_S = 60
"""What a UDP or ICMP connection that was answered lives for without packets, in Open vSwitch (lib/conntrack-tp.c)."""
PORTS = 28232
QUESTION = Question("x_a_1", ip_address("10.244.1.2"), "udp", 80)


def test_a_question_that_is_asked_again_is_another_connection() -> None:
    times = [1000.005 + slot / 100 for slot in range(4 * CONNTRACK_FORGETS_S * 100)]
    assert len({own_number(QUESTION, now_s, PORTS) for now_s in times}) == len(times)


def test_questions_are_spread_over_the_ports() -> None:
    targets = [ip_address("10.244.1.0") + number for number in range(1, 255)]
    numbers = {own_number(Question("x_a_1", target, "udp", 80), 5, PORTS) for target in targets}
    assert len(numbers) > 240
    assert all(0 <= number < PORTS for number in numbers)


PROMPT, ASKED = 60, 300
"""So many are answered at once, of so many; the others late, and one after the other."""
TIMEOUT_S, LATE_S, PAUSE_S = 0.4, 0.15, 0.004


@contextmanager
def slow_server() -> Iterator[list[int]]:
    """Its ports, in this namespace."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(ASKED)]
        thread = Thread(target=_answer, args=(listeners,))
        thread.start()
        stack.callback(thread.join)
        yield [listener.getsockname()[1] for listener in listeners]


def _answer(listeners: list[socket.socket]) -> None:
    with selectors.DefaultSelector() as ready:
        for listener in listeners:
            ready.register(listener, selectors.EVENT_READ)
        waiting: list[tuple[float, socket.socket]] = []
        accepted, at_s = 0, 0.0
        while accepted < len(listeners) or waiting:
            for key, _ in ready.select(PAUSE_S / 2):
                listener = key.fileobj
                assert isinstance(listener, socket.socket)
                connection, _ = listener.accept()
                accepted += 1
                now = time.monotonic()
                at_s = now if accepted <= PROMPT else max(now + LATE_S, at_s + PAUSE_S)
                waiting.append((at_s, connection))
            now = time.monotonic()
            for _, connection in [each for each in waiting if each[0] <= now]:
                connection.sendall(b"here")
                connection.close()
            waiting = [each for each in waiting if each[0] > now]


def test_no_more_are_asked_at_once_than_the_window_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "open_pinned", lambda _: os.open(os.devnull, os.O_RDONLY))
    monkeypatch.setattr(namespaces, "visit", lambda _: nullcontext())
    window = Window(TIMEOUT_S)
    round = reach._Round(TIMEOUT_S, window)
    under_way: list[int] = []
    begin = round._begin
    monkeypatch.setattr(round, "_begin", lambda question: (begin(question), under_way.append(_excess(round, window))))
    with slow_server() as ports:
        questions = [Question("x", ip_address("127.0.0.1"), "tcp", port) for port in ports]
        answered = round.ask(questions)
    assert all(answered[question] for question in questions)
    assert window.size < 50, "none of the answers was late"
    assert max(under_way) <= 0


def _excess(round: reach._Round, window: Window) -> int:
    return len(round._selector.get_map()) - window.size
