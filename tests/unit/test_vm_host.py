"""topo/vm/host.py: one run, with a guest that is a thread."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from cluster.problems import MachineError
from topo.vm import accelerator, host, protocol
from topo.vm.image import Image
from topo.vm.initramfs import Start
from topo.vm.modules import Modules
from topo.vm.protocol import Command, Lines
from topo.vm.qemu import EMULATION, KVM, Machine

Guest = Callable[[dict[str, socket.socket]], None]


class FakeRunning:
    """As qemu.Running: a socket for each port; at the other ends, a guest."""

    def __init__(self, guest: Guest, accelerated: str) -> None:
        pairs = {name: socket.socketpair() for name in protocol.PORTS}
        self.ports = {name: pair[0] for name, pair in pairs.items()}
        self._theirs = {name: pair[1] for name, pair in pairs.items()}
        self.accelerator, self.ended = accelerated, False
        Thread(target=self._live, args=(guest,)).start()

    def _live(self, guest: Guest) -> None:
        guest(self._theirs)
        for port in self._theirs.values():
            port.close()

    def end(self) -> None:
        self.ended = True
        for port in self.ports.values():
            port.close()

    def last_words(self) -> str:
        return "Kernel panic"


def boots(ports: dict[str, socket.socket]) -> Command:
    """A guest's start, as far as to its command."""
    control = ports[protocol.CONTROL]
    control.sendall(protocol.encode(protocol.INIT))
    control.sendall(protocol.encode(protocol.READY))
    ((_, value),) = Lines().feed(control.recv(1 << 16))
    return protocol.decode_command(value)


def obedient(ports: dict[str, socket.socket]) -> None:
    command = boots(ports)
    ports[protocol.OUTPUT].sendall(" ".join(command.argv).encode())
    ports[protocol.ERRORS].sendall(b"an error")
    ports[protocol.CONTROL].sendall(protocol.encode(protocol.EXIT, 7))


def dying(ports: dict[str, socket.socket]) -> None:
    boots(ports)


def silent(_ports: dict[str, socket.socket]) -> None:
    """One that never comes as far as to its first process."""


def lacking(ports: dict[str, socket.socket]) -> None:
    ports[protocol.CONTROL].sendall(protocol.encode(protocol.INIT))
    ports[protocol.CONTROL].sendall(protocol.encode(protocol.LACKS, "modprobe failed"))


class Machines:
    """Starts guests, each by its accelerator, and remembers them."""

    def __init__(self, guests: dict[str, Guest]) -> None:
        self._guests = guests
        self.started: list[FakeRunning] = []

    def __call__(self, _machine: object, _image: object, _start: object, accelerated: str) -> FakeRunning:
        self.started.append(FakeRunning(self._guests[accelerated], accelerated))
        return self.started[-1]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, Machines]]:
    def run_with(kubeconfig: Path | None = None, **guests: Guest) -> tuple[int, Machines]:
        machines = Machines(guests)
        monkeypatch.setattr(host, "Running", machines)
        monkeypatch.setattr(accelerator, "candidates", lambda: list(guests))
        image = Image("6.1.0", tmp_path, Modules(tmp_path), tmp_path)
        command = Command(("say", "this"), "/", {})
        status = host.Run(Machine(1, 512, ()), image, Start("python3", "/"), command, kubeconfig)()
        assert all(each.ended for each in machines.started)
        return status, machines

    return run_with


def test_output_errors_and_status(run: Callable[..., tuple[int, Machines]], capfd: pytest.CaptureFixture[str]) -> None:
    status, _ = run(**{EMULATION: obedient})
    told = capfd.readouterr()
    assert (status, told.out, told.err) == (7, "say this", "an error")


def test_where_kvm_gets_nowhere_the_processor_is_emulated(
    run: Callable[..., tuple[int, Machines]], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    monkeypatch.setattr(accelerator, "remember_failure", lambda: failures.append(KVM))
    status, machines = run(**{KVM: silent, EMULATION: obedient})
    assert status == 7
    assert [each.accelerator for each in machines.started] == [KVM, EMULATION]
    assert failures == [KVM]


def test_a_guest_that_does_not_start_is_quoted(run: Callable[..., tuple[int, Machines]]) -> None:
    with pytest.raises(MachineError, match=r"did not start \(tcg, no 'init'.*\nKernel panic"):
        run(**{EMULATION: silent})


def test_one_that_dies_before_its_command_is_quoted(run: Callable[..., tuple[int, Machines]]) -> None:
    with pytest.raises(MachineError, match=r"ended before its command; it said:\nKernel panic"):
        run(**{EMULATION: dying})


def test_what_a_guest_lacks_is_told(run: Callable[..., tuple[int, Machines]]) -> None:
    with pytest.raises(MachineError, match="could not be set up: modprobe failed"):
        run(**{EMULATION: lacking})


def test_the_kubeconfig_is_the_owners_only(run: Callable[..., tuple[int, Machines]], tmp_path: Path) -> None:
    def with_a_testbed(ports: dict[str, socket.socket]) -> None:
        boots(ports)
        ports[protocol.CONTROL].sendall(protocol.encode(protocol.KUBECONFIG, "clusters: []"))
        ports[protocol.CONTROL].sendall(protocol.encode(protocol.EXIT, 0))

    file = tmp_path / "kubeconfig"
    run(kubeconfig=file, **{EMULATION: with_a_testbed})
    assert file.read_text() == "clusters: []"
    assert file.stat().st_mode & 0o777 == 0o600
