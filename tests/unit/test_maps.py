"""A folder's `__init__` docstring is its map: it names every module and folder in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("cluster", "topo", "controller", "experiments")
MAPS = sorted(path for room in ROOMS for path in (ROOT / room).rglob("__init__.py"))


@pytest.mark.parametrize("path", MAPS, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_a_map_names_everything(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    modules = {module.stem for module in path.parent.glob("*.py")} - {"__init__"}
    folders = {inner.parent.name for inner in path.parent.glob("*/__init__.py")}
    missing = [name for name in sorted(modules | folders) if not re.search(rf"\b{name}\b", text)]
    assert not missing, f"{path.relative_to(ROOT)} does not say what these are: {', '.join(missing)}"


def test_every_test_module_has_a_name_of_its_own() -> None:
    """All are collected into one process, where two of one name would be one module."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name in set(names) if names.count(name) > 1] == []
