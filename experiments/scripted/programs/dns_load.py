"""Questions to a DNS server over UDP: {"address", "port", "names": [...], "type": "A" or "AAAA"}, and what `pacing` takes."""

from __future__ import annotations

import asyncio
import struct

from experiments.scripted.programs.pacing import Ask, main

_TYPES = {"A": 1, "AAAA": 28}


class Resolver(asyncio.DatagramProtocol):
    """One socket; whoever asks waits for the answer that has the number of its question."""

    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[bytes]] = {}

    def datagram_received(self, data: bytes, _address: object) -> None:
        future = self.waiting.get(int.from_bytes(data[:2], "big"))
        if future is not None and not future.done():
            future.set_result(data)

    def error_received(self, error: Exception) -> None:
        """A port that refuses says so of the socket, not of a question: all that wait have asked there."""
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(error)


def question(number: int, name: str, kind: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", _TYPES[kind], 1)


class Questions:
    """The names in turn, over one socket that the first of them opens."""

    def __init__(self, options: dict[str, object]) -> None:
        assert isinstance(options["names"], list)
        self._names, self._kind = options["names"], str(options["type"])
        self._place = (str(options["address"]), int(str(options["port"])))
        self._opening: asyncio.Future[tuple[asyncio.DatagramTransport, Resolver]] | None = None

    async def ask(self, number: int) -> str:
        """Raises ValueError where the answer has no address."""
        if self._opening is None:
            endpoint = asyncio.get_running_loop().create_datagram_endpoint(Resolver, remote_addr=self._place)
            self._opening = asyncio.ensure_future(endpoint)
        transport, resolver = await asyncio.shield(self._opening)
        id = number & 0xFFFF
        resolver.waiting[id] = future = asyncio.get_running_loop().create_future()
        try:
            transport.sendto(question(id, self._names[number % len(self._names)], self._kind))
            answer = await future
        finally:
            resolver.waiting.pop(id, None)
        if answer[3] & 15 or answer[6:8] == b"\0\0":
            raise ValueError(f"answer code {answer[3] & 15}")
        return ""


def asking(options: dict[str, object]) -> Ask:
    return Questions(options).ask


if __name__ == "__main__":
    main(asking)
