"""What the host must have, told with the command that installs it (exit status 3)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cluster.ingress_controller import controller_objects, runs_controller
from cluster.machine import has_netem
from cluster.model import GENEVE_PORT, Cluster
from cluster.objects import Object
from cluster.problems import MachineError
from topo import geneve
from topo.confine import PATH

PROGRAMS: Mapping[str, str] = {
    "ovs-vswitchd": "openvswitch-switch",
    "ovsdb-server": "openvswitch-switch",
    "ip": "iproute2",
    "tc": "iproute2",
    "bash": "bash",
}
"""Program -> the Debian package that has it."""

INGRESS_PROGRAMS: Mapping[str, str] = {"nginx": "nginx-light", "openssl": "openssl", "python3": "python3"}
"""What an ingress controller needs besides."""


def check(cluster: Cluster, objects: Sequence[Object] = ()) -> None:
    """Raise MachineError naming everything that this cluster and its objects need and the machine has not."""
    has_ingress = runs_controller((*objects, *controller_objects(objects)))
    programs = {**PROGRAMS, **(INGRESS_PROGRAMS if has_ingress else {})}
    lacking = [*_programs(programs), *_kernel(cluster)]
    if lacking:
        raise MachineError("\n".join(lacking))


def _programs(programs: Mapping[str, str]) -> Iterable[str]:
    for program, package in programs.items():
        if shutil.which(program, path=PATH) is None:
            yield f"the program {program!r} is not there; run: sudo apt-get install {package}"


def _kernel(cluster: Cluster) -> Iterable[str]:
    shaped = [link for link in cluster.underlay.links if link.shape.needs_netem]
    if shaped and not has_netem():
        link = shaped[0]
        yield (
            f"link {link.a} - {link.b} has delay, jitter or loss, which need the kernel module sch_netem, and this "
            "kernel has none; leave them out, or use a kernel that has it: sudo modprobe sch_netem, or mininetes vm"
        )
    if cluster.tunnel_port == GENEVE_PORT and not geneve.in_kernel():
        yield (
            "encapsulation: geneve needs the kernel module geneve, and this kernel has none; run: sudo modprobe geneve, or "
            "use a kernel that has it: mininetes vm"
        )
    if cluster.network.datapath == "kernel" and not Path("/sys/module/openvswitch").exists():
        yield "datapath: kernel needs the kernel module openvswitch; run: sudo modprobe openvswitch"
