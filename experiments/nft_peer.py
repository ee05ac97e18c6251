"""A node whose Services are nftables rules, for comparison: python -m experiments.nft_peer STYLE COUNT.

`iptables`: a chain that every new connection goes down rule by rule, as kube-proxy's iptables mode makes it. `nftables`:
one lookup in a map, as its nftables mode. The Service that counts is the last one. Two namespaces and a cable.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

from experiments import isolated, kernel

CLIENT, SERVER = "client", "server"
SERVER_ADDRESS = IPv4Address("192.0.2.2")
PORT, TARGET_PORT = 80, 8080
_FIRST_IP = IPv4Address("10.96.64.0")
STYLES = ("iptables", "nftables")


def cluster_ip(number: int) -> str:
    return str(_FIRST_IP + number)


def ruleset(style: str, count: int) -> str:
    return "\n".join(("table ip services {", *_rules(style, count), "}"))


def _rules(style: str, count: int) -> Iterator[str]:
    hook = "type nat hook output priority -100; policy accept;"
    to = f"{SERVER_ADDRESS} : {TARGET_PORT}"
    if style == "iptables":
        yield f"chain services {{ {hook}"
        for number in range(count):
            yield f"ip daddr {cluster_ip(number)} tcp dport {PORT} counter dnat to {to.replace(' ', '')}"
        yield "}"
        return
    entries = ", ".join(f"{cluster_ip(number)} . {PORT} : {SERVER_ADDRESS} . {TARGET_PORT}" for number in range(count))
    yield "map service-ips { type ipv4_addr . inet_service : ipv4_addr . inet_service;"
    yield f"elements = {{ {entries} }}"
    yield "}"
    yield f"chain services {{ {hook}"
    yield "dnat ip to ip daddr . tcp dport map @service-ips"
    yield "}"


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True)


def build(style: str, count: int) -> None:
    kernel.mount("tmpfs", "/run", "tmpfs")
    Path(kernel.NETNS).mkdir()
    for name in (CLIENT, SERVER):
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
    _ip("-n", CLIENT, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", SERVER)
    for name, address in ((CLIENT, SERVER_ADDRESS - 1), (SERVER, SERVER_ADDRESS)):
        _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
    _ip("-n", CLIENT, "route", "add", "default", "via", str(SERVER_ADDRESS))
    inside = ("ip", "netns", "exec", CLIENT, "nft", "-f", "-")
    subprocess.run(inside, input=ruleset(style, count), text=True, check=True)


if __name__ == "__main__":
    build(sys.argv[1], int(sys.argv[2]))
    isolated.report_ready()
