"""What the DNS servers of this process know: an index that a thread keeps up with the API."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

from cluster.client import Client
from cluster.corefile import Corefile, parse
from cluster.dns_index import Index
from cluster.dns_state import KINDS, DnsState
from cluster.system import COREFILE


class Names:
    """`index` is None until the first answer of the API; a newer one takes its place in one step, so a question is
    answered from one state. With no socket nothing is ever known but what is put there."""

    def __init__(self, api_socket: Path | None = None) -> None:
        self.index: Index | None = None
        self.corefile: Corefile = parse(COREFILE)
        self._client = None if api_socket is None else Client(api_socket)
        self._thread: Thread | None = None

    def start(self) -> None:
        """Watch, from the first call on: a process that serves no DNS need not know every name. Idempotent."""
        if self._client is not None and self._thread is None:
            self._thread = Thread(target=self._watch, args=(self._client,), name="names", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Watch no longer. What is known stays."""
        if self._client is not None:
            self._client.close()

    def _watch(self, client: Client) -> None:
        state = DnsState()
        for batch in client.watch(KINDS):
            index = state.take(batch)
            self.corefile, self.index = state.corefile, index
