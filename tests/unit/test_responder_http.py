"""What the responder answers, over loopback sockets (topo/responder)."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl

import pytest
from responder_site import LIMIT_S, Site, on

from topo.responder import paths
from topo.responder.http1 import BadRequest, Parser, Request, Response, encode
from topo.responder.words import answer as answer_words
from topo.servers import Server

# --- netexec


@pytest.mark.parametrize(
    ("target", "status", "body"),
    [
        ("/hostname", 200, "web-1"),
        ("/hostName", 200, "web-1"),
        ("/echo?msg=a%20b", 200, "a b"),
        ("/echo?msg=no&code=404", 404, "no"),
        ("/echo?msg=no&code=x", 200, "argument 'code' must be an integer or empty, got \"x\"\n"),
        ("/healthz", 412, ""),
        ("/readyz", 412, ""),
        ("/header?key=Host", 200, "x"),
        ("/dial?host=127.0.0.1&port=1", 400, "request parameter not specified.\n"),
        ("/dial?host=127.0.0.1&port=1&request=a&protocol=icmp", 400, "unsupported protocol. icmp\n"),
        ("/dial?host=127.0.0.1&port=x&request=a", 400, "host and/or port param are invalid. 127.0.0.1:x\n"),
        ("/exit?timeout=x", 200, "argument 'timeout' must be a valid golang duration or empty, got \"x\"\n"),
    ],
)
def test_netexec_paths(target: str, status: int, body: str) -> None:
    async def scenario(site: Site) -> None:
        assert await site.get(target) == (status, body)

    on(Site("netexec"), scenario)


def test_netexec_is_healthy_once_it_serves_udp() -> None:
    server = Server("tcp", 80, "netexec")
    request = Request("GET", "/healthz", {})
    assert paths.answer(request, paths.Asked(server, "h", "c", ready=True)) == Response(200)


def test_netexec_readyz_says_when_it_is_terminating() -> None:
    asked = paths.Asked(Server("tcp", 80, "netexec"), "h", "c", ready=True, terminating=True)
    assert paths.answer(Request("GET", "/readyz", {}), asked) == Response(503, "shutting down")


def test_client_ip_is_the_callers_own_and_shown_as_ipv4() -> None:
    async def scenario(site: Site) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        host, port = writer.get_extra_info("sockname")
        writer.write(b"GET /clientip HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(f"\r\n\r\n{host}:{port}".encode())
        writer.close()

    on(Site("netexec"), scenario)


def test_shell_is_refused_with_a_reason() -> None:
    async def scenario(site: Site) -> None:
        status, body = await site.get("/shell?cmd=ls")
        assert status == 501 and "kubectl exec" in body

    on(Site("netexec"), scenario)


def test_redirect_cannot_be_used_to_add_headers() -> None:
    async def scenario(site: Site) -> None:
        raw = await site.ask(b"GET /redirect?location=/a%0d%0aX:1&code=307 HTTP/1.0\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 307 ") and b"Location: /aX:1\r\n" in raw

    on(Site("netexec"), scenario)


def test_dial_http_and_errors() -> None:
    async def scenario(site: Site) -> None:
        status, body = await site.get(f"/dial?host=127.0.0.1&port={site.port}&request=hostname&tries=2")
        assert (status, json.loads(body)) == (200, {"responses": ["web-1", "web-1"]})
        status, body = await site.get("/dial?host=127.0.0.1&port=1&request=hostname&protocol=tcp")
        reason = "tcp dial 127.0.0.1:1 failed. err:connect: connection refused"
        assert (status, json.loads(body)) == (200, {"errors": [reason]})

    on(Site("netexec"), scenario)


def test_a_form_is_read_like_the_query() -> None:
    async def scenario(site: Site) -> None:
        form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nmsg=abc"
        assert (await site.ask(b"POST /echo HTTP/1.0\r\n" + form)).endswith(b"\r\n\r\nabc")

    on(Site("netexec"), scenario)


@pytest.mark.parametrize(("target", "code"), [("/shutdown", 0), ("/exit?code=3", 3)])
def test_exit_ends_the_container_and_says_so(target: str, code: int) -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises((ConnectionError, IndexError)):
            await site.get(target)
        assert site.exits == [("u1/c", code)]
        with pytest.raises(ConnectionRefusedError):
            await site.get("/hostname")

    on(Site("netexec"), scenario)


def test_graceful_exit_answers_first() -> None:
    async def scenario(site: Site) -> None:
        assert await site.get("/exit?code=1&timeout=1s") == (200, "")
        assert site.exits == [("u1/c", 1)]

    on(Site("netexec"), scenario)


# --- HTTP as a protocol


def test_requests_on_one_connection_are_answered_in_order() -> None:
    async def scenario(site: Site) -> None:
        slow = f"/dial?host=127.0.0.1&port={site.port}&request=hostname"
        targets = ["/echo?msg=1", slow, "/echo?msg=3"]
        requests = "".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n" for target in targets)
        answers = await site.ask(requests.encode(), half_close=True)
        bodies = [part.rpartition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 200 OK\r\n")[1:]]
        assert bodies == [b"1", b'{"responses": ["web-1"]}', b"3"]

    on(Site("netexec"), scenario)


def test_many_connections_at_once() -> None:
    async def scenario(site: Site) -> None:
        answers = await asyncio.gather(*(site.get(f"/echo?msg={number}") for number in range(200)))
        assert answers == [(200, str(number)) for number in range(200)]

    on(Site("netexec"), scenario)


def test_head_has_the_length_and_no_body() -> None:
    async def scenario(site: Site) -> None:
        raw = await site.ask(b"HEAD /hostname HTTP/1.0\r\n\r\n")
        assert b"Content-Length: 5\r\n" in raw and raw.endswith(b"\r\n\r\n")

    on(Site("netexec"), scenario)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"GET http://[::/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_garbage_is_answered_with_400_and_the_server_lives(garbage: bytes) -> None:
    async def scenario(site: Site) -> None:
        assert (await site.ask(garbage)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert await site.get("/hostname") == (200, "web-1")

    on(Site("netexec"), scenario)


def test_an_endless_header_is_cut_off() -> None:
    with pytest.raises(BadRequest) as raised:
        Parser().feed(b"GET / HTTP/1.1\r\nA: " + b"a" * (65 << 10))
    assert raised.value.status == 431


def test_parser_takes_a_stream_in_any_pieces() -> None:
    stream = (
        b"\r\nPOST /a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
        b"POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;e=1\r\nde\r\n1\r\nf\r\n0\r\nT: t\r\n\r\n"
        b"GET /c HTTP/1.0\r\n\r\n"
    )
    for size in (1, 2, 7, len(stream)):
        parser = Parser()
        requests = [
            request for at in range(0, len(stream), size) for request in parser.feed(stream[at : at + size])
        ]  # fmt: skip
        assert [(request.path, request.body, request.keep_alive) for request in requests] == [
            ("/a", b"abc", True),
            ("/b", b"def", True),
            ("/c", b"", False),
        ]


def test_parser_asks_for_the_body_that_waits() -> None:
    parser = Parser()
    parser.feed(b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert parser.interim == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_no_body_where_none_may_be() -> None:
    assert encode(Response(204, "x")) == b"HTTP/1.1 204 No Content\r\n\r\n"


# --- the other kinds


def test_serve_hostname_tells_whoever_connects() -> None:
    async def scenario(site: Site) -> None:
        assert await site.ask(b"") == b"web-1"

    on(Site("serve-hostname"), scenario)


def test_http_hostname_answers_every_path_and_can_close() -> None:
    async def scenario(site: Site) -> None:
        raw = await site.ask(b"GET /any HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"Connection: close\r\n" in raw and raw.endswith(b"\r\n\r\nweb-1")

    on(Site("http-hostname", close=True), scenario)


def test_text_answers_its_text() -> None:
    async def scenario(site: Site) -> None:
        assert await site.get("/") == (200, "foo")

    on(Site("text", text="foo"), scenario)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"PING\r\n", b"web-1\n"),
        (b"PING\r\nPOST\r\n", b"web-1\nweb-1\n"),
        (b"no end", b"web-1\n"),
        (b"P", b"web-1\n"),
        (b"\x00\xff\n", b"web-1\n"),
        (b"", b""),
    ],
)
def test_an_application_answers_lines(data: bytes, expected: bytes) -> None:
    async def scenario(site: Site) -> None:
        assert await site.ask(data, half_close=True) == expected

    on(Site("application"), scenario)


def test_an_application_answers_http_in_pieces() -> None:
    async def scenario(site: Site) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        for piece in (b"P", b"OST", b" /x HTTP/1.0\r\n", b"\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.read()).endswith(b"\r\n\r\nweb-1\n")
        writer.close()

    on(Site("application"), scenario)


def test_an_application_answers_inside_tls() -> None:
    async def scenario(site: Site) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for data, expected in ((b"GET / HTTP/1.0\r\n\r\n", b"\r\n\r\nweb-1\n"), (b"PING\n", b"web-1\n")):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port, ssl=context)
            writer.write(data)
            line = await asyncio.wait_for(reader.readuntil(b"web-1\n"), LIMIT_S)
            assert line.endswith(expected)
            writer.close()  # with TLS's own goodbye
            await asyncio.wait_for(writer.wait_closed(), LIMIT_S)
        assert await site.get("/") == (200, "web-1\n")

    on(Site("application"), scenario)


@pytest.mark.parametrize("garbage", [b"\x16", b"\x16\x03", b"\x16\x03\x01\x00\x05hello", b"\x16\x03" + b"\xff" * 500])
def test_what_only_looks_like_tls_does_no_harm(garbage: bytes) -> None:
    async def scenario(site: Site) -> None:
        await site.ask(garbage, half_close=True)
        assert await site.get("/") == (200, "web-1\n")

    on(Site("application"), scenario)


def test_udp_words() -> None:
    assert answer_words("netexec", b"hostname\n", "web-1", "10.0.0.1:5") == b"web-1"
    assert answer_words("netexec", b"clientip", "web-1", "10.0.0.1:5") == b"10.0.0.1:5"
    assert answer_words("netexec", b"echo Hello World\n", "web-1", "c") == b"hello world"
    assert answer_words("netexec", b"\xff\xfe", "web-1", "c") is None
    assert answer_words("serve-hostname", b"any", "web-1", "c") == b"web-1"
    assert answer_words("application", b"any\n", "web-1", "c") == b"any\n"


def test_udp_answers_from_the_address_that_was_asked() -> None:
    async def scenario(site: Site) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.7", site.port))  # takes datagrams from there only
            client.send(b"hostname")
            assert await asyncio.wait_for(loop.sock_recv(client, 100), LIMIT_S) == b"web-1"

    on(Site("netexec", "udp"), scenario)
