"""The Corefile of the cluster's DNS servers: what of CoreDNS' configuration there is here.

Server blocks with zones; the plugins `kubernetes` (ttl, pods, fallthrough), `forward` (stub domains and the upstream
for all other names), `loadbalance`, and of `health` its lameduck. Plugins that only watch or speed up (WITHOUT_EFFECT)
are taken and do nothing. Everything else is a mistake, told with its line. (coredns.io/manual, coredns.io/plugins)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Literal, TypeVar, get_args

from cluster.corefile_syntax import Directive, Mistake, Server, servers
from cluster.dns import TTL_S, ZONE, ZONES
from cluster.reading.findings import any_of, found, suggestion
from cluster.reading.syntax import is_ip, is_subdomain

PORT = 53
RESOLV_CONF = "/etc/resolv.conf"
"""As an upstream: what the nodes' file names. It names nobody, since a testbed reaches nobody by itself."""
WITHOUT_EFFECT = ("cache", "debug", "errors", "log", "loop", "prometheus", "ready", "reload")
_WITH_EFFECT = ("forward", "health", "kubernetes", "loadbalance")
_MOST_CONCURRENT = 1000
_LARGEST_TTL_S = 3600

Pods = Literal["disabled", "insecure", "verified"]
Policy = Literal["random", "round_robin", "sequential"]
Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Forward:
    """Names below `base` (but for those below `excepted`) are asked of one of the upstreams, each (address, port)."""

    base: str
    upstreams: tuple[tuple[str, int], ...]
    excepted: tuple[str, ...] = ()
    policy: Policy = "random"
    force_tcp: bool = False
    prefer_udp: bool = False
    max_concurrent: int = _MOST_CONCURRENT


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """The cluster's own names in `zones`. `fallthrough`: below these, what does not exist is asked of an upstream.
    `pods`: whether names by address need a pod ("verified"), or just answer ("insecure")."""

    zones: tuple[str, ...] = ZONES
    ttl_s: int = TTL_S
    pods: Pods = "disabled"
    fallthrough: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """What answers names below `zones`. `rotate`: several records come in another order each time."""

    zones: tuple[str, ...]
    kubernetes: Kubernetes | None = None
    forwards: tuple[Forward, ...] = ()
    rotate: bool = False


@dataclass(frozen=True, slots=True)
class Corefile:
    """`lameduck_s`: how long a server that is to end goes on answering."""

    blocks: tuple[Block, ...]
    lameduck_s: float = 0.0

    def block_of(self, name: str) -> Block | None:
        """The block with the longest zone that `name` is in; None where there is none."""
        found = ((zone, block) for block in self.blocks if (zone := zone_of(name, block.zones)))
        return max(found, key=lambda entry: len(entry[0]), default=("", None))[1]


class CorefileError(Exception):
    """All that is wrong with a Corefile."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(f"line {mistake.line}: {mistake.message}" for mistake in mistakes))


def zone_of(name: str, zones: Sequence[str]) -> str | None:
    """The longest of `zones` that an absolute name in lower case is in."""
    within = (zone for zone in zones if zone == "." or name == zone or name.endswith(f".{zone}"))
    return max(within, key=len, default=None)


def parse(text: str) -> Corefile:
    """Raises CorefileError."""
    read, mistakes = servers(text)
    reader = _Reader(mistakes)
    blocks = [reader.block(server) for server in read]
    reader.check_zones(read, blocks)
    if not read and not mistakes:
        mistakes.append(Mistake(1, "found no server block; must have at least one, as .:53 { … }"))
    if mistakes:
        raise CorefileError(sorted(mistakes))
    return Corefile(tuple(blocks), reader.lameduck_s)


class _Reader:
    """Server blocks -> Blocks, and what is wrong with them."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self._mistakes = mistakes
        self.lameduck_s = 0.0
        self._plugins: Mapping[str, Callable[[Block, Directive], Block]] = {
            "forward": self._forward, "health": self._health, "kubernetes": self._kubernetes,
            "loadbalance": self._loadbalance,
        }  # fmt: skip

    def block(self, server: Server) -> Block:
        block = Block(tuple(self._key(server.line, key) for key in server.keys))
        for directive in server.directives:
            name = directive.words[0]
            if name in self._plugins:
                block = self._plugins[name](block, directive)
            elif name not in WITHOUT_EFFECT:
                known = sorted((*_WITH_EFFECT, *WITHOUT_EFFECT))
                self._wrong(directive.line, found(name, f"plugins here: {any_of(known).partition(': ')[2]}"
                                                        f"{suggestion(name, known)}"))  # fmt: skip
        return block

    def check_zones(self, read: Sequence[Server], blocks: Sequence[Block]) -> None:
        first: dict[str, int] = {}
        for server, block in zip(read, blocks, strict=True):
            for zone in block.zones:
                if zone in first:
                    self._wrong(server.line, found(zone, f"the block in line {first[zone]} has that zone"))
                first.setdefault(zone, server.line)

    def _wrong(self, line: int, message: str) -> None:
        self._mistakes.append(Mistake(line, message))

    def _key(self, line: int, key: str) -> str:
        """A server block's "zone", "zone:port" or "dns://zone:port" as a zone."""
        zone, _, port = key.removeprefix("dns://").partition(":")
        if "://" in key.removeprefix("dns://") or port not in ("", str(PORT)):
            self._wrong(line, found(key, f"servers speak plain DNS on port {PORT}: ZONE or ZONE:{PORT}"))
        return self._zone(line, zone or ".")

    def _zone(self, line: int, text: str) -> str:
        zone = text.lower().rstrip(".")
        if zone and not is_subdomain(zone.replace("_", "x")):
            self._wrong(line, found(text, "must be a zone, as example.org"))
        return f"{zone}."

    def _zones(self, line: int, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._zone(line, text) for text in texts)

    def _options(self, directive: Directive, ignored: Sequence[str], known: Sequence[str]) -> Iterator[Directive]:
        """The lines of a plugin's block that mean something here."""
        for option in directive.options:
            name = option.words[0]
            if name in known:
                yield option
            elif name not in ignored:
                every = sorted((*known, *ignored))
                self._wrong(option.line, found(name, f"{directive.words[0]} has: {any_of(every).partition(': ')[2]}"
                                                     f"{suggestion(name, every)}"))  # fmt: skip

    def _kubernetes(self, block: Block, directive: Directive) -> Block:
        if block.kubernetes is not None:
            self._wrong(directive.line, "found a second kubernetes; a block has at most one")
        zones = self._zones(directive.line, directive.words[1:]) or block.zones
        for zone in zones:
            if zone not in ZONES:
                self._wrong(directive.line, found(zone, f"the cluster's zones are {ZONE} and its reverse zones; "
                                                        f"{any_of(ZONES)}"))  # fmt: skip
        made = Kubernetes(zones)
        ignored = ("endpoint", "endpoint_pod_names", "kubeconfig", "tls")
        for option in self._options(directive, ignored, ("fallthrough", "pods", "ttl")):
            name, *words = option.words
            if name == "fallthrough":
                made = replace(made, fallthrough=self._zones(option.line, words) or zones)
            elif name == "pods":
                made = replace(made, pods=self._one_of(option, get_args(Pods), made.pods))
            else:
                made = replace(made, ttl_s=self._number(option, range(_LARGEST_TTL_S + 1), made.ttl_s))
        return replace(block, kubernetes=made)

    def _forward(self, block: Block, directive: Directive) -> Block:
        _, *words = directive.words
        if len(words) < 2:
            self._wrong(directive.line, "found no upstream; must be forward FROM TO…, as forward . 192.0.2.53")
            return block
        upstreams = tuple(address for word in words[1:] if (address := self._upstream(directive.line, word)))
        made = Forward(self._zone(directive.line, words[0]), upstreams)
        ignored = ("expire", "failfast_all_unhealthy_upstreams", "health_check", "max_fails", "next")
        known = ("except", "force_tcp", "max_concurrent", "policy", "prefer_udp")
        for option in self._options(directive, ignored, known):
            name, *words = option.words
            if name == "except":
                made = replace(made, excepted=self._zones(option.line, words))
            elif name == "policy":
                made = replace(made, policy=self._one_of(option, get_args(Policy), made.policy))
            elif name == "max_concurrent":
                made = replace(made, max_concurrent=self._number(option, range(1, 1 << 20), made.max_concurrent))
            elif name == "force_tcp":
                made = replace(made, force_tcp=True)
            else:
                made = replace(made, prefer_udp=True)
        return replace(block, forwards=(*block.forwards, made))

    def _upstream(self, line: int, text: str) -> tuple[str, int] | None:
        if text == RESOLV_CONF:
            return None
        host, port = text.removeprefix("dns://"), str(PORT)
        if host.startswith("["):
            host, _, rest = host[1:].partition("]")
            port = rest.removeprefix(":") or port
        elif host.count(":") == 1:
            host, _, port = host.partition(":")
        if not is_ip(host) or not port.isdigit() or not 0 < int(port) < 1 << 16:
            self._wrong(line, found(text, f"must be an address, ADDRESS:PORT or {RESOLV_CONF}"))
            return None
        return str(ip_address(host)), int(port)

    def _health(self, block: Block, directive: Directive) -> Block:
        for option in self._options(directive, (), ("lameduck",)):
            text = option.words[1] if len(option.words) == 2 else ""
            units = {"ms": 0.001, "s": 1.0, "m": 60.0}
            unit = next((unit for unit in units if text.removesuffix(unit).isdigit() and text.endswith(unit)), None)
            if unit is None:
                self._wrong(option.line, found(text or None, "lameduck must be a duration, as 5s"))
            else:
                self.lameduck_s = int(text.removesuffix(unit)) * units[unit]
        return block

    def _loadbalance(self, block: Block, directive: Directive) -> Block:
        if directive.words[1:] not in ((), ("round_robin",)):
            self._wrong(directive.line, found(directive.words[1], any_of(("round_robin",))))
        return replace(block, rotate=True)

    def _one_of(self, option: Directive, words: tuple[Choice, ...], otherwise: Choice) -> Choice:
        word = option.words[1] if len(option.words) == 2 else None
        for choice in words:
            if word == choice:
                return choice
        self._wrong(option.line, found(word, f"{option.words[0]} takes one of: {any_of(words).partition(': ')[2]}"))
        return otherwise

    def _number(self, option: Directive, numbers: range, otherwise: int) -> int:
        word = option.words[1] if len(option.words) == 2 else ""
        if word.isdigit() and int(word) in numbers:
            return int(word)
        rule = f"{option.words[0]} must be a number between {numbers[0]} and {numbers[-1]}"
        self._wrong(option.line, found(word or None, rule))
        return otherwise
