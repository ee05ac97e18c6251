"""To be told that a file has changed (inotify(7))."""

from __future__ import annotations

import os
from types import TracebackType

from topo import linux
from topo.kubelet import fds


class Changes:
    """Of one open file, as a context: written to, its mode changed, removed."""

    def __init__(self, file: int) -> None:
        self._fd = linux.inotify_init1(linux.IN_NONBLOCK | linux.IN_CLOEXEC)
        try:
            # By its descriptor, since its name may be gone.
            linux.inotify_add_watch(self._fd, f"/proc/self/fd/{file}", linux.IN_MODIFY | linux.IN_ATTRIB)
        except BaseException:
            os.close(self._fd)
            raise

    async def wait(self) -> None:
        """Return once something has changed since the watch began, or since the last call returned."""
        await fds.read(self._fd)

    def __enter__(self) -> Changes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
