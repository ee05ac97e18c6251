"""A DNS server of the responder over loopback sockets, and names for it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import dns.message
import dns.query
import samples
from dns.message import Message

from cluster.client import Batch, Event
from cluster.dns_index import Index
from cluster.dns_state import DnsState
from cluster.objects import Object
from topo.responder.dns_server import DnsServer
from topo.responder.dns_wire import LARGEST_UDP_BYTES
from topo.responder.names import Names
from topo.responder.registry import Registry
from topo.servers import Protocol, ServedContainer, Server

LIMIT_S = 5
WEB = "web.default.svc.cluster.local."
DB = "db.default.svc.cluster.local."
ENDPOINTS = 300


def index() -> Index:
    """A Service, one with many headless endpoints, an alias, and one that is no domain name."""
    web = samples.service("web", clusterIPs=["10.96.1.1"], ports=[{"name": "http", "port": 80}])
    long = samples.service("long", type="ExternalName", externalName=f"{'x' * 64}.org")
    alias = samples.service("alias", type="ExternalName", externalName="example.org")
    objects = [web, long, alias, samples.service("db", clusterIP="None"), many_endpoints()]
    return DnsState().take(Batch(1, tuple(Event("ADDED", obj) for obj in objects)))


def many_endpoints() -> Object:
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(ENDPOINTS)]
    labels = {"kubernetes.io/service-name": "db"}
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": "db-1", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses],
        "ports": [{"name": "sql", "port": 5432}],
    }


def response(found: Index, query: bytes, protocol: Protocol) -> bytes | None:
    """What a server that knows these names answers at once."""
    names = Names()
    names.index = found
    answer = DnsServer(names).respond(query, protocol)
    assert answer is None or isinstance(answer, bytes)
    return answer


class Site:
    """A DNS server of a responder's registry on `port`, over UDP and TCP."""

    def __init__(self, names: Names, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
            self.port = int(probe.getsockname()[1])
        self.registry = Registry(lambda id, code: None, names)
        described = (Server("udp", self.port, "dns"), Server("tcp", self.port, "dns"))
        self.container = ServedContainer("u1/coredns", None, "coredns-1", described)

    def udp(self, query: Message, host: str = "127.0.0.1") -> Message:
        return dns.query.udp(query, host, LIMIT_S, self.port)

    def tcp(self, query: Message) -> Message:
        return dns.query.tcp(query, "127.0.0.1", LIMIT_S, self.port)


@contextmanager
def serving(names: Names) -> Iterator[Site]:
    """A site whose event loop runs in a thread, so that the test can use a client that blocks."""
    loop = asyncio.new_event_loop()
    site = Site(names, loop)
    thread = Thread(target=loop.run_forever)
    thread.start()

    async def serve() -> None:
        assert site.registry.serve(site.container).error is None

    async def clear() -> None:
        site.registry.clear()

    try:
        asyncio.run_coroutine_threadsafe(serve(), loop).result(LIMIT_S)
        yield site
    finally:
        asyncio.run_coroutine_threadsafe(clear(), loop).result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def query(name: str, type: str = "A", payload: int | None = LARGEST_UDP_BYTES) -> Message:
    return dns.message.make_query(name, type, use_edns=payload is not None, payload=payload)


def data(message: Message) -> list[str]:
    return [str(rdata) for rrset in message.answer for rdata in rrset]


def server_of(found: Index) -> DnsServer:
    names = Names()
    names.index = found
    return DnsServer(names)


def told(server: DnsServer, asked: Message) -> Message:
    answer = server.respond(asked.to_wire(), "udp")
    assert isinstance(answer, bytes)
    return dns.message.from_wire(answer)
