"""Requests over HTTP/1.1: {"address", "port", "host", "path", "connections": "new" or "kept"}, and what `pacing` takes."""

from __future__ import annotations

import asyncio

from experiments.scripted.programs.pacing import Ask, main

_LONGEST_NAME = 64


class Server:
    """What is asked, and the connections to it that wait for the next request."""

    def __init__(self, options: dict[str, object]) -> None:
        self._address, self._port = str(options["address"]), int(str(options["port"]))
        self._kept = options["connections"] == "kept"
        ending = "" if self._kept else "Connection: close\r\n"
        self._request = f"GET {options['path']} HTTP/1.1\r\nHost: {options['host']}\r\n{ending}\r\n".encode()
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, _number: int) -> str:
        """Who answered: the first line of a short answer."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._address, self._port)
        try:
            writer.write(self._request)
            who, reusable = await self._answer(reader)
        except BaseException:
            writer.transport.abort()
            raise
        if self._kept and reusable:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return who

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, bool]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, _, rest = head.partition("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in
                  (line.partition(":") for line in rest.split("\r\n") if line)}
        length = fields.get("content-length")
        body = await (reader.read() if length is None else reader.readexactly(int(length)))
        if status.split()[1:2] != ["200"]:
            raise ValueError(status)
        line = body.decode("utf-8", "replace").strip()
        who = line if len(line) <= _LONGEST_NAME and "\n" not in line else ""
        return who, length is not None and fields.get("connection", "").lower() != "close"


def asking(options: dict[str, object]) -> Ask:
    return Server(options).ask


if __name__ == "__main__":
    main(asking)
