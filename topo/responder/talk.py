"""What everything that is said on a connection has in common."""

from __future__ import annotations


class Talk:
    """One side of a conversation."""

    def feed(self, data: bytes) -> None:
        """The client sent this."""

    def end(self) -> None:
        """The client will send no more."""

    def abandon(self) -> None:
        """The client is gone."""
