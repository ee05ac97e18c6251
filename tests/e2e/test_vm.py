"""mininetes vm: a command in a virtual machine, as an ordinary user. The kernel and QEMU must be there already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from manifests import as_documents, cluster, netexec, pod
from testbeds import ROOT, User

from cluster.problems import MachineError
from topo.vm import image, qemu
from topo.waiting import wait_until

BOOT_TIMEOUT_S = 150.0
HOST_FILE = Path("/var/tmp/mininetes-vm-was-here")
SMOKE = f"""
set -e
$PYTHON -m cluster.commands up --quiet -f "$RESULTS/spec.yaml"
$PYTHON -m cluster.commands matrix --expect-full --timeout 20
$PYTHON -m cluster.commands exec sandbox -- ovs-appctl dpctl/show
touch {HOST_FILE}
echo "from the guest" > "$RESULTS/file"
cat
echo "an error" > /dev/stderr
exit 7
"""


@pytest.fixture(scope="module", autouse=True)
def _machine() -> None:
    try:
        qemu.check()
        image.find()
    except MachineError as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.fixture
def results(nobody: User) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mininetes-results-") as folder:
        nobody.own(Path(folder))
        yield Path(folder)


def start(user: User, results: Path, script: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **user.environment, "RESULTS": str(results), "PYTHON": sys.executable,
                   "PYTHONPATH": str(ROOT)}  # fmt: skip
    return subprocess.Popen(
        user.argv("vm", "--quiet", "--results", str(results), "--", "bash", "-c", script), cwd=ROOT, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_cluster_on_the_kernel_datapath(nobody: User, results: Path) -> None:
    """Two nodes reach each other there; status, streams and results come back; the host is as it was."""
    pods = (pod("one", netexec(), nodeName="control-plane"), pod("two", netexec(), nodeName="worker"))
    (results / "spec.yaml").write_text(as_documents((cluster(workers=1), *pods)))
    running = start(nobody, results, SMOKE)
    output, errors = running.communicate("typed\n", timeout=BOOT_TIMEOUT_S)
    assert running.returncode == 7, output + errors
    assert "system@ovs-system" in output
    assert "4 of 4 pairs reach" in output
    assert output.endswith("typed\n")
    assert errors == "an error\n"
    assert (results / "file").read_text() == "from the guest\n"
    assert not HOST_FILE.exists()


def test_killed_it_leaves_nothing(nobody: User, results: Path) -> None:
    with start(nobody, results, "true") as running:
        wait_until(lambda: machines_of(running), BOOT_TIMEOUT_S, "QEMU")
        (machine,) = machines_of(running)
        running.send_signal(signal.SIGKILL)
        wait_until(lambda: has_ended(f"/proc/{machine}/stat"), BOOT_TIMEOUT_S, "the end of QEMU")
        running.communicate()


def test_interrupted_it_says_so_and_leaves_nothing(nobody: User, results: Path) -> None:
    with start(nobody, results, "true") as running:
        wait_until(lambda: machines_of(running), BOOT_TIMEOUT_S, "QEMU")
        (machine,) = machines_of(running)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=BOOT_TIMEOUT_S)
        assert running.returncode == 128 + signal.SIGINT
        assert has_ended(f"/proc/{machine}/stat")


def machines_of(running: subprocess.Popen[str]) -> list[int]:
    """The processes of QEMU among its children."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    return [int(child) for child in children if qemu.PROGRAM in Path(f"/proc/{child}/cmdline").read_text()]


def has_ended(stat: str) -> bool:
    """Whether that process is gone, or waits only for somebody to ask how it ended."""
    try:
        return Path(stat).read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
