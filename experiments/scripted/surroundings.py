"""What an experiment ran on: versions of programs, and the machine. Figures mean nothing without it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.machine import has_netem
from cluster.problems import MachineError
from experiments.scripted.model import Experiment
from experiments.scripted.steps.faults import Fault
from experiments.scripted.steps.throughput import Iperf3

_NUMBER = re.compile(r"\d+\.\d+(?:\.\d+)?")
_NEEDED = "which need the kernel module sch_netem, and this kernel has none; use one that has it: sudo modprobe sch_netem"
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


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


def versions() -> Mapping[str, str]:
    """Empty where a program is not there."""
    return {
        "mininetes": _package("mininetes"),
        "open_vswitch": _printed("ovs-vswitchd", "--version"),
        "ryu": _package("ryu") or _package("os-ken"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "iperf3": _printed("iperf3", "--version"),
    }


def machine(experiment: Experiment) -> Mapping[str, Any]:
    kernel = Path("/sys/module/openvswitch").exists()
    asked = {variant.cluster.network.datapath for variant in experiment.variants}
    datapaths = {("kernel" if kernel else "userspace") if each == "auto" else each for each in asked}
    return {
        "processors": os.cpu_count() or 1,
        "model": _processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "datapath": ", ".join(sorted(datapaths)),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _printed(program: str, option: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")
    if path is None:
        return ""
    said = subprocess.run([path, option], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    number = _NUMBER.search(said)
    return number[0] if number else ""
