"""With which source ports and identifiers the matrix asks."""

from __future__ import annotations

from ipaddress import ip_address

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
