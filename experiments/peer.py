"""The peer of `bench boot`: Mininet's own `mn`, building hosts on one switch, as its users run it.

Run by `isolated`: python -m experiments.peer HOSTS. It becomes `mn`; its messages say when the network was built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

from cluster.problems import MachineError
from experiments import isolated, kernel, private_ovs
from experiments.testbed import CommandError

_BUILT = "*** Stopping"
"""What `mn --test none` says once everything runs and there is no test to do."""
_MS_BIND, _MS_REMOUNT, _MS_RDONLY = 4096, 32, 1


def build_time_s(hosts: int) -> float:
    """Seconds from the start of `mn` until its network runs. Raises MachineError where there is no `mn`."""
    if shutil.which("mn") is None:
        raise MachineError("the program 'mn' is not there; run: sudo apt-get install mininet")
    process = subprocess.Popen(
        isolated.argv("peer", str(hosts)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said: list[str] = []
    began = None
    try:
        for line in process.stdout:
            said.append(line)
            if line.strip() == isolated.READY:
                began = time.monotonic()
            elif line.startswith(_BUILT) and began is not None:
                return time.monotonic() - began
    finally:
        process.kill()
        process.communicate()
    raise CommandError(f"mn built nothing: {''.join(said).strip()}")


def _become_mn(hosts: int) -> None:
    kernel.mount("tmpfs", "/run", "tmpfs")
    # Or it would raise limits of the whole machine with sysctl.
    kernel.mount("/proc/sys", "/proc/sys", flags=_MS_BIND)
    kernel.mount("none", "/proc/sys", flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY)
    kernel.run_here([kernel.change(kernel.LOOPBACK, up=True)])
    private_ovs.start()
    print(isolated.READY, flush=True)
    switch = "--switch=ovs,datapath=user,failMode=standalone"
    os.execvp("mn", ["mn", f"--topo=single,{hosts}", switch, "--controller=none", "--test=none"])


if __name__ == "__main__":
    _become_mn(int(sys.argv[1]))
