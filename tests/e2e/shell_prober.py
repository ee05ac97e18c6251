"""Runs in a pod or on a node: a line of JSON in, a command; a line of JSON out, its status and output."""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> None:
    for line in sys.stdin:
        done = subprocess.run(json.loads(line), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        print(json.dumps([done.returncode, done.stdout, done.stderr]), flush=True)


if __name__ == "__main__":
    main()
