"""DNS servers whose code is loaded when it is needed: not before, and they answer as if it had been there."""

from __future__ import annotations

import subprocess
import sys

import dns_site

from topo.responder.dns_later import Dns

_NAMES_LOADED = """
import asyncio, sys
from topo.responder import dns_later
import topo.responder.__main__
from topo.responder.names import Names

def loaded():
    return "topo.responder.dns_server" in sys.modules, any(name.split(".")[0] == "dns" for name in sys.modules)

async def main():
    print(*loaded())
    dns_later.LATER_S = 0.01
    dns_later.Dns(Names()).start()
    print(*loaded())
    while not all(loaded()):
        await asyncio.sleep(0.01)

asyncio.run(asyncio.wait_for(main(), 10))
"""


def test_the_code_is_loaded_a_while_after_the_first_server_serves() -> None:
    done = subprocess.run([sys.executable, "-c", _NAMES_LOADED], capture_output=True, text=True, timeout=30)
    assert (done.stdout.split(), done.stderr, done.returncode) == (["False"] * 4, "", 0)


def test_the_first_query_loads_it() -> None:
    server = Dns(dns_site.server_of(dns_site.index()).names)
    query = dns_site.query(dns_site.WEB).to_wire()
    assert server.respond(query, "udp") == dns_site.response(dns_site.index(), query, "udp")
