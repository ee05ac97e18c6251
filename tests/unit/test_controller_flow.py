"""A flow that breaks the pipeline raises when it is built; sets of flows notice claims on the same packets."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from controller.actions import Action, Conntrack, DecTTL, Goto, Load, Nat, Output, SetField, ToGroup
from controller.flow import Bucket, Flow, FlowTable, Group, PipelineError, colliding_owners, overlaps, owner_number
from controller.match import Match, bits, ct_state, eth_dst, eth_type, in_port, ip_dst, ip_src, transport_dst
from controller.pipeline import (
    CLASSIFIER,
    CONNTRACK_STATE,
    CONNTRACK_ZONE,
    DESTINATION,
    L3_DEC_TTL,
    L3_FORWARDING,
    OUTPUT,
    PIPELINE,
    SERVICE_LB,
    SERVICE_MARK,
    SOURCE,
    SPOOF_GUARD,
    Bits,
    Destination,
    Feature,
    Source,
)


def flow(table: str, match: Match, *actions: Action, priority: int = 1, owner: str = "Pod a/b") -> Flow:
    return Flow(table, priority, match, actions, Feature.FORWARDING, owner)


@pytest.mark.parametrize(
    ("table", "match", "actions", "reason"),
    [
        (OUTPUT, (eth_type(4),), (), "does not match eth_type"),
        (L3_FORWARDING, (ip_dst(ip_address("10.0.0.1")),), (), "ipv4_dst needs eth_type in ['0x800']"),
        (L3_FORWARDING, (eth_type(6), ip_dst(ip_address("10.0.0.1"))), (), "ipv4_dst needs eth_type"),
        (SERVICE_LB, (eth_type(4), transport_dst("TCP", 80)), (), "tcp_dst needs ip_proto in ['0x6']"),
        (CONNTRACK_STATE, (ct_state("+trk"),), (), "ct_state needs eth_type"),
        (L3_FORWARDING, (), (Goto(CLASSIFIER),), "does not lead to Classifier"),
        (L3_FORWARDING, (), (Goto(OUTPUT),), "does not lead to Output"),
        (L3_FORWARDING, (), (Goto(L3_DEC_TTL), Output(1)), "nothing may follow goto_table"),
        (L3_DEC_TTL, (), (DecTTL(),), "dec_ttl needs eth_type"),
        (SPOOF_GUARD, (), (SetField(eth_dst("0a:00:00:00:00:01")),), "does not write eth_dst"),
        (CLASSIFIER, (), (Load(DESTINATION, Destination.NODE),), "does not write destination"),
        (CLASSIFIER, (in_port(1), in_port(2)), (), "in_port is matched twice"),
    ],
)
def test_raises(table: str, match: Match, actions: tuple[Action, ...], reason: str) -> None:
    with pytest.raises(PipelineError) as raised:
        flow(table, match, *actions)
    assert str(raised.value).startswith(f"Pod a/b: {table}: {reason}")


def test_register_bits_must_be_the_pipelines() -> None:
    stray = Bits("source", "reg0", 4, 9)
    with pytest.raises(PipelineError, match="are no bits of this pipeline"):
        flow(CLASSIFIER, (), Load(stray, 1))


def test_register_bits_have_declared_values() -> None:
    with pytest.raises(ValueError, match="source: 9 is none of its values"):
        Load(SOURCE, 9)
    with pytest.raises(ValueError, match="conntrack_zone: 65536"):
        Load(CONNTRACK_ZONE, 1 << 16)


def test_tables_lead_forward_only() -> None:
    names = [table.name for table in PIPELINE]
    for place, table in enumerate(PIPELINE):
        for after in (*table.next, *filter(None, [table.miss])):
            if after == table.name:
                continue  # only resubmit may name it: `Flow` refuses the rest
            assert names.index(after) > place, f"{table.name} leads back to {after}"


def test_prints_as_ovs_ofctl_writes() -> None:
    made = flow(
        L3_FORWARDING,
        (bits(SOURCE, Source.POD), eth_type(4), ip_dst(ip_network("10.244.1.0/24"))),
        Load(DESTINATION, Destination.TUNNEL),
        SetField(eth_dst("0a:03:00:02:00:00")),
        Goto(L3_DEC_TTL),
        priority=200,
    )
    assert str(made).partition(",")[2] == (
        "table=11,priority=200,ip,nw_dst=10.244.1.0/24,reg0=0x1/0xf,"
        "actions=load:0x3->NXM_NX_REG0[4..7],set_field:0a:03:00:02:00:00->eth_dst,goto_table:12"
    )


def test_service_translation_prints_as_ovs_ofctl_writes() -> None:
    to, mark = Nat("dst", ip_address("fd00::1"), 80), Load(SERVICE_MARK, 1)
    made = Conntrack(CONNTRACK_ZONE, L3_FORWARDING, commit=True, nat=to, mark=mark)
    assert str(made) == (
        "ct(commit,table=11,zone=NXM_NX_REG1[0..15],nat(dst=[fd00::1]:80),exec(load:0x1->NXM_NX_CT_MARK[0]))"
    )


def test_cookie_is_feature_owner_digest() -> None:
    made = flow(CLASSIFIER, (in_port(1),), owner="Node n1")
    assert made.cookie >> 56 == Feature.FORWARDING
    assert made.cookie >> 32 & 0xFFFFFF == owner_number("Node n1")
    assert made.cookie != flow(CLASSIFIER, (in_port(2),), owner="Node n1").cookie
    assert made.cookie != flow(CLASSIFIER, (in_port(1),), owner="Node n1", priority=2).cookie


def test_two_flows_in_one_place_are_an_error_that_names_both_owners() -> None:
    table = FlowTable()
    table.add([flow(CLASSIFIER, (in_port(1),), Goto(SPOOF_GUARD), owner="Pod a/one")])
    with pytest.raises(PipelineError, match=r"(?s)Pod a/two.*Pod a/one"):
        table.add([flow(CLASSIFIER, (in_port(1),), owner="Pod a/two")])


def test_finds_overlaps_of_different_shape() -> None:
    net = flow(SPOOF_GUARD, (eth_type(4), ip_src(ip_network("10.0.0.0/8"))))
    port = flow(SPOOF_GUARD, (in_port(1),), Goto(PIPELINE[2].name))
    other_net = flow(SPOOF_GUARD, (eth_type(4), ip_src(ip_network("11.0.0.0/16"))), Goto(PIPELINE[2].name))
    assert overlaps([net, port]) == [(net, port)]
    assert overlaps([net, other_net]) == []


def test_a_group_of_another_content_is_another_group() -> None:
    one, other = (Group("p", (Bucket(1, (Output(port),)),), "Service a/b") for port in (1, 2))
    assert one.group_id != other.group_id
    assert str(one) == f"group_id={one.group_id},type=select,bucket=weight:1,actions=output:1"
    assert str(ToGroup(one.group_id)) == f"group:{one.group_id}"


def test_finds_owners_that_share_a_number() -> None:
    found: dict[int, str] = {}
    for index in range(1 << 16):
        owner = f"Pod a/{index}"
        if owner_number(owner) in found:
            break
        found[owner_number(owner)] = owner
    pair = (found[owner_number(owner)], owner)
    assert colliding_owners(flow(CLASSIFIER, (in_port(1),), owner=each) for each in pair) == [pair]
