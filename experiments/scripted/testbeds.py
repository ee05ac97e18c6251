"""The testbeds that an experiment's runs use: one for each run, or, where the file says so, one for all equal ones."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from experiments import testbed
from experiments.scripted.model import Variant
from experiments.testbed import Testbed

MOST_AT_ONCE = 8
"""Idle, one takes a twentieth of a processor and 200 MB."""


class Testbeds:
    """`with Testbeds(shared) as testbeds: with testbeds.of(variant) as testbed: …`; none is left at the end.

    `shared`: they stay up, so that arms take turns within seconds.
    """

    __test__ = False

    def __init__(self, shared: bool) -> None:
        self._most = MOST_AT_ONCE if shared else 0
        self._running: dict[str, Testbed] = {}
        """By spec; what was used last comes last."""
        self._spec: str | None = None

    def __enter__(self) -> Testbeds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._keep(0)

    @contextmanager
    def of(self, variant: Variant) -> Iterator[Testbed]:
        """Raises CommandError when it does not come up. A run that raises leaves none to the next one."""
        spec = spec_of(variant)
        running = self._running.pop(spec, None)
        if running is None:
            self._keep(max(0, self._most - 1))
            running = self._start(spec)
        self._running[spec], self._spec = running, spec
        try:
            yield running
        except BaseException:
            self.discard()
            raise
        self._keep(self._most)

    def discard(self) -> None:
        """The next run is to have a new one: the last one failed, and nobody knows what it left."""
        if self._spec in self._running:
            self._end(self._running.pop(self._spec))

    def _keep(self, at_most: int) -> None:
        """End those that nobody has used for longest."""
        while len(self._running) > at_most:
            self._end(self._running.pop(next(iter(self._running))))

    def _start(self, spec: str) -> Testbed:
        name = testbed.fresh_name("experiment")
        with tempfile.TemporaryDirectory(prefix="mininetes-experiment-") as directory:
            path = Path(directory) / "spec.yaml"
            path.write_text(spec)
            try:
                return testbed.start(path, name)
            except BaseException:
                testbed.end(name)
                raise

    @staticmethod
    def _end(running: Testbed) -> None:
        if running.name is not None:
            testbed.end(running.name)


def spec_of(variant: Variant) -> str:
    """As `mininetes up` reads it."""
    documents = (variant.cluster_document, *variant.objects)
    return "".join(f"---\n{json.dumps(document)}\n" for document in documents)
