"""Processes that go on with the interpreter of the one that they were forked from, instead of a new one.

A testbed has half a dozen Python programs, and each would load the same modules again before its first own step. The
command that starts a testbed has them loaded, PID 1 is its child, and the services are PID 1's
(docs/decisions/009-forked-services.md).
"""

from __future__ import annotations

import gc
import os
import resource
import runpy
import signal
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NoReturn

from setproctitle import setproctitle

from topo import linux

_ARENAS = 2
"""Of malloc, per process: one for each thread would keep what is freed apart."""

_GC_THRESHOLD = 50_000
"""New objects, after which the garbage collector looks for cycles. What services make are mostly objects of the API, which
live long and have none: to look after every 700 took a quarter of the API server's time of a start."""


def prepare() -> None:
    """In the parent: keep the garbage collector from touching, and so copying, what children share with it; and leave
    them nothing to write."""
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()


def become(title: str, keep: Iterable[int] = ()) -> None:
    """In a fresh child: be a process of one's own. Of the parent's descriptors, only the first three and `keep` stay
    open; its signal handlers are gone."""
    setproctitle(title)
    _close_all_but({0, 1, 2, *keep})
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    linux.tune_malloc(_ARENAS)
    gc.set_threshold(_GC_THRESHOLD)
    sys.dont_write_bytecode = True
    _use_own_distutils()


def run_module(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], keep: Iterable[int] = ()
) -> NoReturn:
    """In a fresh child: what `python -m module arguments` does; ends the process with its exit status."""
    code = 1
    try:
        become(" ".join((sys.executable, "-m", module, *arguments)), keep)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _close_all_but(kept: set[int]) -> None:
    """`kept` has the first three in it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for below, above in pairwise([*sorted(kept), most]):
        os.closerange(below + 1, above)


def _use_own_distutils() -> None:
    """Mininet and Ryu import distutils; where Python still has it, setuptools' copy would take 0.1 s to load."""
    if sys.version_info < (3, 12):
        try:
            import _distutils_hack
        except ImportError:
            return
        _distutils_hack.remove_shim()
