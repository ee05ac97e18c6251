"""What the responder serves, as data: the language between `images` and `responder`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

Protocol = Literal["tcp", "udp", "sctp"]
Kind = Literal["application", "netexec", "serve-hostname", "http-hostname", "text", "dns"]
"""How a server answers:

application     HTTP and gRPC health and lines over TCP/SCTP, told apart by the first bytes; echo over UDP
netexec         agnhost netexec: its paths over HTTP, its words over UDP and SCTP
serve-hostname  agnhost serve-hostname: the hostname to whoever connects (TCP) or sends anything (UDP)
http-hostname   agnhost serve-hostname over HTTP: the hostname at every path
text            `text` at every path over HTTP, and to whoever sends anything over SCTP
dns             the cluster's DNS, over UDP and TCP
"""


@dataclass(frozen=True, slots=True)
class Server:
    """One listening socket. `close`: one request per connection."""

    protocol: Protocol
    port: int
    kind: Kind
    text: str = ""
    close: bool = False

    def as_json(self) -> dict[str, Any]:
        brief: dict[str, Any] = {"protocol": self.protocol, "port": self.port, "kind": self.kind}
        if self.text:
            brief["text"] = self.text
        if self.close:
            brief["close"] = True
        return brief


def server_of(data: Mapping[str, Any]) -> Server:
    """The Server of its JSON form. Raises ValueError where it is none."""
    server = Server(
        data["protocol"], data["port"], data["kind"], str(data.get("text", "")), bool(data.get("close", False))
    )
    if server.protocol not in get_args(Protocol) or server.kind not in get_args(Kind):
        raise ValueError(f"not a server: {data}")
    if not isinstance(server.port, int) or not 0 <= server.port < 65536:
        raise ValueError(f"not a port: {server.port!r}")
    return server


@dataclass(frozen=True, slots=True)
class ServedContainer:
    """A container whose program is only sockets.

    `id` is "<pod uid>/<container>", `netns` a path (None: where the responder is), `delay_shutdown_s` how long it
    goes on serving after it was asked to terminate, `log` the file of what it prints.
    """

    id: str
    netns: str | None
    hostname: str
    servers: tuple[Server, ...]
    delay_shutdown_s: float = 0.0
    log: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "netns": self.netns,
            "hostname": self.hostname,
            "servers": [server.as_json() for server in self.servers],
            "delay_shutdown_s": self.delay_shutdown_s,
            "log": self.log,
        }


def container_of(data: Mapping[str, Any]) -> ServedContainer:
    """The ServedContainer of its JSON form. Raises KeyError or ValueError where it is none."""
    return ServedContainer(
        str(data["id"]),
        cast("str | None", data["netns"]),
        str(data["hostname"]),
        tuple(server_of(server) for server in data["servers"]),
        float(data.get("delay_shutdown_s", 0)),
        data.get("log"),
    )
