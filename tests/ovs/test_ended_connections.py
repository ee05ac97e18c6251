"""What Open vSwitch keeps of translated connections that have ended, and what is left when they are swept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from packets import ACK, FIN, RST, SYN
from test_outside_packets import CLIENT, ON_FIRST, ON_SECOND, address_of, exposed, families, from_outside
from world import World, world

from topo.connections import Control, Ended, Sweep, delete, translated

PORT = 40000
MANY = 6


@pytest.fixture(scope="module")
def shop() -> Iterator[World]:
    with world(*exposed("first", 11, ON_FIRST, "b"), *exposed("second", 12, ON_SECOND, "c"), ip_family="dual") as made:
        yield made


def used(shop: World, ip_version: int, node_port: int, closing: int) -> int:
    """A client connects from always the same port, and closes; the port that the endpoint sees."""
    to = address_of(shop, 1, ip_version)
    (arrival,) = from_outside(shop, 1, to, node_port, PORT)
    shop.send(arrival.port, replace(arrival.packet.reply(), flags=SYN | ACK))
    from_outside(shop, 1, to, node_port, PORT, flags=ACK, seq=1, ack=1)
    from_outside(shop, 1, to, node_port, PORT, flags=closing | ACK, seq=1, ack=1)
    if closing == FIN:
        shop.send(arrival.port, replace(arrival.packet.reply(), flags=FIN | ACK, seq=1, ack=2))
        from_outside(shop, 1, to, node_port, PORT, flags=ACK, seq=2, ack=2)
    return arrival.packet.tcp_src


def control(shop: World) -> Control:
    return Control(next(shop.switch.directory.glob("ovs-vswitchd.*.ctl")))


@families
@pytest.mark.parametrize("closing", [RST, FIN])
def test_a_port_is_free_again_when_its_connection_was_swept(shop: World, ip_version: int, closing: int) -> None:
    seen = []
    with control(shop) as switch:
        sweep = Sweep()
        for _ in range(MANY):
            seen.append(used(shop, ip_version, ON_FIRST, closing))
            sweep.look(switch)
            assert list(translated(switch.ask("dpctl/dump-conntrack"))), "what has just ended stays for a while"
            sweep.look(switch)
            assert list(translated(switch.ask("dpctl/dump-conntrack"))) == []
    assert seen == [PORT] * MANY


def test_masqueraded_connections_are_swept_too(shop: World) -> None:
    with control(shop) as switch:
        sweep = Sweep()
        used(shop, 4, ON_SECOND, RST)
        ended = list(translated(switch.ask("dpctl/dump-conntrack")))
        assert len({each.zone for each in ended}) == 2, ended
        sweep.look(switch)
        sweep.look(switch)
        assert list(translated(switch.ask("dpctl/dump-conntrack"))) == []


def test_what_goes_on_stays(shop: World) -> None:
    to = address_of(shop, 1, 4)
    (arrival,) = from_outside(shop, 1, to, ON_FIRST, PORT + 1)
    shop.send(arrival.port, replace(arrival.packet.reply(), flags=SYN | ACK))
    from_outside(shop, 1, to, ON_FIRST, PORT + 1, flags=ACK, seq=1, ack=1)
    with control(shop) as switch:
        sweep = Sweep()
        for _ in range(3):
            sweep.look(switch)
        assert f"sport={PORT + 1}" in switch.ask("dpctl/dump-conntrack")
    (answer,) = shop.send(arrival.port, replace(arrival.packet.reply(), flags=ACK, seq=1, ack=1))
    assert (answer.packet.ip_src, answer.packet.ip_dst) == (to, CLIENT[4])


def test_one_that_goes_by_itself_meanwhile_is_no_error(shop: World) -> None:
    with control(shop) as switch:
        used(shop, 4, ON_FIRST, RST)
        dump = switch.ask("dpctl/dump-conntrack")
        (ended,) = translated(dump)
        for _ in range(2):
            delete(switch, ended)
        assert list(translated(switch.ask("dpctl/dump-conntrack"))) == []


def test_connections_are_read_from_a_dump() -> None:
    dump = (
        "udp,orig=(src=10.0.0.1,dst=10.96.0.1,sport=1,dport=53),reply=(src=10.0.0.2,dst=10.0.0.1,sport=53,dport=1),zone=4\n"
        "tcp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=1,dport=80),reply=(src=10.0.0.2,dst=10.0.0.1,sport=80,dport=1),zone=4,"
        "protoinfo=(state=TIME_WAIT)\n"
        "tcp,orig=(src=fd00::1,dst=fd00::9,sport=7,dport=80),reply=(src=fd00::2,dst=fd00::1,sport=80,dport=7),mark=1,"
        "protoinfo=(state=TIME_WAIT)\n"
        "tcp,orig=(src=10.0.0.1,dst=10.0.0.9,sport=8,dport=80),reply=(src=10.0.0.2,dst=10.0.0.1,sport=80,dport=8),zone=5,"
        "mark=1,protoinfo=(state=ESTABLISHED)\n"
    )
    (ended,) = translated(dump)
    assert ended == Ended(0, "fd00::1", "fd00::9", "7", "80")
    assert ended.arguments == ("zone=0", "ct_nw_proto=6,ct_ipv6_src=fd00::1,ct_ipv6_dst=fd00::9,ct_tp_src=7,ct_tp_dst=80")
