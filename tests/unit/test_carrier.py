"""Whether an interface carries packets yet; that cables do when a start is over is what the prompt's pingall shows."""

from __future__ import annotations

import pytest

from topo import carrier


def test_an_interface_in_use_is_not_waited_for() -> None:
    assert not carrier.is_pending("lo")


def test_an_interface_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match="No such device"):
        carrier.is_pending("none-such")
