"""agnhost's command line: which of its subcommands are servers, and their flags, as upstream
(kubernetes/kubernetes, test/images/agnhost).

`pause` and the servers are served by the responder. What is left are clients (`connect` …), processes like those of
any tool image.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from topo.servers import Server

PATH = "/agnhost"
"""Where the client script is in every pod."""

@dataclass(frozen=True, slots=True)
class Served:
    """A program that is only sockets, which the responder owns; with no servers it just is there.

    `stand_in`: it takes the place of a published application, whose files and programs (what an exec probe would
    run) are not there. `delay_shutdown_s`: how long it serves on after SIGTERM.
    """

    servers: tuple[Server, ...]
    hostname: str
    stand_in: bool = False
    delay_shutdown_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Process:
    """A program that is a process. `env` is what the container sets, besides what every process here finds."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"


class _Refused(Exception):
    """What agnhost would write to its log before it exits with 1."""


Flags = Mapping[str, str]


def as_process(argv: tuple[str, ...], env: Mapping[str, str], cwd: str) -> Process:
    return Process(argv, env, cwd)


def program(
    command: Sequence[str], args: Sequence[str], env: Mapping[str, str], cwd: str, hostname: str
) -> Served | Process:
    """What a container of the agnhost image runs. Its ENTRYPOINT is /agnhost, its CMD `pause`."""
    argv = (*command, *args) if command else (PATH, *(args or ("pause",)))
    serve = _SERVERS.get(argv[1]) if len(argv) > 1 and os.path.basename(argv[0]) == "agnhost" else None
    if serve is None:
        return as_process(_found(argv), env, cwd)
    try:
        known, make = serve
        flags = _flags(argv[2:], known)
        return make(flags, env, hostname)
    except _Refused as refused:
        # Its log and exit status are what people look at, so it is a process that says so and ends.
        message = f"agnhost {argv[1]}: {refused}"
        return as_process(("/bin/sh", "-c", 'echo "$0" >&2; exit 1', message), env, cwd)


def _found(argv: tuple[str, ...]) -> tuple[str, ...]:
    return (PATH, *argv[1:]) if argv[0] == "agnhost" else argv


def _flags(arguments: Sequence[str], known: Flags) -> Flags:
    """Flags by name, as cobra reads them: `--name value`, `--name=value`, and `--name` for a boolean."""
    flags = dict(known)
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--"):
            raise _Refused(f"accepts at most 0 arg(s), received {argument!r}")
        if name not in known:
            raise _Refused(f"unknown flag: --{name}")
        if equals:
            flags[name] = value
        elif known[name] in ("true", "false"):
            flags[name] = "true"
        elif rest:
            flags[name] = rest.pop(0)
        else:
            raise _Refused(f"flag needs an argument: --{name}")
    return flags


def _number(flags: Flags, name: str) -> int:
    try:
        number = int(flags[name])
    except ValueError:
        raise _Refused(f'invalid argument "{flags[name]}" for "--{name}" flag: not a number') from None
    if not -1 <= number < 65536:
        raise _Refused(f"--{name}={number}: not a port")
    return number


def _truth(flags: Flags, name: str) -> bool:
    value = flags[name].lower()
    if value not in ("true", "false", "1", "0", "t", "f"):
        raise _Refused(f'invalid argument "{flags[name]}" for "--{name}" flag: not true or false')
    return value in ("true", "1", "t")


def _netexec(flags: Flags, env: Mapping[str, str], hostname: str) -> Served:
    if flags["tls-cert-file"] or flags["http-override"] or flags["udp-listen-addresses"]:
        given = [name for name in ("tls-cert-file", "http-override", "udp-listen-addresses") if flags[name]]
        raise _Refused(f"--{given[0]} is not available in this testbed")
    servers = [Server("tcp", _number(flags, "http-port"), "netexec")]
    if _number(flags, "udp-port") != -1:
        servers.append(Server("udp", _number(flags, "udp-port"), "netexec"))
    if _number(flags, "sctp-port") != -1:
        servers.append(Server("sctp", _number(flags, "sctp-port"), "netexec"))
    return Served(tuple(servers), hostname, delay_shutdown_s=float(max(0, _number(flags, "delay-shutdown"))))


def _serve_hostname(flags: Flags, env: Mapping[str, str], hostname: str) -> Served:
    tcp, udp, http = (_truth(flags, name) for name in ("tcp", "udp", "http"))
    port = _number(flags, "port")
    if http and (tcp or udp):
        raise _Refused("Can't server TCP/UDP mode and HTTP mode at the same time")
    servers = []
    if tcp:
        servers.append(Server("tcp", port, "serve-hostname"))
    if udp:
        servers.append(Server("udp", port, "serve-hostname"))
    if http:
        servers.append(Server("tcp", port, "http-hostname", close=_truth(flags, "close")))
    # Upstream's goes on for 60 s after SIGTERM, "awaiting pod deletion". Ours ends at once: nobody is served better
    # by a deletion that takes the whole grace period.
    return Served(tuple(servers), hostname)


def _pause(flags: Flags, env: Mapping[str, str], hostname: str) -> Served:
    return Served((), hostname)


def _test_webserver(flags: Flags, env: Mapping[str, str], hostname: str) -> Served:
    return Served((Server("tcp", _number(flags, "port"), "application"),), hostname)


def _grpc_health_checking(flags: Flags, env: Mapping[str, str], hostname: str) -> Served:
    ports = (_number(flags, "port"), _number(flags, "http-port"))
    return Served(tuple(Server("tcp", port, "application") for port in ports), hostname)


def _porter(flags: Flags, env: Mapping[str, str], hostname: str) -> Served:
    """One server per variable: SERVE_PORT_80=text, SERVE_SCTP_PORT_80=text."""
    servers = []
    for name, text in env.items():
        for prefix, protocol in (("SERVE_PORT_", "tcp"), ("SERVE_SCTP_PORT_", "sctp")):
            port = name.removeprefix(prefix)
            if port != name and port.isdigit():
                servers.append(Server("tcp" if protocol == "tcp" else "sctp", int(port), "text", text=text))
    return Served(tuple(servers), hostname)


_NETEXEC_FLAGS = {
    "http-port": "8080", "udp-port": "8081", "sctp-port": "-1", "delay-shutdown": "0",
    "tls-cert-file": "", "tls-private-key-file": "", "http-override": "", "udp-listen-addresses": "",
}  # fmt: skip
_SERVE_HOSTNAME_FLAGS = {"tcp": "false", "udp": "false", "http": "true", "close": "false", "port": "9376"}
_SERVERS: Mapping[str, tuple[Flags, Callable[[Flags, Mapping[str, str], str], Served]]] = {
    "netexec": (_NETEXEC_FLAGS, _netexec),
    "serve-hostname": (_SERVE_HOSTNAME_FLAGS, _serve_hostname),
    "pause": ({}, _pause),
    "test-webserver": ({"port": "80"}, _test_webserver),
    "grpc-health-checking": (
        {"port": "5000", "http-port": "8080", "delay-unhealthy-sec": "-1", "service": ""},
        _grpc_health_checking,
    ),
    "porter": ({}, _porter),
}
"""Subcommands that are servers: their flags with upstream's defaults (a boolean's is "true" or "false")."""
