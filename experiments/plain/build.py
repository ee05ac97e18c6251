"""The plain data plane of a spec, in the caller's own namespaces: python -m experiments.plain.build SPEC."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import isolated, kernel
from experiments.plain import planned, proxy, wiring
from experiments.plain.wiring import MACHINE_SYSCTLS, NODE_SYSCTLS, Commands


def build(spec: str) -> None:
    """Raises SpecError, CommandError for what this data plane lacks, CalledProcessError for what the kernel refuses."""
    wanted = planned.load(spec)
    commands = wiring.wire(wanted)
    kernel.mount("tmpfs", "/run", "tmpfs")
    Path(kernel.NETNS).mkdir()
    home = kernel.open_home()
    for name in wiring.all_namespaces(wanted):
        kernel.new_namespace(name)
        for path, value in (*MACHINE_SYSCTLS, *(NODE_SYSCTLS if name in wanted.cluster.node_by_name else ())):
            kernel.set_sysctl(path, value)
    kernel.setns(home)
    for one in commands:
        _run(one)
    rules = "".join(proxy.ruleset(wanted.services, version) for version in (4, 6))
    for node in wanted.cluster.nodes:
        _batch(("ip", "netns", "exec", node.name, "nft", "-f", "-"), [rules])


def _run(commands: Commands) -> None:
    inside = ("-n", commands.netns) if commands.netns else ()
    for program, lines in (("ip", commands.ip), ("bridge", commands.bridge), ("tc", commands.tc)):
        if lines:
            _batch((program, *inside, "-batch", "-"), lines)


def _batch(argv: Sequence[str], lines: Sequence[str]) -> None:
    subprocess.run(argv, input="\n".join((*lines, "")), text=True, check=True)


if __name__ == "__main__":
    build(sys.argv[1])
    isolated.report_ready()
