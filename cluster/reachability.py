"""Who reaches whom: tables, their one JSON form, and their grid. The language of `matrix` (and of every oracle)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

ANY = "any"
"""The table in which every pod was asked on a port of its own."""
_WIDEST_GRID = 40


@dataclass(slots=True)
class Tables:
    """`cells`: table ("TCP/80") -> from ("x/a") -> to ("y/b") -> reaches."""

    cells: dict[str, dict[str, dict[str, bool]]] = field(default_factory=dict)

    def put(self, table: str, source: str, target: str, reaches: bool) -> None:
        self.cells.setdefault(table, {}).setdefault(source, {})[target] = reaches

    def __iter__(self) -> Iterator[tuple[str, str, str, bool]]:
        for table, rows in self.cells.items():
            for source, row in rows.items():
                for target, reaches in row.items():
                    yield table, source, target, reaches

    @property
    def full(self) -> bool:
        """Everybody reaches everybody."""
        return all(reaches for *_, reaches in self)

    def to_json(self) -> Mapping[str, object]:
        return {"tables": self.cells}


def lines(tables: Tables) -> Iterable[str]:
    """The tables as text: a grid each (`.` reaches, `X` does not), or, for many pods, the pairs that do not."""
    for table, rows in tables.cells.items():
        cells = [reaches for row in rows.values() for reaches in row.values()]
        yield f"{table}: {sum(cells)} of {len(cells)} pairs reach"
        targets = list(dict.fromkeys(target for row in rows.values() for target in row))
        if max(len(rows), len(targets)) <= _WIDEST_GRID:
            yield from _grid(rows, targets)
        else:
            yield from (f"  {source} does not reach {target}" for source, row in rows.items()
                        for target, reaches in row.items() if not reaches)  # fmt: skip
        yield ""


def _grid(rows: Mapping[str, Mapping[str, bool]], targets: Sequence[str]) -> Iterator[str]:
    numbers = {target: str(number) for number, target in enumerate(targets, 1)}
    size = max(len(number) for number in numbers.values())
    width = size + 1 + max(len(name) for name in (*rows, *targets))
    marks = {True: ".", False: "X", None: " "}
    yield _line("from \\ to", width, numbers.values(), size)
    for source, row in rows.items():
        label = f"{numbers.get(source, ''):>{size}} {source}"
        yield _line(label, width, (marks[row.get(target)] for target in targets), size)
    yield from (f"{numbers[target]:>{size}} {target}" for target in targets if target not in rows)


def _line(label: str, width: int, cells: Iterable[str], size: int) -> str:
    return f"{label:{width}}  {' '.join(cell.rjust(size) for cell in cells)}".rstrip()
