"""What an experiment needs of the machine, told before anything starts (exit status 3)."""

from __future__ import annotations

import shutil
from pathlib import Path

from cluster.machine import has_netem
from cluster.problems import MachineError
from experiments.scripted.model import Experiment
from experiments.scripted.steps.faults import Fault
from experiments.scripted.steps.throughput import Iperf3

_NEEDED = "which need the kernel module sch_netem, and this kernel has none; use one that has it: sudo modprobe sch_netem"


def check(experiment: Experiment) -> None:
    """Raise MachineError naming everything that its runs need and this machine has not."""
    lacking: dict[str, None] = {}
    netem = has_netem()
    for variant in experiment.variants:
        for link in variant.cluster.underlay.links:
            if link.shape.needs_netem and not netem:
                lacking[f"link {link.a} - {link.b} has delay, jitter or loss, {_NEEDED}"] = None
        for step in variant.steps:
            if isinstance(step.action, Fault) and step.action.needs_netem and not netem:
                fields = ", ".join(step.action.needs_netem)
                lacking[f"{experiment.file}: step {step.name!r}: its fault has {fields}, {_NEEDED}"] = None
            if isinstance(step.action, Iperf3) and shutil.which("iperf3") is None:
                lacking["the program 'iperf3' is not there; run: sudo apt-get install iperf3"] = None
        if variant.cluster.network.datapath == "kernel" and not Path("/sys/module/openvswitch").exists():
            lacking["datapath: kernel needs the kernel module openvswitch; run: sudo modprobe openvswitch"] = None
    if lacking:
        raise MachineError("\n".join(lacking))
