"""Cables that are cut, and why: a cable is whole again when nobody wants it cut any more.

It is cut at a switch's end, so that a machine keeps its addresses and routes, as one does whose cable is pulled out.
"""

from __future__ import annotations

from topo import netlink


class Cables:
    """All of a sandbox, by the name of the interface at a switch's end."""

    def __init__(self) -> None:
        self._cut: dict[str, set[str]] = {}

    def set(self, interface: str, reason: str, cut: bool) -> None:
        """Whether it is to be cut for that reason. Idempotent, and done again each time: somebody before may have left
        it otherwise."""
        reasons = self._cut.setdefault(interface, set())
        (reasons.add if cut else reasons.discard)(reason)
        with netlink.Socket() as root:
            root.run([netlink.set_link(0, name=interface, up=not reasons, down=bool(reasons))])
