"""The loop that makes probes when they are due (topo/probes/prober.py, thread.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from queue import SimpleQueue

import pytest

from topo.probes import (
    ContainerProbes,
    Exec,
    Health,
    Probe,
    Prober,
    ProbingThread,
    Result,
    Schedule,
    Target,
    TcpSocket,
    initial,
)

OK, NOT_OK = Result(True), Result(False, "no")
HERE = Target("127.0.0.1", None)
TCP = TcpSocket(80)


async def no_exec(key: str, command: Sequence[str], timeout_s: float) -> Result:
    raise AssertionError("no exec probe here")


def test_two_thousand_containers_become_ready() -> None:
    async def run() -> None:
        async def always(probe: Probe, target: Target) -> Result:
            await asyncio.sleep(0)
            return OK

        def changed(key: str, health: Health) -> None:
            ready.add(key)
            if len(ready) == 2000:
                done.set()

        ready: set[str] = set()
        done = asyncio.Event()
        prober = Prober(changed, no_exec, always)
        running = asyncio.create_task(prober.run())
        now = asyncio.get_running_loop().time()
        for number in range(2000):
            assert not prober.watch(str(number), ContainerProbes(readiness=Probe(TCP)), HERE, now).ready
        await asyncio.wait_for(done.wait(), 10)
        running.cancel()

    asyncio.run(run())


def test_exec_is_run_in_the_container_and_a_forgotten_one_is_silent() -> None:
    async def run() -> None:
        async def execute(key: str, command: Sequence[str], timeout_s: float) -> Result:
            calls.append((key, tuple(command), timeout_s))
            return OK

        def changed(key: str, health: Health) -> None:
            changes.append(key)
            done.set()

        calls: list[tuple[str, tuple[str, ...], float]] = []
        changes: list[str] = []
        done = asyncio.Event()
        prober = Prober(changed, execute)
        running = asyncio.create_task(prober.run())
        probes = ContainerProbes(readiness=Probe(Exec(("cat", "/ready")), timeout_s=2))
        for key in ("gone", "c"):
            prober.watch(key, probes, HERE, 0.0)
        prober.forget("gone")
        await asyncio.wait_for(done.wait(), 10)
        running.cancel()
        assert (calls, changes) == ([("c", ("cat", "/ready"), 2)], ["c"])

    asyncio.run(run())


def test_an_exec_that_takes_too_long_is_a_failure() -> None:
    async def run() -> None:
        async def hang(key: str, command: Sequence[str], timeout_s: float) -> Result:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        def changed(key: str, health: Health) -> None:
            seen.append(health)
            done.set()

        seen: list[Health] = []
        done = asyncio.Event()
        prober = Prober(changed, hang)
        running = asyncio.create_task(prober.run())
        liveness = Probe(Exec(("x",)), timeout_s=0.01, failure_threshold=1)
        prober.watch("c", ContainerProbes(liveness=liveness), HERE, 0.0)
        await asyncio.wait_for(done.wait(), 10)
        running.cancel()
        assert seen == [Health(True, False, False, "command timed out after 0.01s")]

    asyncio.run(run())


def test_a_bug_in_a_check_is_not_swallowed() -> None:
    async def broken(probe: Probe, target: Target) -> Result:
        raise ZeroDivisionError

    async def run() -> None:
        prober = Prober(lambda key, health: None, no_exec, broken)
        prober.watch("c", ContainerProbes(readiness=Probe(TCP)), HERE, 0.0)
        await asyncio.wait_for(prober.run(), 10)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run())


@pytest.mark.parametrize(
    "probes",
    [ContainerProbes(), ContainerProbes(startup=Probe(TCP)), ContainerProbes(readiness=Probe(TCP))],
)
def test_initial_is_what_the_schedule_says(probes: ContainerProbes) -> None:
    assert initial(probes) == Schedule().add("c", probes, 0, 0)


def test_a_thread_tells_changes_and_errors() -> None:
    heard: SimpleQueue[tuple[str, Health] | BaseException] = SimpleQueue()

    async def execute(key: str, command: Sequence[str], timeout_s: float) -> Result:
        if key == "broken":
            raise ZeroDivisionError
        return OK

    thread = ProbingThread(lambda key, health: heard.put((key, health)), execute, heard.put)
    probes = ContainerProbes(readiness=Probe(Exec(("x",))))
    thread.watch("c", probes, HERE, 0.0)
    assert heard.get(timeout=10) == ("c", Health(True, True))
    thread.forget("c")
    thread.watch("broken", probes, HERE, 0.0)
    assert isinstance(heard.get(timeout=10), ZeroDivisionError)
