"""rtnetlink messages, many to a system call (rtnetlink(7), netlink(7)).

A batch is a list of encoded messages; `Socket.run` sends them and waits for the last one's acknowledgement, so a hundred
interfaces cost a handful of system calls where `ip` would cost a hundred processes.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from types import TracebackType

from cluster.model import GENEVE_PORT, VXLAN_PORT, IPAddress, IPNetwork

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h: the names are theirs.
NLMSG_ERROR = 2
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 1, 4, 0x100, 0x200, 0x400, 0x800
RTM_NEWLINK, RTM_DELLINK, RTM_SETLINK = 16, 17, 19
RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH, RTM_DELNEIGH, RTM_NEWRULE, RTM_DELRULE = 20, 24, 28, 29, 32, 33
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_AF_SPEC, IFLA_NET_NS_FD, IFLA_PROTINFO, IFLA_GSO_MAX_SIZE = 26, 28, 12, 41
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE = 1, 1
IFLA_VXLAN_ID, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LEARNING, IFLA_VXLAN_PORT, IFLA_VXLAN_LOCAL6 = 1, 4, 7, 15, 17
IFLA_VXLAN_UDP_ZERO_CSUM6_TX, IFLA_VXLAN_UDP_ZERO_CSUM6_RX = 19, 20
IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE = 8, 1
IFLA_BRPORT_MODE, IFLA_BRPORT_LEARNING, IFLA_BRPORT_UNICAST_FLOOD = 4, 8, 9
IFLA_BRPORT_MCAST_FLOOD, IFLA_BRPORT_BCAST_FLOOD = 27, 30
IFF_UP = 1
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS, IFA_F_NODAD = 1, 2, 8, 2
FRA_DST, FRA_IIFNAME, FRA_PRIORITY, FRA_TABLE, FRA_IP_PROTO, FRA_DPORT_RANGE = 1, 3, 6, 15, 22, 24
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC = 1, 4, 5, 7
RT_TABLE_LOCAL, FR_ACT_TO_TBL, FR_ACT_BLACKHOLE = 255, 1, 6
RT_TABLE_MAIN, RTPROT_STATIC, RTN_UNICAST, RTNH_F_ONLINK = 254, 4, 1, 4
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253
NDA_DST, NDA_LLADDR, NUD_PERMANENT, NUD_NOARP, NTF_SELF, NTF_MASTER = 1, 2, 0x80, 0x40, 2, 4
NLA_F_NESTED = 0x8000

IFLA_GENEVE_ID, IFLA_GENEVE_REMOTE, IFLA_GENEVE_PORT, IFLA_GENEVE_REMOTE6 = 1, 2, 5, 7
IFLA_GENEVE_UDP_ZERO_CSUM6_TX, IFLA_GENEVE_UDP_ZERO_CSUM6_RX = 9, 10
TUNNEL_NETWORK_ID = 1

_SEND_BYTES = 32 * 1024
_BUFFER_BYTES = 1 << 20
_RECEIVE_BYTES = 2 * _SEND_BYTES
"""What one read takes: a refusal holds the message that is refused. Not more, since malloc(3) would map and unmap the
space for each."""


class NetlinkError(OSError):
    """The kernel refused a message; `errno` as it said, the message's purpose in `strerror`."""


class Message:
    """One encoded request and, for errors, what it was meant to do."""

    __slots__ = ("acknowledged", "flags", "payload", "purpose", "tolerate")

    def __init__(
        self, kind: int, flags: int, body: bytes, purpose: str, tolerate: frozenset[int] = frozenset(),
        acknowledged: bool = True,
    ) -> None:  # fmt: skip
        self.flags = NLM_F_REQUEST | flags
        self.payload = struct.pack("=IHHII", 16 + len(body), kind, self.flags, 0, 0) + body
        self.purpose = purpose
        self.tolerate = tolerate
        self.acknowledged = acknowledged


def attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _u8(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=B", value))


def _u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def _mac(kind: int, value: str) -> bytes:
    return attribute(kind, bytes.fromhex(value.replace(":", "")))


def _family(address: IPAddress | IPNetwork) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _ifinfo(index: int = 0, up: bool = False, family: int = socket.AF_UNSPEC, down: bool = False) -> bytes:
    return struct.pack("=BxHiII", family, 0, index, IFF_UP if up else 0, IFF_UP if up or down else 0)


def _link_attributes(name: str, mac: str | None, mtu: int | None, netns_fd: int | None) -> bytes:
    parts = [_text(IFLA_IFNAME, name)]
    if mac is not None:
        parts.append(_mac(IFLA_ADDRESS, mac))
    if mtu is not None:
        parts.append(_u32(IFLA_MTU, mtu))
    if netns_fd is not None:
        parts.append(_u32(IFLA_NET_NS_FD, netns_fd))
    return b"".join(parts)


def _new_link(name: str, common: bytes, kind: str, data: bytes, up: bool = False, index: int = 0) -> Message:
    info = _text(IFLA_INFO_KIND, kind) + (attribute(IFLA_INFO_DATA | NLA_F_NESTED, data) if data else b"")
    body = _ifinfo(index, up) + common + attribute(IFLA_LINKINFO | NLA_F_NESTED, info)
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, f"create {kind} {name}")


def new_veth(
    name: str,
    peer_name: str,
    *,
    mac: str | None = None,
    peer_mac: str | None = None,
    mtu: int | None = None,
    netns_fd: int | None = None,
    peer_netns_fd: int | None = None,
) -> Message:
    """A veth pair, each end created in its own namespace (None: the socket's); `mtu` is for both."""
    peer = _ifinfo() + _link_attributes(peer_name, peer_mac, mtu, peer_netns_fd)
    return _new_link(name, _link_attributes(name, mac, mtu, netns_fd), "veth", attribute(VETH_INFO_PEER, peer))


def new_macvlan(name: str, lower: int, *, index: int, mac: str, mtu: int, netns_fd: int) -> Message:
    """A macvlan in private mode on the device `lower` of the socket's namespace, created in another one.

    `index` must be free in both. With one, the kernel looks for that in the socket's namespace and not for the name,
    which may be in use there (rtnl_newlink in net/core/rtnetlink.c).
    """
    common = _u32(IFLA_LINK, lower) + _link_attributes(name, mac, mtu, netns_fd)
    return _new_link(name, common, "macvlan", _u32(IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE), index=index)


def new_bridge(name: str) -> Message:
    return _new_link(name, _link_attributes(name, None, None, None), "bridge", b"", up=True)


def new_vxlan(name: str, *, local: IPAddress, mac: str, mtu: int, netns_fd: int) -> Message:
    """A VXLAN device that learns nothing: where a frame goes is in its forwarding database (RFC 7348).

    The device appears in the namespace `netns_fd`; its UDP socket is in the namespace of the netlink socket.
    """
    local_kind = IFLA_VXLAN_LOCAL if local.version == 4 else IFLA_VXLAN_LOCAL6
    data = (
        _u32(IFLA_VXLAN_ID, TUNNEL_NETWORK_ID)
        + attribute(local_kind, local.packed)
        + _u8(IFLA_VXLAN_LEARNING, 0)
        + attribute(IFLA_VXLAN_PORT, struct.pack("!H", VXLAN_PORT))
    )
    return _new_link(name, _link_attributes(name, mac, mtu, netns_fd), "vxlan", data)


def new_geneve(name: str, *, remote: IPAddress, mtu: int, netns_fd: int) -> Message:
    """A Geneve device to one other node (RFC 8926); which namespace has what as in `new_vxlan`."""
    data = (
        _u32(IFLA_GENEVE_ID, TUNNEL_NETWORK_ID)
        + attribute(IFLA_GENEVE_REMOTE if remote.version == 4 else IFLA_GENEVE_REMOTE6, remote.packed)
        + attribute(IFLA_GENEVE_PORT, struct.pack("!H", GENEVE_PORT))
    )
    return _new_link(name, _link_attributes(name, None, mtu, netns_fd), "geneve", data)


def set_link(
    index: int, *, up: bool = False, down: bool = False, name: str | None = None, master: int | None = None,
    netns_fd: int | None = None,
) -> Message:  # fmt: skip
    """Change an interface; with index 0, the one that is called `name` (which then is not a change)."""
    body = _ifinfo(index, up, down=down)
    if name is not None:
        body += _text(IFLA_IFNAME, name)
    if master is not None:
        body += _u32(IFLA_MASTER, master)
    if netns_fd is not None:
        body += _u32(IFLA_NET_NS_FD, netns_fd)
    return Message(RTM_NEWLINK, 0, body, f"change interface {name or index}")


def no_link_local(index: int) -> Message:
    """No link-local IPv6 address on this interface, to be said before it goes up: addresses are assigned here,
    and duplicate address detection would cost every pod a second."""
    mode = attribute(socket.AF_INET6, _u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE))
    return Message(RTM_NEWLINK, 0, _ifinfo(index) + attribute(IFLA_AF_SPEC, mode), f"set up IPv6 on interface {index}")


def set_bridge_port(index: int, *, learning: bool, flood: bool) -> Message:
    """What a bridge port learns, and whether frames for everybody or nobody known leave by it."""
    flags = (
        _u8(IFLA_BRPORT_LEARNING, learning)
        + _u8(IFLA_BRPORT_UNICAST_FLOOD, flood)
        + _u8(IFLA_BRPORT_MCAST_FLOOD, flood)
        + _u8(IFLA_BRPORT_BCAST_FLOOD, flood)
    )
    body = _ifinfo(index, family=socket.AF_BRIDGE) + attribute(IFLA_PROTINFO | NLA_F_NESTED, flags)
    # Only "set" reaches the bridge: "new" would succeed and change nothing.
    return Message(RTM_SETLINK, 0, body, f"set flags of bridge port {index}")


def delete_link(name: str) -> Message:
    tolerate = frozenset({errno.ENODEV})
    return Message(RTM_DELLINK, 0, _ifinfo() + _text(IFLA_IFNAME, name), f"delete interface {name}", tolerate)


def add_address(index: int, address: IPAddress, prefix_length: int) -> Message:
    body = struct.pack("=BBBBI", _family(address), prefix_length, 0, 0, index)
    body += attribute(IFA_LOCAL, address.packed) + attribute(IFA_ADDRESS, address.packed)
    body += _u32(IFA_FLAGS, IFA_F_NODAD)
    return Message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body, f"add address {address}/{prefix_length}")


def add_route(
    index: int, to: IPNetwork, *, via: IPAddress | None = None, onlink: bool = False, source: IPAddress | None = None,
    table: int = RT_TABLE_MAIN,
) -> Message:  # fmt: skip
    scope = RT_SCOPE_UNIVERSE if via is not None or to.version == 6 else RT_SCOPE_LINK
    flags = RTNH_F_ONLINK if onlink else 0
    body = struct.pack("=BBBBBBBBI", _family(to), to.prefixlen, 0, 0, table, RTPROT_STATIC, scope, RTN_UNICAST, flags)
    if to.prefixlen:
        body += attribute(RTA_DST, to.network_address.packed)
    if via is not None:
        body += attribute(RTA_GATEWAY, via.packed)
    if source is not None:
        body += attribute(RTA_PREFSRC, source.packed)
    body += _u32(RTA_OIF, index)
    return Message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body, f"add route to {to}")


@dataclass(frozen=True, slots=True)
class Rule:
    """Which routing table packets go by (ip-rule(8)): those that came in by `interface` ("lo": that are sent here), go
    to `to`, are of `protocol` and go to one of `ports`; None = any. The least `priority` is asked first. Without a
    `table` they go nowhere."""

    ip_version: int
    priority: int
    table: int | None
    interface: str | None = None
    to: IPAddress | IPNetwork | None = None
    protocol: int | None = None
    ports: range | None = None

    def _body(self) -> bytes:
        family = socket.AF_INET if self.ip_version == 4 else socket.AF_INET6
        to = None if self.to is None else ip_network(self.to)
        action = FR_ACT_BLACKHOLE if self.table is None else FR_ACT_TO_TBL
        body = struct.pack("=BBBBBBBBI", family, to.prefixlen if to else 0, 0, 0, self.table or 0, 0, 0, action, 0)
        body += _u32(FRA_PRIORITY, self.priority)
        if self.table is not None:
            body += _u32(FRA_TABLE, self.table)
        if self.interface is not None:
            body += _text(FRA_IIFNAME, self.interface)
        if to is not None:
            body += attribute(FRA_DST, to.network_address.packed)
        if self.protocol is not None:
            body += _u8(FRA_IP_PROTO, self.protocol)
        if self.ports is not None:
            body += attribute(FRA_DPORT_RANGE, struct.pack("=HH", self.ports[0], self.ports[-1]))
        return body

    def added(self) -> Message:
        """Idempotent."""
        tolerate = frozenset({errno.EEXIST})
        return Message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, self._body(), f"add rule {self}", tolerate)

    def deleted(self, must_exist: bool = False) -> Message:
        """Idempotent, or an error where there is none. One rule that is like this one, whatever else it says."""
        tolerate = frozenset(() if must_exist else {errno.ENOENT})
        return Message(RTM_DELRULE, 0, self._body(), f"delete rule {self}", tolerate)


def add_neighbour(index: int, address: IPAddress, mac: str) -> Message:
    body = struct.pack("=BxxxiHBB", _family(address), index, NUD_PERMANENT, 0, 0)
    body += attribute(NDA_DST, address.packed) + _mac(NDA_LLADDR, mac)
    return Message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body, f"add neighbour {address}")


def add_vxlan_fdb(index: int, mac: str, remote: IPAddress) -> Message:
    """Frames to `mac` leave this VXLAN device for the node at `remote`."""
    body = struct.pack("=BxxxiHBB", socket.AF_BRIDGE, index, NUD_PERMANENT | NUD_NOARP, NTF_SELF, 0)
    body += _mac(NDA_LLADDR, mac) + attribute(NDA_DST, remote.packed)
    return Message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body, f"add FDB entry {mac} -> {remote}")


def add_bridge_fdb(index: int, mac: str) -> Message:
    """Frames to `mac` leave their bridge by this port. (A *permanent* entry would mean: they are the bridge's own.)"""
    body = struct.pack("=BxxxiHBB", socket.AF_BRIDGE, index, NUD_NOARP, NTF_MASTER, 0)
    body += _mac(NDA_LLADDR, mac)
    return Message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body, f"add FDB entry {mac}")


class Socket:
    """A netlink socket of the network namespace in which it was made."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.bind((0, 0))

    def __enter__(self) -> Socket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def run(self, messages: Iterable[Message]) -> None:
        """Send all and wait until all are done. Raises NetlinkError for the first refusal of a batch."""
        for batch in _batches(messages):
            self._run_batch(batch)

    def _run_batch(self, batch: Sequence[Message]) -> None:
        # They are done one after the other, and refusals are told unasked: the last one's answer is the end of all.
        last = max(sequence for sequence, message in enumerate(batch) if message.acknowledged)
        buffer = bytearray()
        for sequence, message in enumerate(batch):
            start = len(buffer)
            buffer += message.payload
            flags = message.flags | (NLM_F_ACK if sequence == last else 0)
            struct.pack_into("=HI", buffer, start + 6, flags, sequence)
        self._socket.send(buffer)
        refusals: list[NetlinkError] = []
        answered = False
        while not answered:
            data = self._socket.recv(_RECEIVE_BYTES)
            offset = 0
            while offset < len(data):
                length, kind, _, sequence = struct.unpack_from("=IHHI", data, offset)
                if kind == NLMSG_ERROR:
                    message = batch[sequence]
                    number = -struct.unpack_from("=i", data, offset + 16)[0]
                    # What is refused without having asked for an answer takes all the rest with it.
                    answered |= sequence == last or (number != 0 and not message.acknowledged)
                    if number and number not in message.tolerate:
                        refusals.append(NetlinkError(number, f"{message.purpose}: {os.strerror(number)}"))
                offset += (length + 3) & ~3
        if refusals:
            raise refusals[0]


def _batches(messages: Iterable[Message]) -> Iterable[Sequence[Message]]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        if batch and size + len(message.payload) > _SEND_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.payload)
    if batch:
        yield batch
