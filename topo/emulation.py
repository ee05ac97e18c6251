"""Nodes, switches and links as Mininet knows them. The one module that imports mininet.

Mininet's classes, with what is slow in them replaced: a host takes a namespace that is there and gets its
shell when the first command is typed (25 ms each otherwise); a link creates both ends in place with one netlink
message. Making is idempotent, so the same code builds a network, takes it up again after a restart of the agent,
and lets `mininetes cli` look at one that runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import pty
import select
import socket
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from mininet.cli import CLI
from mininet.link import TCIntf, TCLink
from mininet.log import lg, output, setLogLevel
from mininet.net import Mininet
from mininet.node import Node, Switch
from mininet.topo import Topo
from mininet.util import getincrementaldecoder

from cluster.model import Client, Cluster, Link, LinkShape
from cluster.model import Node as ClusterNode
from topo import confine, namespaces, netlink
from topo.confine import Place
from topo.places import machine_place

UPLINK = "eth0"
_PROMPT = chr(127)

# Mininet makes its own class the one of every logger in the process.
logging.setLoggerClass(logging.Logger)
# Else Mininet would raise the whole machine's limits with sysctl.
Mininet.inited = True


class LazyShell(Node):  # type: ignore[misc]
    """A Mininet node whose shell starts with its first command."""

    shell: Any

    def startShell(self, mnopts: str | None = None) -> None:
        self.pid = os.getpid()
        self.execed = False
        self.prepare()

    def prepare(self) -> None:
        """Make what this node needs besides a shell. Idempotent."""

    def sendCmd(self, *args: Any, **kwargs: Any) -> None:
        self._start_shell()
        super().sendCmd(*args, **kwargs)

    def cmd(self, *args: Any, **kwargs: Any) -> str:
        self._start_shell()
        output: str = super().cmd(*args, **kwargs)
        return output

    def _start_shell(self) -> None:
        if self.shell is not None:
            return
        self.master, self.slave = pty.openpty()
        argv = ["bash", "--norc", "--noediting", "-is", f"mininet:{self.name}"]
        self.shell = self._popen(
            argv, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=self._enter_with_terminal, env={**os.environ, "PS1": _PROMPT},
        )  # fmt: skip
        self.stdin = self.stdout = os.fdopen(self.master, "r")
        self.pid = self.shell.pid
        self.pollOut = select.poll()
        self.pollOut.register(self.stdout)
        self.outToNode[self.stdout.fileno()] = self.inToNode[self.stdin.fileno()] = self
        self.decoder = getincrementaldecoder()
        self.readbuf = ""
        while self.read(1024)[-1] != _PROMPT:
            self.pollOut.poll()
        self.waiting = False
        self.cmd("unset HISTFILE; stty -echo; set +m")

    def _enter_with_terminal(self) -> None:
        # So that Ctrl-C at the prompt reaches what the shell runs.
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.enter()

    def enter(self) -> None:
        """In a child about to exec: become a process of this node."""

    def popen(self, *args: Any, **kwargs: Any) -> subprocess.Popen[Any]:
        process: subprocess.Popen[Any] = super().popen(*args, mncmd=[], preexec_fn=self.enter, **kwargs)
        return process


class NamespaceHost(LazyShell):
    """A node, client or pod: a Mininet host in a pinned namespace that is there already, its processes confined."""

    def __init__(self, name: str, place: Place, **params: Any) -> None:
        self.place: Place = place
        super().__init__(name, **params)

    def prepare(self) -> None:
        confine.prepare_scratch(self.place.scratch, {"hostname": f"{self.place.hostname}\n"})

    def enter(self) -> None:
        confine.enter(self.place)

    def configDefault(self, **_params: Any) -> None:
        """Addresses are set in one batch for the whole cluster (`nodes`)."""


class KnownIntf(TCIntf):  # type: ignore[misc]
    """An interface whose addresses are known without asking; shaped with tc where its link says so."""

    bwParamMax = 100_000
    """Mbit/s. Mininet's own limit is 1000."""

    def config(self, shape: LinkShape | None = None, address: str | None = None, **_params: Any) -> None:
        if address is not None:
            self.ip = address
        if shape is not None and shape != LinkShape():
            super().config(
                bw=shape.bandwidth_mbps,
                delay=None if shape.delay_ms is None else f"{shape.delay_ms}ms",
                jitter=None if shape.jitter_ms is None else f"{shape.jitter_ms}ms",
                loss=shape.loss_percent,
                up=None,
            )

    def reshape(self, shape: LinkShape) -> None:
        """Another shape instead of the one that it has."""
        # Answers that there is none where there is none: all that matters is that there is none then.
        self.tc("%s qdisc del dev %s root")
        self.config(shape=shape)

    def updateIP(self) -> str | None:
        ip: str | None = self.ip
        return ip

    def updateMAC(self) -> str | None:
        mac: str | None = self.mac
        return mac


class UnderlayLink(TCLink):  # type: ignore[misc]
    """A cable: both ends of a veth pair created where they belong."""

    def __init__(self, node1: Node, node2: Node, **params: Any) -> None:
        super().__init__(node1, node2, cls1=KnownIntf, cls2=KnownIntf, **params)

    def __str__(self) -> str:
        ends = (f"{intf.node}-{intf}" if intf.name == UPLINK else str(intf) for intf in (self.intf1, self.intf2))
        return "<->".join(ends)

    @classmethod
    def makeIntfPair(
        cls, intfname1: str, intfname2: str, addr1: str | None = None, addr2: str | None = None,
        node1: Any = None, node2: Any = None, deleteIntfs: bool = True,
    ) -> tuple[str, str]:  # fmt: skip
        with _namespace_of(node1) as fd1, _namespace_of(node2) as fd2:
            if namespaces.interface_index(intfname1, fd1) is None:
                message = netlink.new_veth(
                    intfname1, intfname2, mac=addr1, peer_mac=addr2, netns_fd=fd1, peer_netns_fd=fd2,
                    mtu=node1.params.get("mtu") or node2.params.get("mtu"),
                )  # fmt: skip
                with netlink.Socket() as root:
                    root.run([message])
                for name, fd in ((intfname1, fd1), (intfname2, fd2)):
                    namespaces.raise_interface(name, fd)
        return intfname1, intfname2


@contextlib.contextmanager
def _namespace_of(node: Node) -> Iterator[int | None]:
    """The namespace of a host; None for a switch, whose ports are in the sandbox's root namespace."""
    if not isinstance(node, NamespaceHost):
        yield None
        return
    fd = namespaces.open_pinned(node.place.netns)
    try:
        yield fd
    finally:
        os.close(fd)


class UnderlaySwitch(LazyShell, Switch):  # type: ignore[misc]
    """A Linux bridge in the sandbox's root namespace.

    Not an Open vSwitch bridge: in the userspace datapath, TCP inside VXLAN stalls on its way through one, since
    a segment that is to be cut after its encapsulation cannot cross a packet socket.
    """

    def __init__(self, name: str, **params: Any) -> None:
        # Not Switch's own: it would configure the loopback with a shell command per switch.
        Node.__init__(self, name, **params)
        self.dpid, self.opts, self.listenPort, self.controlIntf = "", "", None, None

    def start(self, _controllers: Sequence[Any]) -> None:
        with netlink.Socket() as root:
            if namespaces.interface_index(self.name, None) is None:
                root.run([netlink.new_bridge(self.name)])
            bridge = socket.if_nametoindex(self.name)
            ports = [socket.if_nametoindex(name) for name in self.intfNames() if name != "lo"]
            root.run(netlink.set_link(port, master=bridge) for port in ports)


class UnderlayTopo(Topo):  # type: ignore[misc]
    """The cluster's machines and cables as a Mininet topology."""

    def build(self, cluster: Cluster, configure: bool) -> None:
        for machine in machines(cluster):
            self.addHost(
                machine.name, place=machine_place(machine.name), inNamespace=True, mtu=cluster.network.mtu_bytes
            )
        for switch in cluster.underlay.switches:
            self.addSwitch(switch, mtu=cluster.network.mtu_bytes)
        uplinks = {machine.name: machine for machine in machines(cluster)}
        for link in cluster.underlay.links:
            self.addLink(link.a, link.b, **_link_parameters(link, uplinks, configure))


def _link_parameters(link: Link, uplinks: Mapping[str, ClusterNode | Client], configure: bool) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for number, end in ((1, link.a), (2, link.b)):
        machine = uplinks.get(end)
        parameters[f"params{number}"] = {"shape": link.shape if configure else None}
        if machine is not None:
            parameters[f"intfName{number}"] = UPLINK
            parameters[f"addr{number}"] = machine.uplink_mac
            parameters[f"params{number}"]["address"] = str(machine.addresses[0])
    return parameters


class UnderlayNetwork(Mininet):  # type: ignore[misc]
    """All machines of a cluster. With `configure` False, of one that runs already and is only looked at."""

    def __init__(self, cluster: Cluster, configure: bool = True) -> None:
        super().__init__(
            topo=UnderlayTopo(cluster, configure), host=NamespaceHost, switch=UnderlaySwitch, link=UnderlayLink,
            intf=KnownIntf, controller=None, build=True,
        )  # fmt: skip

    def add_pod(self, name: str, place: Place, address: str) -> None:
        """Let the prompt know a pod (its namespace exists already)."""
        host = self.addHost(name, place=place)
        KnownIntf("eth0", node=host, address=address, moveIntfFn=lambda *_: None)

    def iperf(
        self, hosts: Sequence[NamespaceHost] | None = None, l4Type: str = "TCP", udpBw: str = "10M",
        fmt: str | None = None, seconds: int = 5, port: int = 5001,
    ) -> list[str]:  # fmt: skip
        """What the server and the client of a connection measured.

        Mininet's own, over TCP, waits for a report of the empty connection by which it tried the port; iperf 2.1
        makes none, so it would wait for ever.
        """
        client, server = hosts or (self.hosts[0], self.hosts[-1])
        if l4Type != "TCP":
            reported: list[str] = super().iperf([client, server], l4Type, udpBw, fmt, seconds, port)
            return reported
        output("*** Iperf: testing TCP bandwidth between", client, "and", server, "\n")
        address = str(server.IP())
        iperf = ["iperf", "-p", str(port), *(["-f", fmt] if fmt else []), *(["-V"] if ":" in address else [])]
        serving = server.popen([*iperf, "-s"], text=True)
        try:
            _line_with("listening on", serving)
            asking = client.popen([*iperf, "-t", str(seconds), "-c", address], text=True)
            told, errors = asking.communicate()
            if "/sec" not in told:
                output(f"*** {client} has no connection to {server}: {errors.strip()}\n")
                return []
            results = [self._parseIperf(text) for text in (_line_with("/sec", serving), told)]
        finally:
            serving.terminate()
            serving.communicate()
        output(f"*** Results: {results}\n")
        return results


def _line_with(text: str, process: subprocess.Popen[Any]) -> str:
    """The next line of a program's output that has `text` in it; empty when the program ends before."""
    return next((line for line in process.stdout or () if text in line), "")


class _Prompt(CLI):  # type: ignore[misc]
    """The mininet> prompt, for names as Kubernetes has them."""

    identchars = CLI.identchars + "-./"


def prompt(network: UnderlayNetwork, commands: IO[str]) -> None:
    """Take commands from a terminal until its user leaves, or from a file until its end."""
    # Mininet would write to standard error what its commands answer.
    lg.ch.setStream(sys.stdout)
    setLogLevel("output" if not commands.isatty() else "info")
    if commands.isatty():
        _Prompt(network)
        return
    # Mininet offers what it reads from standard input to the program that runs, so commands must come otherwise.
    silent_read, silent_write = os.pipe()
    with tempfile.NamedTemporaryFile("w") as script, os.fdopen(silent_read) as silent:
        script.write(commands.read())
        script.flush()
        _Prompt(network, stdin=silent, script=script.name)
    os.close(silent_write)


def machines(cluster: Cluster) -> tuple[ClusterNode | Client, ...]:
    """Everything with an uplink: nodes, then external clients."""
    return (*cluster.nodes, *cluster.clients)
