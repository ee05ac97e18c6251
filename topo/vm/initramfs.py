"""The guest's first root: kernel modules, busybox, and a script that mounts the host's files and starts `guest`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from topo.vm import cpio, modules, protocol
from topo.vm.image import BOOT_MODULES, Image
from topo.vm.shares import ROOT, Share

_PACKET_BYTES = 500 << 10
"""The largest 9p message (msize) that Linux' virtio transport takes."""
_ROOT_OPTIONS = f"trans=virtio,version=9p2000.L,msize={_PACKET_BYTES},ro,cache=loose"
"""Nobody waits for what others write to the host's files meanwhile, so what was read once stays in memory."""
_SHARE_OPTIONS = f"trans=virtio,version=9p2000.L,msize={_PACKET_BYTES},cache=none"
_MODULES = "modules"


@dataclass(frozen=True, slots=True)
class Start:
    """How `guest` starts: the interpreter, and where this project is."""

    python: str
    project: str


def build(image: Image, shares: Sequence[Share], start: Start) -> bytes:
    """The archive, about 2 MB. Raises MachineError: the kernel lacks a module."""
    files = image.modules.in_order(BOOT_MODULES)
    names = [f"{number:02}-{file.name.partition('.')[0]}.ko" for number, file in enumerate(files)]
    folders = [cpio.directory(path) for path in ("bin", "dev", "proc", "sys", "host", "layer", "root", _MODULES)]
    return cpio.archive(
        [
            *folders,
            cpio.program("bin/busybox", image.busybox.read_bytes()),
            *(cpio.Entry(f"{_MODULES}/{name}", modules.content(file)) for name, file in zip(names, files, strict=True)),
            cpio.program("init", script(image.version, image.modules.folder, shares, start).encode()),
        ]
    )


def script(version: str, modules_folder: Path, shares: Sequence[Share], start: Start) -> str:
    """/init. What fails stops it, and with it the guest."""
    quoted = shlex.quote
    mounts = "".join(
        f"busybox mkdir -p {quoted('/root' + share.path)}\n"
        f"busybox mount -t 9p -o {_SHARE_OPTIONS} {share.tag} {quoted('/root' + share.path)}\n"
        for share in shares
        if share is not ROOT
    )
    return f"""#!/bin/busybox sh
set -e
export PATH=/bin
busybox mount -t devtmpfs devtmpfs /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
for module in /{_MODULES}/*; do busybox insmod $module; done
until busybox grep -q . /sys/class/virtio-ports/*/name; do busybox sleep 0.05; done 2>/dev/null
for name in /sys/class/virtio-ports/*/name; do
    if [ "$(busybox cat $name)" = {protocol.CONTROL} ]; then
        port=${{name%/name}}
        echo '{protocol.encode(protocol.INIT).decode().strip()}' > /dev/${{port##*/}}
    fi
done
busybox mount -t 9p -o {_ROOT_OPTIONS} {ROOT.tag} /host
busybox mount -t tmpfs -o size=90%,mode=755 tmpfs /layer
busybox mkdir /layer/upper /layer/work
busybox mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root
busybox mkdir -p {quoted(f"/root/lib/modules/{version}")}
busybox mount -o bind {quoted(f"/host{modules_folder}")} {quoted(f"/root/lib/modules/{version}")}
busybox mount -t tmpfs -o mode=755 tmpfs /root/run
{mounts}for folder in dev proc sys; do busybox mount -o move /$folder /root/$folder; done
export PYTHONPATH={quoted(start.project)} PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec /bin/busybox switch_root /root {quoted(start.python)} -S -m topo.vm.guest
"""
