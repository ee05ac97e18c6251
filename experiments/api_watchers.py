"""Many watchers of pods in a process of their own: `python -m experiments.api_watchers KUBECONFIG COUNT`.

Prints "ready" when all of them are connected; at the end of its standard input, when each of them received which pod:
{"arrivals": [{pod: seconds}, …]} by CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time
from pathlib import Path

from experiments.api_client import Access, read_access
from experiments.isolated import READY

_NAME = re.compile(rb'"type":"ADDED","object":.*?"metadata":\{"name":"([^"]+)"')
_LIMIT_BYTES = 1 << 24

Arrivals = dict[str, float]


def main(kubeconfig: str, count: str) -> None:
    asyncio.run(_run(read_access(Path(kubeconfig)), int(count)))


async def _run(access: Access, count: int) -> None:
    arrivals: list[Arrivals] = [{} for _ in range(count)]
    readers = [await _connect(access) for _ in range(count)]
    tasks = [asyncio.ensure_future(_follow(reader, one)) for reader, one in zip(readers, arrivals, strict=True)]
    print(READY, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    print(json.dumps({"arrivals": arrivals}), flush=True)


async def _connect(access: Access) -> asyncio.StreamReader:
    context = ssl.create_default_context(cadata=access.certificate_authority)
    reader, writer = await asyncio.open_connection(access.host, access.port, ssl=context, limit=_LIMIT_BYTES)
    # From now on: a revision of 0 would send everything that is there first.
    request = "GET /api/v1/namespaces/default/pods?watch=true&resourceVersion=0 HTTP/1.1"
    writer.write(f"{request}\r\nHost: {access.host}\r\nAuthorization: Bearer {access.token}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader


async def _follow(reader: asyncio.StreamReader, arrivals: Arrivals) -> None:
    """Chunked transfer coding (RFC 9112, section 7.1); an event is a line, which may span chunks."""
    rest = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        rest += (await reader.readexactly(size + 2))[:-2]
        now = time.monotonic()
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if match := _NAME.search(line):
                arrivals.setdefault(match[1].decode(), now)


if __name__ == "__main__":
    main(*sys.argv[1:])
