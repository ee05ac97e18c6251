"""What the responder is told, and what it tells (topo/responder/control.py, registry.py)."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from pathlib import Path

import pytest
from responder_site import LIMIT_S, Site, on

from topo.responder.control import Control, apply
from topo.responder.registry import Registry
from topo.servers import ServedContainer

# --- the control socket


def test_who_watches_is_told_what_exited_before_and_after(tmp_path: Path) -> None:
    async def run() -> None:
        site = Site("netexec")
        async with Control(tmp_path / "responder.sock"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "responder.sock")

            async def ask(**request: object) -> object:
                writer.write(json.dumps(request).encode() + b"\n")
                return json.loads(await asyncio.wait_for(reader.readline(), LIMIT_S))

            for watch in (False, True):
                assert await ask(serve=[site.container.as_json()], watch=watch) == {"errors": {}, "notices": {}}
                with pytest.raises((ConnectionError, IndexError)):
                    await site.get("/exit?code=7")
            told = [json.loads(await asyncio.wait_for(reader.readline(), LIMIT_S))]
            assert told == [{"event": "exited", "id": "u1/c", "exit_code": 7}]
            other_reader, other_writer = await asyncio.open_unix_connection(tmp_path / "responder.sock")
            other_writer.write(b'{"watch": true}\n')
            lines = [json.loads(await asyncio.wait_for(other_reader.readline(), LIMIT_S)) for _ in range(2)]
            assert lines == [{"errors": {}, "notices": {}}, *told]
            other_writer.close()
            writer.close()

    asyncio.run(run())


def test_the_control_socket_is_its_owners_only(tmp_path: Path) -> None:
    async def run() -> None:
        async with Control(tmp_path / "responder.sock"):
            assert stat.S_IMODE((tmp_path / "responder.sock").stat().st_mode) == 0o600

    asyncio.run(run())


# --- what is served


def test_a_port_that_another_container_has_is_an_error_that_says_so() -> None:
    async def scenario(site: Site) -> None:
        other = ServedContainer("u1/other", None, "web-1", site.container.servers)
        expected = f"address already in use: port {site.port}/TCP; container c of this pod has it"
        assert site.registry.serve(other).error == expected
        site.registry.remove("u1/c")
        assert site.registry.serve(other).error is None

    on(Site("application"), scenario)


def test_a_port_that_a_process_has_is_an_error_that_says_so() -> None:
    site = Site("application")
    with socket.create_server(("127.0.0.1", site.port)):
        expected = f"address already in use: port {site.port}/TCP; a process of this pod has it"
        assert site.registry.serve(site.container).error == expected


def test_serving_twice_keeps_connections_and_removing_closes_them() -> None:
    async def scenario(site: Site) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"a\n")
        await reader.readline()
        site.registry.serve(site.container)
        writer.write(b"b\n")
        assert await reader.readline() == b"web-1\n"
        site.registry.remove("u1/c")
        with pytest.raises(ConnectionResetError):
            assert await reader.read() == b""
            raise ConnectionResetError
        writer.close()

    on(Site("application"), scenario)


def test_terminate_waits_for_the_delay_of_the_server() -> None:
    async def scenario(site: Site) -> None:
        ended = asyncio.Event()
        site.registry._on_exit = lambda id, code: ended.set()
        site.registry.terminate("u1/c")
        assert (await site.get("/readyz"))[0] == 503
        await asyncio.wait_for(ended.wait(), LIMIT_S)

    on(Site("netexec", delay_shutdown_s=0.2), scenario)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"x", "not a request: JSONDecodeError("),
        (b'{"serv": []}', "not a request: ValueError(\"unknown key 'serv'\")"),
        (b'{"serve": [{"id": "a"}]}', "not a request: KeyError('netns')"),
        (
            b'{"serve": [{"id": "a", "netns": null, "hostname": "", "servers": '
            b'[{"protocol": "tcp", "port": 70000, "kind": "netexec"}]}]}',
            "not a request: ValueError('not a port: 70000')",
        ),
    ],
)
def test_what_is_no_request_is_answered_so(line: bytes, error: str) -> None:
    assert apply(Registry(lambda id, code: None), line)[0]["error"].startswith(error)


def test_replace_removes_what_is_not_listed() -> None:
    async def scenario(site: Site) -> None:
        answer = apply(site.registry, b'{"serve": [], "replace": true}')
        assert answer == ({"errors": {}, "notices": {}}, False)
        with pytest.raises(ConnectionRefusedError):
            await site.ask(b"")

    on(Site("application"), scenario)
