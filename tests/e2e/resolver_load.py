"""Runs in a pod: names looked up by the C library at a steady rate. Prints what failed, as JSON, when its time is over.

    resolver_load.py NAME LOOKUPS_PER_S SECONDS     a lookup is two queries, for A and AAAA
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor


def look_up(name: str) -> str:
    """Nothing, or what failed."""
    try:
        socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    except OSError as error:
        return repr(error)
    return ""


def main() -> None:
    name, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    began = time.monotonic()
    with ThreadPoolExecutor(200) as pool:
        running = []
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            running.append(pool.submit(look_up, name))
        issued_s = time.monotonic() - began
        outcomes = Counter(each.result() for each in running)
    failed = {error: count for error, count in outcomes.items() if error}
    print(json.dumps({"made": len(running), "failed": failed, "issued_s": issued_s, "s": time.monotonic() - began}))


if __name__ == "__main__":
    main()
