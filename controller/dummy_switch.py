"""A real Open vSwitch without a kernel and without root: load flows, ask what a packet would do, send real ones.

`--enable-dummy=override` makes every port a dummy: packets are handed in through the control socket and what a port
sends is written to a pcap file. Connection tracking and groups are the real ones.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cluster.model import OF_PORT_EDGE, OF_PORT_TRUNK, OF_PORT_TUNNEL, Cluster, Edge, Node
from cluster.waiting import wait_until
from controller.flow import FlowTable
from controller.state import NetworkState

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
OPENFLOW = "OpenFlow13"
START_TIMEOUT_S = 20.0
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PCAP_HEADER, PCAP_RECORD = 24, 16
EDGE_PORT = "edge0"


class SwitchError(Exception):
    """A program of Open vSwitch refused something, or did not start; carries what it said."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A packet that left the switch, with the port's name."""

    port: str
    packet: bytes


def _listens(path: Path) -> bool:
    """A socket is there before its program listens: whoever asks then is refused."""
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True


class DummySwitch:
    """ovsdb-server and ovs-vswitchd in a directory of their own; both end with the `with` block."""

    def __init__(self) -> None:
        self._stack: list[subprocess.Popen[bytes]] = []
        self.directory = Path()
        self._ports: dict[str, tuple[str, int]] = {}
        self._read: dict[str, int] = {}
        self._groups: dict[str, set[int]] = {}

    @staticmethod
    def available() -> bool:
        """Whether Open vSwitch is installed."""
        return shutil.which("ovs-vswitchd", path=_PATH) is not None

    def __enter__(self) -> DummySwitch:
        self.directory = Path(tempfile.mkdtemp(prefix="mininetes-ovs-"))
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop_vswitchd()
        for process in reversed(self._stack):
            _end(process)
        self._stack.clear()
        shutil.rmtree(self.directory)

    @property
    def environment(self) -> Mapping[str, str]:
        """For programs of Open vSwitch, so that they talk to this one."""
        here = str(self.directory)
        return {**os.environ, "OVS_RUNDIR": here, "OVS_LOGDIR": here, "OVS_DBDIR": here}

    def _start(self) -> None:
        database = self.directory / "conf.db"
        self._run("ovsdb-tool", "create", str(database), str(SCHEMA))
        remote = f"--remote=punix:{self.directory}/db.sock"
        self._stack.append(self._spawn("ovsdb-server", str(database), remote))
        wait_until(lambda: _listens(self.directory / "db.sock"), START_TIMEOUT_S, "ovsdb-server's socket")
        self.vsctl("--no-wait", "init")
        self._vswitchd: subprocess.Popen[bytes] | None = None
        self.start_vswitchd()

    def start_vswitchd(self) -> None:
        """Also after `stop_vswitchd`: its bridges come back, its flows do not."""
        database = f"unix:{self.directory}/db.sock"
        self._vswitchd = self._spawn("ovs-vswitchd", "--enable-dummy=override", "--disable-system", database)
        wait_until(lambda: _listens(self._control_path()), START_TIMEOUT_S, "ovs-vswitchd's control socket")

    def stop_vswitchd(self) -> None:
        process = getattr(self, "_vswitchd", None)
        if process is not None:
            _end(process)
            self._control_path().unlink(missing_ok=True)
            self._vswitchd = None

    def _control_path(self) -> Path:
        assert self._vswitchd is not None
        return self.directory / f"ovs-vswitchd.{self._vswitchd.pid}.ctl"

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = self.directory / f"{program}.log"
        command = [program, "-vconsole:off", "--no-chdir", f"--log-file={log}", *arguments]
        return subprocess.Popen(command, env={**self.environment, "PATH": _PATH}, stdin=subprocess.DEVNULL)

    def _run(self, *command: str, text: str | None = None) -> str:
        done = subprocess.run(command, env=self.environment, input=text, capture_output=True, text=True)
        if done.returncode:
            raise SwitchError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def vsctl(self, *arguments: str) -> str:
        return self._run("ovs-vsctl", f"--db=unix:{self.directory}/db.sock", *arguments)

    def ofctl(self, command: str, bridge: str, *arguments: str, text: str | None = None) -> str:
        return self._run("ovs-ofctl", "-O", OPENFLOW, command, bridge, *arguments, text=text)

    def control(self, command: str, *arguments: str) -> str:
        """One command of ovs-vswitchd's control socket (ovs-vswitchd(8), "RUNTIME MANAGEMENT COMMANDS")."""
        request = json.dumps({"id": 0, "method": command, "params": list(arguments)}).encode()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._control_path()))
            connection.sendall(request)
            reply = _read_json(connection)
        if reply.get("error"):
            raise SwitchError(f"{command} {' '.join(arguments)}: {reply['error']}")
        return str(reply["result"])

    def add_bridges(self, state: NetworkState, controller: str | None = None) -> None:
        """A bridge per node, and the edge's, with the ports that the testbed gives it, all in one transaction.

        `controller` is what ovs-vsctl calls a target ("tcp:127.0.0.1:6653").
        """
        arguments: list[str] = []
        for node in state.cluster.nodes:
            arguments += _bridge_arguments(node)
            if controller:
                arguments += ["--", "set-controller", node.bridge, controller]
            for port, of_port in _node_ports(state, node).items():
                arguments += self._port_arguments(node.bridge, port, of_port)
        if (edge := state.cluster.edge) is not None:
            arguments += _bridge_arguments(edge)
            arguments += ["--", "set-controller", edge.bridge, controller] if controller else []
            arguments += self._port_arguments(edge.bridge, EDGE_PORT, OF_PORT_EDGE)
        self.vsctl(*arguments[1:])

    def _port_arguments(self, bridge: str, port: str, of_port: int) -> list[str]:
        self._ports[port] = (bridge, of_port)
        options = [f"ofport_request={of_port}", "type=dummy", f"options:tx_pcap={self._pcap(port)}"]
        return ["--", "add-port", bridge, port, "--", "set", "interface", port, *options]

    def _pcap(self, port: str) -> Path:
        return self.directory / f"{port}.pcap"

    def load(self, bridge: str, table: FlowTable) -> None:
        """Put the flows and groups there, all or none. Raises SwitchError with what was refused."""
        self._add_groups(bridge, table)
        self._run(
            *("ovs-ofctl", "-O", OPENFLOW, "--bundle", "add-flows", bridge, "-"),
            text="".join(f"{flow}\n" for flow in table),
        )

    def _add_groups(self, bridge: str, table: FlowTable) -> None:
        held = self._groups.setdefault(bridge, set())
        groups = "".join(f"{group}\n" for group_id, group in table.groups.items() if group_id not in held)
        if groups:
            self.ofctl("add-groups", bridge, "-", text=groups)
            held.update(table.groups)

    def replace(self, bridge: str, table: FlowTable) -> None:
        """Make the bridge's flows these, touching none that stays; the next packet finds the new ones."""
        self._add_groups(bridge, table)
        wanted = self.directory / "wanted.flows"
        wanted.write_text("".join(f"{flow}\n" for flow in table))
        self._run("ovs-ofctl", "-O", OPENFLOW, "--bundle", "replace-flows", bridge, str(wanted))
        # What the datapath has cached of the old ones would outlive them by a moment.
        self.control("revalidator/purge")

    def differences(self, bridge: str, table: FlowTable) -> str:
        """How the bridge's flows differ from these in meaning, "" if not at all (`ovs-ofctl diff-flows`)."""
        expected = self.directory / "expected.flows"
        expected.write_text("".join(f"{flow}\n" for flow in table))
        command = ("ovs-ofctl", "-O", OPENFLOW, "diff-flows", bridge, str(expected))
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout + done.stderr

    def trace(self, bridge: str, packet: str, *options: str) -> str:
        """What would happen to a packet, given as ovs-ofctl writes a match ("in_port=1,tcp,nw_src=…")."""
        return self.control("ofproto/trace", bridge, packet, *options)

    def send(self, port: str, packet: bytes) -> list[Delivery]:
        """A real packet comes in at the port; what leaves the switch because of it."""
        self.control("netdev-dummy/receive", port, packet.hex())
        # The command returns when the packet was processed; a second, without effect, lets recirculation end.
        self.control("dpif-netdev/pmd-stats-clear")
        return list(self.deliveries())

    def deliveries(self) -> Iterator[Delivery]:
        """What left the switch since the last call."""
        for port in self._ports:
            pcap = self._pcap(port)
            content = pcap.read_bytes() if pcap.exists() else b""
            offset = self._read.get(port, PCAP_HEADER)
            while offset + PCAP_RECORD <= len(content):
                (length,) = struct.unpack_from("=I", content, offset + 8)
                offset += PCAP_RECORD
                yield Delivery(port, content[offset : offset + length])
                offset += length
            self._read[port] = offset


def trunk_name(node: Node) -> str:
    return f"t{node.index}"


def tunnel_name(node: Node) -> str:
    return f"x{node.index}"


def pod_port_name(node: Node, number: int) -> str:
    return f"p{node.index}-{number}"


def _node_ports(state: NetworkState, node: Node) -> dict[str, int]:
    ports = {trunk_name(node): OF_PORT_TRUNK}
    if _is_overlay(state.cluster):
        ports[tunnel_name(node)] = OF_PORT_TUNNEL
    for pod in state.pods.values():
        if pod.node == node.name and pod.of_port != OF_PORT_TRUNK:
            ports[pod_port_name(node, pod.number)] = pod.of_port
    return ports


def _is_overlay(cluster: Cluster) -> bool:
    return cluster.network.mode == "overlay"


def _bridge_arguments(node: Node | Edge) -> list[str]:
    """As the testbed makes them; datapath_type=dummy stands for the one it uses."""
    settings = [f"other_config:datapath-id={node.dpid:016x}", "fail_mode=secure", f"protocols={OPENFLOW}"]
    settings += ["datapath_type=dummy", "other_config:disable-in-band=true"]
    return ["--", "add-br", node.bridge, "--", "set", "bridge", node.bridge, *settings]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def _read_json(connection: socket.socket) -> Mapping[str, object]:
    """One JSON value; the server leaves the connection open, so its end is where it parses."""
    content = b""
    while True:
        part = connection.recv(1 << 16)
        content += part
        try:
            reply: Mapping[str, object] = json.loads(content)
            return reply
        except json.JSONDecodeError:
            if not part:
                raise


@contextmanager
def loaded(state: NetworkState, tables: Mapping[str, FlowTable]) -> Iterator[DummySwitch]:
    """A switch with all nodes' bridges and flows."""
    with DummySwitch() as switch:
        switch.add_bridges(state)
        for node in state.cluster.nodes:
            switch.load(node.bridge, tables[node.name])
        yield switch


