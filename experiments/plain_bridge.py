"""What `bench throughput` measures the pipeline against: one bridge of the same datapath, one NORMAL flow.

Two namespaces, `plain-server` and `plain-client`, each one end of a veth pair whose other end is a port of the
bridge. Alone, in an Open vSwitch of its own (`isolated.ready`: python -m experiments.plain_bridge), or beside a
testbed's bridges, in its sandbox (python -m experiments.plain_bridge beside): one thread of the userspace datapath
serves all ports and bridges, so only the latter tells what the pipeline costs, and the former what the company does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from cluster.model import mac
from experiments import isolated, kernel, private_ovs

SERVER, CLIENT = "plain-server", "plain-client"
SERVER_ADDRESS = IPv4Address("10.0.0.1")
BESIDE = "beside"
_BRIDGE = "br-plain"
_KIND, _SWITCH_SIDE = 1, 6
_INDEX = 2
_MTU_BYTES = 1450
"""A pod's in overlay mode."""


def alone() -> None:
    """The bridge and both namespaces, in the caller's own namespaces, with an Open vSwitch of their own."""
    kernel.mount("tmpfs", "/run", "tmpfs")
    Path(kernel.NETNS).mkdir()
    private_ovs.start()
    build()


def build() -> None:
    """The bridge and both namespaces, where there is an Open vSwitch."""
    home, root = kernel.open_home(), kernel.Socket()
    for number, name in enumerate((SERVER, CLIENT)):
        fd = kernel.new_namespace(name)
        macs = mac(_SWITCH_SIDE, number), mac(_KIND, number)
        root.run([kernel.veth(name, macs[0], "eth0", macs[1], _MTU_BYTES, fd, _INDEX)])
        kernel.run_here([
            kernel.change(kernel.LOOPBACK, up=True), kernel.change(_INDEX, up=True),
            kernel.address(_INDEX, SERVER_ADDRESS + number, 24),
        ])  # fmt: skip
    kernel.setns(home)
    # `standalone` is Open vSwitch's own name for one NORMAL flow.
    bridge = ["set", "bridge", _BRIDGE, f"datapath_type={private_ovs.datapath_type()}", "fail_mode=standalone"]
    private_ovs.transact([["add-br", _BRIDGE], bridge, *(["add-port", _BRIDGE, name] for name in (SERVER, CLIENT))])
    private_ovs.enlarge_buffers()


def enter(netns: str) -> Sequence[str]:
    """What to put before a command, in the sandbox, so that it runs in one of these namespaces."""
    return ("ip", "netns", "exec", netns)


if __name__ == "__main__":
    if sys.argv[1:] == [BESIDE]:
        build()
    else:
        alone()
        isolated.report_ready()
