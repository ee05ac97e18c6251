"""What `bench throughput` measures the pipeline against: one bridge of the same datapath, one NORMAL flow.

Two namespaces, `client` and `server`, each one end of a veth pair whose other end is a port of the bridge.
Run by `isolated.ready`: python -m experiments.plain_bridge.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from cluster.model import mac
from experiments import isolated, kernel, private_ovs

SERVER_ADDRESS = IPv4Address("10.0.0.1")
_NAMES = ("server", "client")
_KIND, _SWITCH_SIDE = 1, 6
_INDEX = 2
_MTU_BYTES = 1450
"""A pod's in overlay mode."""


def build() -> None:
    """The bridge and both namespaces, in the caller's own namespaces."""
    kernel.mount("tmpfs", "/run", "tmpfs")
    Path(kernel.NETNS).mkdir()
    private_ovs.start()
    home, root = kernel.open_home(), kernel.Socket()
    for number, name in enumerate(_NAMES):
        fd = kernel.new_namespace(name)
        macs = mac(_SWITCH_SIDE, number), mac(_KIND, number)
        root.run([kernel.veth(name, macs[0], "eth0", macs[1], _MTU_BYTES, fd, _INDEX)])
        kernel.run_here([
            kernel.change(kernel.LOOPBACK, up=True), kernel.change(_INDEX, up=True),
            kernel.address(_INDEX, SERVER_ADDRESS + number, 24),
        ])  # fmt: skip
    kernel.setns(home)
    # `standalone` is Open vSwitch's own name for one NORMAL flow.
    bridge = ["set", "bridge", "br0", f"datapath_type={private_ovs.datapath_type()}", "fail_mode=standalone"]
    private_ovs.transact([["add-br", "br0"], bridge, *(["add-port", "br0", name] for name in _NAMES)])


if __name__ == "__main__":
    build()
    isolated.report_ready()
