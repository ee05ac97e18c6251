"""The testbeds that an experiment's runs use: one for each run, or, where the file says so, one for consecutive equal ones."""

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


class Testbeds:
    """`with Testbeds(shared) as testbeds: with testbeds.of(variant) as testbed: …`; none is left at the end."""

    __test__ = False

    def __init__(self, shared: bool) -> None:
        self._shared = shared
        self._spec: str | None = None
        self._running: Testbed | None = None

    def __enter__(self) -> Testbeds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    @contextmanager
    def of(self, variant: Variant) -> Iterator[Testbed]:
        """Raises CommandError when it does not come up. A run that raises leaves none to the next one."""
        spec = spec_of(variant)
        if self._running is None or spec != self._spec:
            self._end()
            self._running, self._spec = self._start(spec), spec
        kept = False
        try:
            yield self._running
            kept = self._shared
        finally:
            if not kept:
                self._end()

    def discard(self) -> None:
        """The next run is to have a new one: the last one failed, and nobody knows what it left."""
        self._end()

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

    def _end(self) -> None:
        if self._running is not None and self._running.name is not None:
            testbed.end(self._running.name)
        self._running = None


def spec_of(variant: Variant) -> str:
    """As `mininetes up` reads it."""
    documents = (variant.cluster_document, *variant.objects)
    return "".join(f"---\n{json.dumps(document)}\n" for document in documents)
