"""Listening sockets, bound in the namespace that the caller is in."""

from __future__ import annotations

import errno
import socket

from topo.servers import Protocol

_BACKLOG = 4096
"""As large as it gets: the kernel cuts it to net.core.somaxconn of the namespace."""
_IP_PKTINFO = 8
"""linux/in.h; the socket module lacks it before Python 3.14."""
_NO_SUCH_PROTOCOL = (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT)

_TYPES: dict[Protocol, tuple[int, int]] = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}


class ProtocolMissing(Exception):
    """The kernel has no such protocol."""


def listening(protocol: Protocol, port: int) -> socket.socket:
    """A non-blocking server socket on every address of both families.

    Raises ProtocolMissing; OSError, with EADDRINUSE where somebody else listens there.
    """
    made = _create(protocol)
    try:
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if protocol == "udp":
            _tell_destinations(made)
        else:
            # Connections in TIME_WAIT must not keep a restarted container from its port. (For UDP the same option
            # would let two containers share one.)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("::" if made.family == socket.AF_INET6 else "0.0.0.0", port))
        if protocol != "udp":
            made.listen(_BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _create(protocol: Protocol) -> socket.socket:
    kind, number = _TYPES[protocol]
    try:
        return socket.socket(socket.AF_INET6, kind, number)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT and error.errno not in _NO_SUCH_PROTOCOL:
            raise
    try:
        return socket.socket(socket.AF_INET, kind, number)
    except OSError as error:
        if error.errno in _NO_SUCH_PROTOCOL:
            raise ProtocolMissing(f"the kernel has no {protocol.upper()} (module {protocol})") from None
        raise


def _tell_destinations(udp: socket.socket) -> None:
    """Have recvmsg say to which address a datagram came: the answer must come from there."""
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def from_destination(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """Control messages for an answer that leaves from the address to which the question came, by any interface.

    struct in6_pktinfo is address, interface index; struct in_pktinfo index, local address, header's address.
    """
    answer = []
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and data[0] != 0xFF:
            answer.append((level, kind, data[:16] + bytes(4)))
        elif level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            answer.append((level, kind, bytes(4) + data[4:8] + bytes(4)))
    return answer


def shown(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """An address as Go prints it: `10.0.0.1:80` (also where it is mapped into IPv6), `[fd00::1]:80`."""
    host, port = address[0], address[1]
    mapped = host.removeprefix("::ffff:")
    if mapped != host and "." in mapped:
        host = mapped
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
