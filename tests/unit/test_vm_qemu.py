"""topo/vm/qemu.py, shares.py and initramfs.py: what QEMU and the guest's first script are told."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from cluster.problems import MachineError
from topo.vm import accelerator, image, initramfs, protocol, qemu, shares
from topo.vm.qemu import EMULATION, KVM, Forward, Machine
from topo.vm.shares import ROOT, Share

RESULTS = Share("results", "/srv/my, results", writable=True)
MACHINE = Machine(2, 2048, (ROOT, RESULTS), (Forward(34567),))


def arguments(option: str, accelerated: str = EMULATION) -> list[str]:
    argv = qemu.command_line(MACHINE, "/boot/vmlinuz", "/dev/fd/9", accelerated, (3, 4, 5, 6))
    return [value for name, value in itertools.pairwise(argv) if name == option]


def test_the_hosts_files_are_read_only_and_the_results_are_not() -> None:
    root, results = arguments("-fsdev")
    assert "path=/," in root and root.endswith("readonly=on")
    assert "path=/srv/my,, results," in results and "readonly" not in results


def test_only_the_loopback_is_listened_at() -> None:
    assert arguments("-netdev") == ["user,id=outside,hostfwd=tcp:127.0.0.1:34567-127.0.0.1:34567"]


def test_every_port_has_its_descriptor() -> None:
    sockets = [value for value in arguments("-chardev") if value.startswith("socket")]
    assert sockets == [f"socket,id={name},fd={fd}" for name, fd in zip(protocol.PORTS, (3, 4, 5, 6), strict=True)]


@pytest.mark.parametrize(("accelerated", "expected"), [(KVM, "kvm"), (EMULATION, "tcg,thread=multi")])
def test_the_accelerator(accelerated: str, expected: str) -> None:
    assert arguments("-accel", accelerated) == [expected]


def test_no_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu.shutil, "which", lambda program, path: None if "qemu" in program else program)
    with pytest.raises(MachineError, match="sudo apt-get install qemu-system-x86"):
        qemu.check()


def test_the_first_script_is_one() -> None:
    """Paths with spaces and quotes included: a shell reads it without complaint."""
    start = initramfs.Start("/opt/it's/python3", "/srv/the project")
    script = initramfs.script("6.1.0", Path("/var/the cache/modules"), MACHINE.shares, start)
    shell = [shutil.which("dash") or "sh", "-n"]
    checked = subprocess.run(shell, input=script, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "'/root/srv/my, results'" in script


def test_a_results_folder_that_stayed_empty_is_gone_again(tmp_path: Path) -> None:
    with shares.results(tmp_path / "new" / "results") as share:
        assert Path(share.path).is_dir()
    assert not (tmp_path / "new" / "results").exists()


def test_one_with_a_file_stays(tmp_path: Path) -> None:
    with shares.results(tmp_path / "results") as share:
        Path(share.path, "file").write_text("kept")
    assert (tmp_path / "results" / "file").read_text() == "kept"


def test_an_accelerator_that_failed_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(image.FOLDER_VARIABLE, str(tmp_path / "cache" / "vm"))
    monkeypatch.setattr(accelerator, "_DEVICE", tmp_path)
    assert accelerator.candidates() == [KVM, EMULATION]
    accelerator.remember_failure()
    assert accelerator.candidates() == [EMULATION]


def test_after_a_boot_it_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(image.FOLDER_VARIABLE, str(tmp_path / "cache" / "vm"))
    monkeypatch.setattr(accelerator, "_DEVICE", tmp_path)
    accelerator.remember_failure()
    (tmp_path / "boot_id").write_text("another boot\n")
    monkeypatch.setattr(accelerator, "_BOOT_ID", tmp_path / "boot_id")
    assert accelerator.candidates() == [KVM, EMULATION]
