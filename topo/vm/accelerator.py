"""Whether the processor's own virtualisation works here. That /dev/kvm opens does not say so: within some virtual
machines it opens, and no guest gets anywhere. A guest that reaches its first process does."""

from __future__ import annotations

import os
from pathlib import Path

from topo.vm import image
from topo.vm.qemu import EMULATION, KVM

_DEVICE = Path("/dev/kvm")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FAILED = "kvm-failed"


def candidates() -> list[str]:
    """What to try, the fastest first. One that failed since this machine was booted is not tried again."""
    usable = os.access(_DEVICE, os.R_OK | os.W_OK) and _failed_at() != _BOOT_ID.read_text()
    return [KVM, EMULATION] if usable else [EMULATION]


def remember_failure() -> None:
    """So that the next start need not wait for the same."""
    file = image.fetched_folder().with_name(_FAILED)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_BOOT_ID.read_text())


def _failed_at() -> str | None:
    file = image.fetched_folder().with_name(_FAILED)
    return file.read_text() if file.exists() else None
