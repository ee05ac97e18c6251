"""What becomes of a failure in one of a process's threads: the end of the process, so that init starts it anew. Half of
one would look alive."""

from __future__ import annotations

import os
import sys
from threading import ExceptHookArgs


def end_process(failure: ExceptHookArgs) -> None:
    """For threading.excepthook."""
    sys.excepthook(failure.exc_type, failure.exc_value or failure.exc_type(), failure.exc_traceback)
    os._exit(1)


def raise_here(error: Exception) -> None:
    """For one that another thread has handed over."""
    raise error
