"""From what was seen of a run to its verdict, and a Monitor around something real."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from dataclasses import replace

import pytest

from experiments.fidelity import Cable, Fidelity, Link, Monitor
from experiments.fidelity.figures import LinkSeen, Seen
from experiments.fidelity.limits import LIMITS
from experiments.fidelity.machine import Machine, parse_cpu, parse_pressure, parse_softnet
from experiments.fidelity.processes import Accounts
from experiments.fidelity.verdict import VERDICTS, judge

BEGAN = Machine(100.0, 50.0, 1.0, 5.0, 0.5, 0.5, 10_000, 0)
ENDED = replace(BEGAN, at_s=110.0, busy_s=70.0, cpu_pressure_s=14.0, received=1_010_000)
"""Ten seconds, in which two processors did nothing but the run: that is what a benchmark looks like."""
TIMERS = {"sleeps": 900, "p50": 0.0001, "p99": 0.003, "max": 0.01}


def accounts(strangers: dict[str, float] | None = None, ran_s: float = 5.0, waited_s: float = 0.3) -> Accounts:
    own = Counter({"ovs-vswitchd": 10.0, "iperf3": 9.5})
    return Accounts(frozenset(), own, Counter(strangers or {}), ran_s, waited_s)


CLEAN = Seen(2, BEGAN, ENDED, accounts(), TIMERS, packets=1_000_000)


def test_a_run_that_takes_all_there_is_is_valid() -> None:
    fidelity = judge(CLEAN)
    assert (fidelity.verdict, fidelity.culprits) == ("valid", ())
    assert fidelity.figures["cpu_busy"] == pytest.approx(1.0)
    assert fidelity.figures["cpu_own"] == pytest.approx(0.975)
    assert fidelity.figures["cpu_pressure"] == pytest.approx(0.9)
    assert fidelity.figures["switch_busy"] == pytest.approx(0.5)


LINK = LinkSeen("worker to s1", 100e6, 5.0, sent_bits=500e6, could_bits=500e6)


@pytest.mark.parametrize(("seen", "verdict", "culprit"), [
    (replace(CLEAN, accounts=accounts({"cc1": 2.0, "make": 0.05})), "degraded",
     "other processes took 10% of the processors: cc1"),
    (replace(CLEAN, accounts=accounts({"stress": 6.0, "cc1": 3.0})), "invalid",
     "other processes took 45% of the processors: stress, cc1"),
    (replace(CLEAN, ended=replace(ENDED, steal_s=1.6)), "degraded",
     "the hypervisor took 3% of the processors for others (steal)"),
    (replace(CLEAN, ended=replace(ENDED, memory_pressure_s=4.5)), "invalid",
     "something waited for memory 40% of the time"),
    (replace(CLEAN, accounts=accounts(ran_s=2.0, waited_s=8.0)), "invalid",
     "ovs-vswitchd waited for a processor 80% of the time in which it had work, behind: iperf3"),
    (replace(CLEAN, timers={**TIMERS, "max": 0.6}), "degraded",
     "a timer was 0.60 s late: the machine stood still"),
    (replace(CLEAN, drops={"p1-2": 1500, "t1": 700}), "degraded",
     "0.22% of the packets were lost at p1-2, t1"),
    (replace(CLEAN, ended=replace(ENDED, dropped=20_000)), "invalid",
     "2.00% of the packets were lost at the processors' queues (netdev_max_backlog)"),
    (replace(CLEAN, links=(replace(LINK, sent_bits=400e6),)), "invalid",
     "link worker to s1: what it carried while packets waited is 20% off what it is configured to carry"),
    (replace(CLEAN, links=(replace(LINK, sent_bits=540e6),)), "degraded",
     "link worker to s1: what it carried while packets waited is 8% off what it is configured to carry"),
    (replace(CLEAN, links=(replace(LINK, crossed={"delay": 1.2, "jitter": 1.0}),)), "degraded",
     "link worker to s1: its delay is 20% off the configured one"),
    (replace(CLEAN, links=(replace(LINK, crossed={"loss": 0.5, "loss_error": 0.05}),)), "invalid",
     "link worker to s1: its loss is 50% off the configured one"),
    (replace(CLEAN, links=(LinkSeen("a to b", 0.0, 0.0, 0.0, 0.0, configured_bps=1e8),)), "invalid",
     "link a to b: what it carried while packets waited is 100% off what it is configured to carry"),
    (replace(CLEAN, blind=("the canary: no python",)), "degraded", "not watched: the canary: no python"),
])  # fmt: skip
def test_a_fault_and_its_culprit(seen: Seen, verdict: str, culprit: str) -> None:
    fidelity = judge(seen)
    assert (fidelity.verdict, fidelity.culprits) == (verdict, (culprit,)), fidelity.figures


@pytest.mark.parametrize("seen", [
    replace(CLEAN, drops={"p1-2": 50_000}, drops_planned=True),
    replace(CLEAN, links=(LINK,)),
    replace(CLEAN, links=(replace(LINK, waited_s=0.2, sent_bits=1e6),)),
    replace(CLEAN, links=(replace(LINK, crossed={"delay": 1.03, "jitter": 0.95, "loss": 1.02}),)),
    replace(CLEAN, links=(replace(LINK, crossed={"loss": 1.4, "loss_error": 0.2}),)),
    replace(CLEAN, accounts=accounts(ran_s=0.05, waited_s=0.4)),
    replace(CLEAN, accounts=accounts({"systemd": 0.2})),
], ids=["planned drops", "its rate", "hardly waited for", "its delay", "few pings", "an idle switch", "little else"])  # fmt: skip
def test_what_is_no_fault(seen: Seen) -> None:
    assert judge(seen).verdict == "valid", judge(seen)


def test_the_worst_fault_counts_and_comes_first() -> None:
    seen = replace(CLEAN, timers={**TIMERS, "max": 0.6}, accounts=accounts({"stress": 10.0}), blind=("x",))
    fidelity = judge(seen)
    assert fidelity.verdict == "invalid"
    assert fidelity.culprits[0].startswith("other processes took 50%")
    assert len(fidelity.culprits) == 3


def test_limits_grow() -> None:
    assert all(0 < limit.degraded < limit.invalid for limit in LIMITS)
    assert len({limit.figure for limit in LIMITS}) == len(LIMITS)


def test_its_json_says_all() -> None:
    fidelity = Fidelity("degraded", ("a reason",), {"cpu_own": 0.5})
    assert Fidelity.from_json(json.loads(json.dumps(fidelity.to_json()))) == fidelity


def test_parse_proc() -> None:
    assert parse_cpu("cpu  100 10 50 9000 7 3 2 40 0 0\ncpu0 1 2 3\n") == pytest.approx((1.65, 0.4))
    assert parse_softnet("0000000a 00000002 0 0\n00000010 00000001 0 0\n") == (26, 3)
    text = "some avg10=5.57 avg60=2.37 avg300=3.37 total=3529574590\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
    assert parse_pressure(text) == pytest.approx(3529.57459)


def test_a_monitor_counts_its_own_and_the_canary_sings() -> None:
    with Monitor({os.getpid()}) as monitor:
        until = time.process_time() + 0.3
        while time.process_time() < until:
            pass
    fidelity = monitor.report()
    processors = os.cpu_count() or 1
    assert fidelity.figures["cpu_own"] * fidelity.figures["seconds"] * processors >= 0.25
    assert "timer_late_p99_s" in fidelity.figures
    assert fidelity.verdict in VERDICTS
    assert not any("not watched" in culprit for culprit in fidelity.culprits)


def test_a_process_that_is_not_there_makes_a_run_degraded() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    with Monitor({os.getpid(), ended.pid}) as monitor:
        pass
    assert f"not watched: the sandbox of process {ended.pid}: it has ended, or belongs to another user" in (
        monitor.report().culprits
    )


def test_no_report_before_the_end() -> None:
    with Monitor({os.getpid()}) as monitor, pytest.raises(RuntimeError, match="not ended"):
        monitor.report()


SAYS = "for n in 1 2 3 4; do echo time=$((10 + n)).0 ms; done; echo 4 packets transmitted"


@pytest.mark.parametrize(("ping", "bare", "blind"), [
    (SAYS, SAYS.replace("10 + n", "n"), ()),
    (SAYS, "exit 1", ("link a: what its way takes without a delay could not be measured",) * 2),
    ("exit 1", SAYS, ("link a: its pings are not answered",) * 2),
])  # fmt: skip
def test_pings_that_fail_are_told(ping: str, bare: str, blind: tuple[str, ...]) -> None:
    link = Link("a", ping=("sh", "-c", ping), ping_bare=("sh", "-c", bare), cables=(Cable(5.0),))
    with Monitor({os.getpid()}, [link]) as monitor:
        pass
    told = [culprit for culprit in monitor.report().culprits if "link a" in culprit and "not watched" in culprit]
    assert told == [f"not watched: {reason}" for reason in blind]
