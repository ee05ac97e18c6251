#!/usr/bin/python3 -IS
"""agnhost: the client commands of Kubernetes' test image, for processes in a pod.

  agnhost connect HOST:PORT [--timeout DURATION] [--protocol tcp|udp|sctp] [--udp-data TEXT] [--sctp-data TEXT]
        exits with 0 when connected (UDP, SCTP: when answered); else with 1 and, as first word on standard error,
          TIMEOUT   the attempt timed out
          REFUSED   connection refused
          DNS       the name could not be resolved
          OTHER     another network error, such as "no route to host"
          UNKNOWN   an error of another kind, such as bad arguments
  agnhost dns-suffix           the search domains of /etc/resolv.conf, separated by commas
  agnhost dns-server-list      its name servers, separated by commas
  agnhost etc-hosts            /etc/hosts
  agnhost pause                waits for a signal

DURATION as Go writes it: 500ms, 3s, 1m30s; 0, the default, waits as long as the kernel does.
The servers (netexec, serve-hostname …) are what a container of the agnhost image runs; they are no processes here.
"""

# This file stands alone: it is copied into pods, and run by the host's Python with the standard library only.
# Nothing is imported that is not needed, since test suites start it thousands of times.

from __future__ import annotations

import errno
import socket
import sys
import time

SERVERS = ("netexec", "serve-hostname", "test-webserver", "grpc-health-checking", "porter", "nettest", "liveness")
UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
TYPES = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}


class Failure(Exception):
    """What goes to standard error before the exit with 1."""


def duration_s(text: str) -> float:
    """A Go duration in seconds. Raises ValueError."""
    rest, total = text, 0.0
    if text == "0":
        return total
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        letters = len(rest) - digits - len(rest[digits:].lstrip("nuµmsh"))
        unit = rest[digits : digits + letters]
        if unit not in UNITS_S:
            raise ValueError(text)
        total += float(rest[:digits]) * UNITS_S[unit]
        rest = rest[digits + letters :]
    if not text:
        raise ValueError(text)
    return total


def split_host_port(text: str) -> tuple[str, str]:
    """`[::1]:80` -> ("::1", "80"). Raises Failure in the words of Go's net.SplitHostPort."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        raise Failure(f"UNKNOWN: address {text}: missing port in address")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    if ":" in host:
        raise Failure(f"UNKNOWN: address {text}: too many colons in address")
    return host, port


def parse_flags(arguments: list[str], flags: dict[str, str]) -> list[str]:
    """Put `--name value` and `--name=value` into `flags`; the other arguments. Raises Failure."""
    rest, positional = list(arguments), []
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument[2:].partition("=")
        if not argument.startswith("--"):
            positional.append(argument)
        elif name not in flags:
            raise Failure(f"Error: unknown flag: --{name}")
        elif equals:
            flags[name] = value
        elif rest:
            flags[name] = rest.pop(0)
        else:
            raise Failure(f"Error: flag needs an argument: --{name}")
    return positional


def resolve(host: str, port: str, protocol: str) -> list[tuple[int, tuple]]:  # type: ignore[type-arg]
    """Every (family, socket address) of host:port. Raises Failure."""
    try:
        found = socket.getaddrinfo(host or "localhost", port, type=TYPES[protocol][0] if protocol != "sctp" else 0)
    except (OSError, UnicodeError) as error:
        raise Failure(f"DNS: lookup {host}: {error}") from None
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def attempt(family: int, address: tuple, protocol: str, timeout_s: float | None, data: str) -> None:  # type: ignore[type-arg]
    """Connect, and over UDP and SCTP be answered. Raises OSError."""
    with socket.socket(family, *TYPES[protocol]) as connection:
        connection.settimeout(timeout_s)
        connection.connect(address)
        if protocol == "tcp":
            return
        connection.sendall(f"{data}\n".encode())
        if not connection.recv(1024):
            raise OSError("No data received from the server. Cannot guarantee the server received the request.")


def reason(error: OSError, protocol: str) -> str:
    """The line for standard error, which begins with the word that test suites look for."""
    detail = "" if protocol == "tcp" else f": {error}"
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return f"TIMEOUT{detail}"
    if error.errno == errno.ECONNREFUSED:
        return f"REFUSED{detail}"
    return f"OTHER: {error}"


def connect(arguments: list[str]) -> None:
    flags = {"timeout": "0", "protocol": "tcp", "udp-data": "hostname", "sctp-data": "hostname"}
    destinations = parse_flags(arguments, flags)
    if len(destinations) != 1:
        raise Failure(f"Error: accepts 1 arg(s), received {len(destinations)}")
    protocol = flags["protocol"] or "tcp"
    if protocol not in TYPES:
        raise Failure(f"Unsupported protocol\n{protocol}")
    try:
        timeout_s = duration_s(flags["timeout"])
    except ValueError:
        text = flags["timeout"]
        raise Failure(f'Error: invalid argument "{text}" for "--timeout" flag: not a duration') from None
    addresses = resolve(*split_host_port(destinations[0]), protocol)
    deadline = time.monotonic() + timeout_s if timeout_s else None
    first = None
    for family, address in addresses:
        left_s = None if deadline is None else max(0.001, deadline - time.monotonic())
        try:
            return attempt(family, address, protocol, left_s, flags.get(f"{protocol}-data", ""))
        except OSError as error:
            first = first or error
    raise Failure(reason(first or OSError("no address"), protocol))


def resolv_conf(keyword: str) -> str:
    """The values of a keyword of /etc/resolv.conf, separated by commas."""
    with open("/etc/resolv.conf", encoding="utf-8") as lines:
        fields = [line.split() for line in lines]
    return ",".join(value for line in fields if line and line[0] == keyword for value in line[1:])


def pause() -> None:
    import signal

    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def run(command: str, arguments: list[str]) -> None:
    """Raises Failure."""
    if command == "connect":
        connect(arguments)
    elif command == "dns-suffix":
        print(resolv_conf("search"))
    elif command == "dns-server-list":
        print(resolv_conf("nameserver"))
    elif command == "etc-hosts":
        with open("/etc/hosts", encoding="utf-8") as hosts:
            sys.stdout.write(hosts.read())
    elif command == "pause":
        pause()
    elif command in SERVERS:
        raise Failure(f"agnhost {command}: here a server only as the command of a container whose image is agnhost")
    else:
        raise Failure(f'Error: unknown command "{command}" for "agnhost" (agnhost --help tells which there are)')


def main(arguments: list[str]) -> int:
    """The exit status."""
    if not arguments or arguments[0] in ("help", "--help", "-h") or "--help" in arguments:
        print((__doc__ or "").strip())
        return 0
    try:
        run(arguments[0], arguments[1:])
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
