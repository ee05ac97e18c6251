"""A pod that shares its switch port with others sends as nobody else.

The switch knows which addresses a MAC has (controller/spoof_guard.py), but macvlans of a node come in by one port, so a
pod that forges a neighbour's MAC and address together would be that neighbour to it, and with the node's MAC the node.
So the kernel drops, where the pod's interface sends, what does not come from the pod's own MAC: an nftables chain at the
interface's egress hook (Linux ≥ 5.16), in the pod's namespace, where a process without NET_ADMIN cannot touch it. Raw
packets meet it too, also those that pass by the queueing discipline (packet(7), PACKET_QDISC_BYPASS). Decision 012.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys

from topo import netlink
from topo.netlink import NLA_F_NESTED, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, Message, attribute

# linux/netlink.h, linux/netfilter.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h: the names are theirs.
NETLINK_NETFILTER = 12
NFPROTO_NETDEV, NF_NETDEV_EGRESS, NF_DROP, NF_ACCEPT = 5, 1, 0, 1
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES = 16, 17, 10
NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE = 0, 3, 6
NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE = 1, 1, 3, 4, 5, 7
NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY, NFTA_HOOK_DEV = 1, 2, 3
NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS, NFTA_LIST_ELEM = 1, 2, 4, 1
NFTA_EXPR_NAME, NFTA_EXPR_DATA, NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_VERDICT_CODE = 1, 2, 1, 2, 1
NFTA_PAYLOAD_DREG, NFTA_PAYLOAD_BASE, NFTA_PAYLOAD_OFFSET, NFTA_PAYLOAD_LEN, NFT_PAYLOAD_LL_HEADER = 1, 2, 3, 4, 0
NFTA_CMP_SREG, NFTA_CMP_OP, NFTA_CMP_DATA, NFT_CMP_EQ = 1, 2, 3, 0
NFTA_IMMEDIATE_DREG, NFTA_IMMEDIATE_DATA, NFT_REG_VERDICT, NFT_REG_1 = 1, 2, 0, 1

_TABLE, _CHAIN = "mininetes", "own-mac"
_ETH_SRC_OFFSET, _MAC_BYTES = 6, 6
_UNKNOWN_TO_THE_KERNEL = frozenset({errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.ENOENT, errno.EINVAL})


def hold_to_mac(interface: str, mac: str) -> None:
    """From now on, this interface of the caller's namespace sends nothing from another MAC. Idempotent.

    A kernel that cannot is told of, in the log: its pods can be each other where they share a port.
    """
    try:
        with netlink.Socket(NETLINK_NETFILTER) as own:
            own.run(messages(interface, mac))
    except OSError as error:
        if error.errno not in _UNKNOWN_TO_THE_KERNEL:
            raise
        print(
            f"{interface} {mac}: {error}; without nftables' egress hook (Linux 5.16) this pod can use the addresses of"
            " others on its node; attachment: veth has no such gap", file=sys.stderr, flush=True,
        )  # fmt: skip


def messages(interface: str, mac: str) -> list[Message]:
    """A table, its chain, which drops, and the rule for the exception. One transaction: where the table is, all is."""
    base_chain = (
        _text(NFTA_CHAIN_TABLE, _TABLE)
        + _text(NFTA_CHAIN_NAME, _CHAIN)
        + _nested(
            NFTA_CHAIN_HOOK,
            _be32(NFTA_HOOK_HOOKNUM, NF_NETDEV_EGRESS)
            + _be32(NFTA_HOOK_PRIORITY, 0)
            + _text(NFTA_HOOK_DEV, interface),
        )
        + _be32(NFTA_CHAIN_POLICY, NF_DROP)
        + _text(NFTA_CHAIN_TYPE, "filter")
    )
    rule = (
        _text(NFTA_RULE_TABLE, _TABLE)
        + _text(NFTA_RULE_CHAIN, _CHAIN)
        + _nested(NFTA_RULE_EXPRESSIONS, _sender() + _is(mac) + _accept())
    )
    return [
        _batch(NFNL_MSG_BATCH_BEGIN),
        _change(NFT_MSG_NEWTABLE, NLM_F_EXCL, _text(NFTA_TABLE_NAME, _TABLE), "make an nftables table"),
        _change(NFT_MSG_NEWCHAIN, NLM_F_EXCL, base_chain, f"watch what {interface} sends"),
        _change(NFT_MSG_NEWRULE, NLM_F_APPEND, rule, f"let {interface} send from {mac}"),
        _batch(NFNL_MSG_BATCH_END),
    ]


def _sender() -> bytes:
    """eth_src into a register."""
    return _expression(
        "payload",
        _be32(NFTA_PAYLOAD_DREG, NFT_REG_1)
        + _be32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_LL_HEADER)
        + _be32(NFTA_PAYLOAD_OFFSET, _ETH_SRC_OFFSET)
        + _be32(NFTA_PAYLOAD_LEN, _MAC_BYTES),
    )


def _is(mac: str) -> bytes:
    value = _nested(NFTA_CMP_DATA, attribute(NFTA_DATA_VALUE, bytes.fromhex(mac.replace(":", ""))))
    return _expression("cmp", _be32(NFTA_CMP_SREG, NFT_REG_1) + _be32(NFTA_CMP_OP, NFT_CMP_EQ) + value)


def _accept() -> bytes:
    verdict = _nested(NFTA_DATA_VERDICT, _be32(NFTA_VERDICT_CODE, NF_ACCEPT))
    return _expression(
        "immediate", _be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT) + _nested(NFTA_IMMEDIATE_DATA, verdict)
    )


def _expression(name: str, data: bytes) -> bytes:
    return _nested(NFTA_LIST_ELEM, _text(NFTA_EXPR_NAME, name) + _nested(NFTA_EXPR_DATA, data))


def _change(kind: int, flags: int, attributes: bytes, purpose: str) -> Message:
    header = struct.pack("!BBH", NFPROTO_NETDEV, 0, 0)
    flags, there = NLM_F_CREATE | flags, frozenset({errno.EEXIST})
    return Message(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, header + attributes, purpose, tolerate=there)


def _batch(kind: int) -> Message:
    header = struct.pack("!BBH", socket.AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES)
    return Message(kind, 0, header, "use nftables", acknowledged=False)


def _nested(kind: int, content: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, content)


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def _be32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!I", value))
