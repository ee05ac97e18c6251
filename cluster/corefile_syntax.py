"""The shape of a Corefile: lines -> server blocks with directives, each of which may have a block of its own.

What Caddy's format has besides (snippets, imports, environment variables, blocks without braces) is not read.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from cluster.reading.findings import shown


@dataclass(frozen=True, order=True, slots=True)
class Mistake:
    """`line` counts from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Directive:
    """A line's words (never none), and the lines of its block, which have none."""

    line: int
    words: tuple[str, ...]
    options: tuple[Directive, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """"KEY KEY… {" and the directives up to its "}"."""

    line: int
    keys: tuple[str, ...]
    directives: tuple[Directive, ...]


def servers(text: str) -> tuple[list[Server], list[Mistake]]:
    """What could be read, and what could not."""
    mistakes: list[Mistake] = []
    lines = _Lines(text, mistakes)
    read = []
    for line, words in lines:
        if words[-1] != "{" or len(words) == 1 or words[0].startswith("("):
            mistakes.append(Mistake(line, f"found {shown(' '.join(words))}; must be a server block: ZONE… {{"))
            if words[-1] != "{":
                continue
        keys = tuple(key for word in words[:-1] for key in word.split(",") if key)
        read.append(Server(line, keys, tuple(_block(lines, line, mistakes))))
    return read, mistakes


def _block(lines: _Lines, opened: int, mistakes: list[Mistake], depth: int = 1) -> Iterator[Directive]:
    for line, words in lines:
        if words == ("}",):
            return
        if words[-1] != "{":
            yield Directive(line, words)
            continue
        inner = tuple(_block(lines, line, mistakes, depth + 1))
        if depth > 1 or len(words) == 1:
            mistakes.append(Mistake(line, f"found {shown(' '.join(words))}; a plugin's options have no blocks"))
        else:
            yield Directive(line, words[:-1], inner)
    mistakes.append(Mistake(opened, "found no } that ends this block"))


class _Lines:
    """Lines that are not empty, as number and words, for whoever takes the next one."""

    def __init__(self, text: str, mistakes: list[Mistake]) -> None:
        self._rest = enumerate(text.splitlines(), 1)
        self._mistakes = mistakes

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> tuple[int, tuple[str, ...]]:
        for line, text in self._rest:
            try:
                words = shlex.split(text, comments=True)
            except ValueError:
                self._mistakes.append(Mistake(line, f"found {shown(text.strip())}; a quotation mark is not closed"))
                continue
            if words:
                return line, tuple(words)
        raise StopIteration
