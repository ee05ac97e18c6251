"""Runs in a client outside of a cluster: which of many ports answer. Prints [[host, port, "tcp" or "udp"], …] as JSON.

Its standard input is JSON: {"tcp": [[host, [port, …]], …], "udp": …, "patience_s": seconds}. TCP answers by letting itself be
connected to, UDP by sending anything back.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time

AT_A_TIME = 300
QUESTION = b"hostname"
DNS_QUESTION = bytes.fromhex("abcd01000001000000000000") + b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01"


async def connects(host: str, port: int, patience_s: float, slots: asyncio.Semaphore) -> bool:
    async with slots:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), patience_s)
        except (OSError, asyncio.TimeoutError):
            return False
        writer.transport.abort()
        return True


def answering(targets: list[tuple[str, int]], patience_s: float) -> list[tuple[str, int]]:
    """One socket asks all of one IP family."""
    found = set()
    for family in (socket.AF_INET, socket.AF_INET6):
        with socket.socket(family, socket.SOCK_DGRAM) as asker:
            asker.bind(("", 0))
            for host, port in targets:
                if (":" in host) == (family == socket.AF_INET6):
                    asker.sendto(DNS_QUESTION if port == 53 else QUESTION, (host, port))
            end = time.monotonic() + patience_s
            while (left := end - time.monotonic()) > 0:
                asker.settimeout(left)
                try:
                    found.add(asker.recvfrom(4096)[1][:2])
                except TimeoutError:
                    break
    return sorted(found)


async def main() -> None:
    asked = json.load(sys.stdin)
    slots = asyncio.Semaphore(AT_A_TIME)
    tcp, udp = ([(host, port) for host, ports in asked[kind] for port in ports] for kind in ("tcp", "udp"))
    results = await asyncio.gather(*(connects(host, port, asked["patience_s"], slots) for host, port in tcp))
    found = [[*target, "tcp"] for target, connected in zip(tcp, results, strict=True) if connected]
    found += [[*target, "udp"] for target in answering(udp, 2 * asked["patience_s"])]
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
