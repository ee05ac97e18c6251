"""topo/vm/modules.py: which files a kernel module takes, in which order."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from cluster.problems import MachineError
from topo.vm import modules
from topo.vm.modules import Modules

DEPENDENCIES = """kernel/fs/9p/9p.ko: kernel/net/9p/9pnet.ko kernel/fs/netfs/netfs.ko kernel/fs/fscache/fscache.ko
kernel/net/9p/9pnet.ko:
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko kernel/drivers/virtio/virtio.ko
kernel/fs/netfs/netfs.ko: kernel/fs/fscache/fscache.ko
kernel/fs/fscache/fscache.ko:
kernel/drivers/virtio/virtio.ko:
kernel/net/sched/sch-odd.ko:
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Modules:
    (tmp_path / "modules.dep").write_text(DEPENDENCIES)
    (tmp_path / "modules.builtin").write_text("kernel/fs/overlayfs/overlay.ko\n")
    return Modules(tmp_path)


def names(files: tuple[Path, ...]) -> list[str]:
    return [file.name.partition(".")[0] for file in files]


def test_each_comes_after_what_it_needs_and_only_once(kernel: Modules) -> None:
    order = names(kernel.in_order(["9p", "9pnet_virtio"]))
    assert order == ["fscache", "netfs", "9pnet", "9p", "virtio", "9pnet_virtio"]


def test_what_is_built_in_takes_no_file(kernel: Modules) -> None:
    assert kernel.has("overlay")
    assert kernel.in_order(["overlay"]) == ()


def test_hyphens_and_underscores_are_the_same(kernel: Modules) -> None:
    assert kernel.has("sch_odd") and kernel.has("sch-odd")
    assert names(kernel.in_order(["sch_odd"])) == ["sch-odd"]


def test_a_missing_one_is_named_with_the_remedy(kernel: Modules) -> None:
    with pytest.raises(MachineError, match=r"no module 'openvswitch'.*mininetes vm --fetch"):
        kernel.in_order(["openvswitch"])


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".xz", lzma.compress), (".gz", gzip.compress)])
def test_compressed_ones_are_read(tmp_path: Path, suffix: str, pack: object) -> None:
    file = tmp_path / f"9p.ko{suffix}"
    file.write_bytes(pack(b"\x7fELF module"))  # type: ignore[operator]
    assert modules.content(file) == b"\x7fELF module"
