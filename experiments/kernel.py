"""Namespaces and rtnetlink messages for the floor: the fewest bytes and system calls that do it (rtnetlink(7)).

On purpose not the testbed's own encoding: a floor built from what it is the measure of would sink with it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

CLONE_NEWNET = 0x40000000
_MS_BIND = 4096
NETNS = "/run/netns"
_OWN = "/proc/self/ns/net"
_LIBC = ctypes.CDLL(None, use_errno=True)

# linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h: the names are theirs.
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
NLMSG_ERROR, RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH = 2, 16, 20, 24, 28
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 4, 5, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE = 1, 1
IFLA_VXLAN_ID, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LEARNING, IFLA_VXLAN_PORT = 1, 4, 7, 15
IFA_ADDRESS, IFA_LOCAL, RTA_OIF, RTA_GATEWAY, NDA_DST, NDA_LLADDR = 1, 2, 4, 5, 1, 2
RTNH_F_ONLINK, NUD_PERMANENT, NUD_NOARP, NTF_SELF = 4, 0x80, 0x40, 2
LOOPBACK = 1


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def setns(fd: int) -> None:
    _checked(_LIBC.setns(fd, CLONE_NEWNET))


def mount(source: str, target: str, kind: str | None = None, flags: int = 0) -> None:
    _checked(_LIBC.mount(source.encode(), target.encode(), kind.encode() if kind else None, flags, None))


def open_home() -> int:
    return os.open(_OWN, os.O_RDONLY)


def new_namespace(name: str) -> int:
    """Make a network namespace, pin it, stay in it; its descriptor."""
    _checked(_LIBC.unshare(CLONE_NEWNET))
    path = f"{NETNS}/{name}"
    os.close(os.open(path, os.O_CREAT, 0o444))
    mount(_OWN, path, flags=_MS_BIND)
    return os.open(path, os.O_RDONLY)


def set_sysctl(path: str, value: str) -> None:
    (Path("/proc/sys/net") / path).write_text(value)


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _u32(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _mac(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_ACK | flags, 0, 0) + body


def _ifinfo(index: int = 0, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, up, up)


def _link(name: str, mac: str, mtu: int, netns: int | None = None, index: int = 0, up: bool = False) -> bytes:
    body = _ifinfo(index, up) + _attribute(IFLA_IFNAME, name.encode()) + _attribute(IFLA_ADDRESS, _mac(mac))
    return body + _u32(IFLA_MTU, mtu) + (b"" if netns is None else _u32(IFLA_NET_NS_FD, netns))


def _create(link: bytes, kind: str, data: bytes = b"") -> bytes:
    info = _attribute(IFLA_INFO_KIND, kind.encode()) + (_attribute(IFLA_INFO_DATA, data) if data else b"")
    return _message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link + _attribute(IFLA_LINKINFO, info))


def bridge(name: str, mac: str, mtu: int) -> bytes:
    return _create(_link(name, mac, mtu, up=True), "bridge")


def veth(name: str, mac: str, peer: str, peer_mac: str, mtu: int, peer_netns: int, peer_index: int) -> bytes:
    """A veth pair; the peer gets that index in its namespace, so that nobody has to ask for it."""
    other = _link(peer, peer_mac, mtu, peer_netns, peer_index)
    return _create(_link(name, mac, mtu, up=True), "veth", _attribute(VETH_INFO_PEER, other))


def macvlan(name: str, lower: int, mac: str, mtu: int, netns: int, index: int) -> bytes:
    link = _link(name, mac, mtu, netns, index) + _u32(IFLA_LINK, lower)
    return _create(link, "macvlan", _u32(IFLA_MACVLAN_MODE, MACVLAN_MODE_PRIVATE))


def vxlan(name: str, local: IPv4Address, mac: str, mtu: int, index: int, netns: int) -> bytes:
    """Made in `netns` at once; its UDP socket stays in the namespace of the netlink socket."""
    data = _u32(IFLA_VXLAN_ID, 1) + _attribute(IFLA_VXLAN_LOCAL, local.packed)
    data += _attribute(IFLA_VXLAN_LEARNING, b"\0") + _attribute(IFLA_VXLAN_PORT, struct.pack("!H", 4789))
    return _create(_link(name, mac, mtu, netns, index), "vxlan", data)


def change(index: int, *, name: str = "", up: bool = False, master: int = 0) -> bytes:
    """Change an interface; with index 0, the one of that name."""
    body = _ifinfo(index, up) + (_attribute(IFLA_IFNAME, name.encode()) if name else b"")
    body += _u32(IFLA_MASTER, master) if master else b""
    return _message(RTM_NEWLINK, 0, body)


def address(index: int, ip: IPv4Address, prefix_length: int) -> bytes:
    body = struct.pack("=BBBBI", socket.AF_INET, prefix_length, 0, 0, index)
    body += _attribute(IFA_LOCAL, ip.packed) + _attribute(IFA_ADDRESS, ip.packed)
    return _message(RTM_NEWADDR, NLM_F_CREATE, body)


def default_route(index: int, via: IPv4Address) -> bytes:
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 4, 0, 1, RTNH_F_ONLINK)
    return _message(RTM_NEWROUTE, NLM_F_CREATE, body + _attribute(RTA_GATEWAY, via.packed) + _u32(RTA_OIF, index))


def neighbour(index: int, ip: IPv4Address, mac: str) -> bytes:
    body = struct.pack("=BxxxiHBB", socket.AF_INET, index, NUD_PERMANENT, 0, 0)
    body += _attribute(NDA_DST, ip.packed) + _attribute(NDA_LLADDR, _mac(mac))
    return _message(RTM_NEWNEIGH, NLM_F_CREATE, body)


def fdb(index: int, mac: str, remote: IPv4Address) -> bytes:
    body = struct.pack("=BxxxiHBB", socket.AF_BRIDGE, index, NUD_PERMANENT | NUD_NOARP, NTF_SELF, 0)
    body += _attribute(NDA_LLADDR, _mac(mac)) + _attribute(NDA_DST, remote.packed)
    return _message(RTM_NEWNEIGH, NLM_F_CREATE, body)


class Socket:
    """A netlink socket of the namespace it was made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def run(self, messages: Sequence[bytes]) -> None:
        """Send all in one system call and take every acknowledgement. Raises OSError for a refusal."""
        self._socket.send(b"".join(messages))
        waiting = len(messages)
        while waiting:
            data = self._socket.recv(1 << 18)
            offset = 0
            while offset < len(data):
                length, kind = struct.unpack_from("=IH", data, offset)
                if kind == NLMSG_ERROR:
                    waiting -= 1
                    number = -struct.unpack_from("=i", data, offset + 16)[0]
                    if number:
                        raise OSError(number, f"netlink: {os.strerror(number)}")
                offset += (length + 3) & ~3

    def close(self) -> None:
        self._socket.close()


def run_here(messages: Sequence[bytes]) -> None:
    """In the namespace that the caller is in."""
    own = Socket()
    own.run(messages)
    own.close()
