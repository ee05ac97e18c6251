"""topo/vm/image.py and fetch.py: where a kernel is taken from, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.problems import MachineError
from topo.vm import fetch, image

STATIC, DYNAMIC = b"\x7fELF no interpreter", b"\x7fELF /lib64/ld-linux-x86-64.so.2\0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched kernels, empty, and no other place to look at."""
    monkeypatch.setenv(image.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(image, "_EVERYBODYS", tmp_path)
    monkeypatch.setattr(image, "_MACHINES_OWN", tmp_path)
    monkeypatch.setattr(image.shutil, "which", lambda _: None)
    put_busybox(tmp_path, STATIC)
    return tmp_path


def put_busybox(folder: Path, content: bytes) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "busybox").write_bytes(content)
    (folder / "bin" / "busybox").chmod(0o755)


def put_kernel(folder: Path, version: str, modules: tuple[str, ...] = image.BOOT_MODULES) -> None:
    (folder / "boot").mkdir(exist_ok=True)
    (folder / "boot" / f"vmlinuz-{version}").write_bytes(b"kernel")
    its_modules = folder / "lib" / "modules" / version
    its_modules.mkdir(parents=True)
    (its_modules / "modules.dep").write_text("".join(f"kernel/{name}.ko:\n" for name in modules))
    (its_modules / "modules.builtin").write_text("")


def test_the_newest_is_taken(folder: Path) -> None:
    for version in ("6.1.0-9-amd64", "6.1.0-56-amd64", "6.1.0-10-amd64"):
        put_kernel(folder, version)
    found = image.find()
    assert found.version == "6.1.0-56-amd64"
    assert found.kernel == folder / "boot" / "vmlinuz-6.1.0-56-amd64"
    assert found.busybox == folder / "bin" / "busybox"


def test_one_that_lacks_9p_is_passed_over(folder: Path) -> None:
    put_kernel(folder, "6.1.0-1-amd64")
    put_kernel(folder, "6.9.0-1-cloud", ("virtio_pci", "virtio_console", "overlay"))
    assert image.find().version == "6.1.0-1-amd64"


def test_if_all_lack_something_it_is_said_which(folder: Path) -> None:
    put_kernel(folder, "6.9.0-1-cloud", ("virtio_pci", "virtio_console", "overlay"))
    with pytest.raises(MachineError, match=r"run: mininetes vm --fetch\n.*6\.9\.0-1-cloud: it has no module 9pnet_virtio, 9p"):
        image.find()


def test_no_kernel(folder: Path) -> None:
    with pytest.raises(MachineError, match=r"no kernel for a virtual machine in .*; run: mininetes vm --fetch"):
        image.find()


def test_a_kernel_without_its_list_of_modules(folder: Path) -> None:
    put_kernel(folder, "6.1.0-1-amd64")
    (folder / "lib/modules/6.1.0-1-amd64/modules.dep").unlink()
    with pytest.raises(MachineError, match=r"modules\.dep is not there"):
        image.find()


def test_a_busybox_that_needs_libraries_does_not_do(folder: Path) -> None:
    put_kernel(folder, "6.1.0-1-amd64")
    put_busybox(folder, DYNAMIC)
    with pytest.raises(MachineError, match=r"busybox-static.*run: mininetes vm --fetch"):
        image.find()


def test_the_kernel_behind_the_package_that_follows_it() -> None:
    told = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n"
    assert fetch.kernel_package(told) == "linux-image-6.1.0-56-amd64"


def test_where_apt_does_not_know_it_the_other_way_is_named() -> None:
    with pytest.raises(MachineError, match=image.FOLDER_VARIABLE):
        fetch.kernel_package("")
