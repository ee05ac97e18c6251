"""Runs in a pod: new connections at a steady rate, each asking once. Prints what failed, as JSON, when its time is over.

    load.py HOST PORT RATE SECONDS
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

_PATIENCE_S = 4.0


async def ask(host: str, port: int) -> str:
    """Who answered. Raises OSError or TimeoutError."""
    async with asyncio.timeout(_PATIENCE_S):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"GET /hostname HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        finally:
            writer.close()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"answered {answer[:40]!r}")
    return answer.partition(b"\r\n\r\n")[2].decode()


async def load(host: str, port: int, rate: float, seconds: float) -> dict[str, object]:
    began = time.monotonic()
    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(ask(host, port)))
    done = await asyncio.gather(*tasks, return_exceptions=True)
    failed = Counter(repr(each) for each in done if isinstance(each, BaseException))
    answered = Counter(each for each in done if isinstance(each, str))
    seconds_of = Counter(int(number / rate) for number, each in enumerate(done) if isinstance(each, BaseException))
    return {"failed_in_second": dict(seconds_of), "made": len(done), "failed": dict(failed), "answered": dict(answered), "s": time.monotonic() - began}


def main() -> None:
    host, port, rate, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(load(host, int(port), float(rate), float(seconds)))))


if __name__ == "__main__":
    main()
