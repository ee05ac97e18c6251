"""The one door to Ryu, or to os-ken, its maintained fork with the same API under another name.

Ryu where it is installed, os-ken elsewhere; MININETES_SDN=ryu|os-ken forces one. With Ryu, importing this module
patches the standard library's sockets and time (eventlet): what `spawn` starts are green threads, and what would
block one may not be from `threading`. os-ken uses real threads. Either way all events, from switches and from other
threads, reach the handler one after the other.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeVar

from controller import decode
from controller.events import BarrierAnswer, Handler, HeldFlows, HeldGroups, PacketIn, Received, Refused

LOG = logging.getLogger("controller.framework")

PACKAGES: Mapping[str, str] = {"ryu": "ryu", "os-ken": "os_ken"}
SOCKET_TIMEOUT_S = 60.0
"""A switch that takes a large bundle does not read its socket for a while; Ryu's 5 s would drop it."""
OFPMPF_REPLY_MORE = 1


_PACKETS = (
    "arp", "ethernet", "icmp", "icmpv6", "ipv4", "ipv6", "lldp", "mpls", "packet", "packet_base", "packet_utils",
)  # fmt: skip
_UNUSED = (
    "OpenSSL",
    "eventlet.websocket",
    "eventlet.wsgi",
    "rfc3986",
    "ryu.app.wsgi",
    "ryu.ofproto.ofproto_v1_0_parser",
    "ryu.ofproto.ofproto_v1_2_parser",
    "ryu.ofproto.ofproto_v1_4_parser",
    "stevedore",
    *(f"ryu.lib.packet.{name}" for name in _PACKETS),
)
"""What Ryu loads whether it is needed or not: its REST server, how to read packets and the messages of older versions of
OpenFlow (a switch says hello in its newest), and libraries of which it uses nothing. Without, the controller loads in
half the time, and every start of a testbed waits for that."""


class _Unused(ModuleType):
    """In the place of such a module. It has every name that Ryu takes from it while it loads."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def chosen() -> str:
    """The framework's name. Raises RuntimeError when none is installed, or MININETES_SDN names none."""
    forced = os.environ.get("MININETES_SDN", "")
    if forced and forced not in PACKAGES:
        raise RuntimeError(f"MININETES_SDN={forced}: must be one of {', '.join(PACKAGES)}")
    for name in [forced] if forced else PACKAGES:
        if find_spec(PACKAGES[name]):
            return name
    raise RuntimeError(f"{forced or 'neither ryu nor os-ken'} is installed: pip install os-ken")


def _prepare(name: str) -> None:
    """What must be done before the framework is imported."""
    if name == "ryu":
        for module in _UNUSED:
            sys.modules.setdefault(module, _Unused(module))
        # eventlet's own DNS client replaces dnspython's for the whole process, and takes as long to load as the rest.
        os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")


NAME = chosen()
_PACKAGE = PACKAGES[NAME]
_prepare(NAME)
import_module(f"{_PACKAGE}.lib.hub").patch(thread=False)
_app_manager: Any = import_module(f"{_PACKAGE}.base.app_manager")
_controller: Any = import_module(f"{_PACKAGE}.controller.controller")
_events: Any = import_module(f"{_PACKAGE}.controller.ofp_event")
_event: Any = import_module(f"{_PACKAGE}.controller.event")
_handler: Any = import_module(f"{_PACKAGE}.controller.handler")
_hub: Any = import_module(f"{_PACKAGE}.lib.hub")
_ofproto: Any = import_module(f"{_PACKAGE}.ofproto.ofproto_v1_3")
_parser: Any = import_module(f"{_PACKAGE}.ofproto.ofproto_v1_3_parser")
spawn: Callable[..., Any] = _hub.spawn
"""Call a function with these arguments in a thread of the framework's kind."""
spawn_after: Callable[..., Any] = _hub.spawn_after
"""The same after so many seconds."""
Queue: Any = _hub.Queue
_Base: Any = getattr(_app_manager, "OSKenApp", None) or _app_manager.RyuApp


class _Connection:
    """One TCP connection of a switch that has said its datapath id."""

    def __init__(self, datapath: Any) -> None:
        self._datapath = datapath
        self.dpid: int = datapath.id

    def send(self, wire: bytes) -> None:
        self._datapath.send(wire)


class _RawBody:
    """The body of a multipart reply, left as bytes: parsing every flow into objects takes seconds."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self.length = len(wire)

    @classmethod
    def parser(cls, buffer: bytes, offset: int) -> _RawBody:
        return cls(bytes(buffer[offset:]))


class _Posted(_event.EventBase):  # type: ignore[misc]
    def __init__(self, item: object) -> None:
        super().__init__()
        self.item = item


Method = TypeVar("Method", bound=Callable[..., None])


def _on(event: Any, *states: str) -> Callable[[Method], Method]:
    """The framework's decorator for event handlers, typed. States: of the connection; none given: established."""
    decorator: Callable[[Method], Method] = _handler.set_ev_cls(event, list(states) or _handler.MAIN_DISPATCHER)
    return decorator


def _noticing_its_end(receive: Callable[[Any], None]) -> Callable[[Any], None]:
    """The loop that receives from a switch, so that its end ends the loop that sends.

    On os-ken's native threads that one cannot be killed: it waits for something to send while the connection's end
    waits for it, and a switch that went away would count as connected for ever.
    """

    def receive_until_closed(datapath: Any) -> None:
        try:
            receive(datapath)
        finally:
            datapath.close()
            datapath.send(b"", close_socket=True)

    return receive_until_closed


class Application(_Base):  # type: ignore[misc]
    """The Ryu application: turns the framework's events into calls of its Handler."""

    OFP_VERSIONS = (_ofproto.OFP_VERSION,)

    def __init__(self, *args: Any, handler: Handler, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handler = handler
        self._connections: dict[Any, _Connection] = {}

    @_on(_events.EventOFPStateChange, _handler.MAIN_DISPATCHER, _handler.DEAD_DISPATCHER)
    def _state_changed(self, event: Any) -> None:
        if event.state == _handler.MAIN_DISPATCHER:
            connection = self._connections[event.datapath] = _Connection(event.datapath)
            self._guarded(self._handler.connected, connection)
        elif event.datapath in self._connections:
            self._guarded(self._handler.disconnected, self._connections.pop(event.datapath))

    @_on(_events.EventOFPFlowStatsReply)
    def _flow_stats(self, event: Any) -> None:
        wires = dict(entry for body in event.msg.body for entry in decode.flows(body.wire))
        self._pass(event.msg, HeldFlows(wires, not event.msg.flags & OFPMPF_REPLY_MORE))

    @_on(_events.EventOFPGroupStatsReply)
    def _group_stats(self, event: Any) -> None:
        ids = tuple(group_id for body in event.msg.body for group_id in decode.group_ids(body.wire))
        self._pass(event.msg, HeldGroups(ids, not event.msg.flags & OFPMPF_REPLY_MORE))

    @_on(_events.EventOFPBarrierReply)
    def _barrier(self, event: Any) -> None:
        self._pass(event.msg, BarrierAnswer(event.msg.xid))

    @_on(_events.EventOFPErrorMsg)
    def _error(self, event: Any) -> None:
        self._pass(event.msg, Refused(event.msg.xid, _error_text(event.msg)))

    @_on(_events.EventOFPPacketIn)
    def _packet_in(self, event: Any) -> None:
        self._pass(event.msg, PacketIn(bytes(event.msg.data)))

    @_on(_Posted)
    def _posted(self, event: _Posted) -> None:
        self._guarded(self._handler.posted, event.item)

    def post(self, item: object) -> None:
        """Hand something to the handler, from any thread, in order with the switches' events."""
        self._send_event(_Posted(item), None)

    def _pass(self, message: Any, what: Received) -> None:
        connection = self._connections.get(message.datapath)
        if connection is not None:
            self._guarded(self._handler.received, connection, what)

    def _guarded(self, function: Any, *arguments: object) -> None:
        """The framework would log an exception and go on with half a state; ending lets a new process start afresh."""
        try:
            function(*arguments)
        except Exception:
            LOG.exception("a bug in the controller; it ends")
            logging.shutdown()
            os._exit(1)


def _error_text(message: Any) -> str:
    if message.type == _ofproto.OFPET_EXPERIMENTER:
        return f"experimenter {message.experimenter:#x}, error {message.exp_type}"
    code = _ofproto.ofp_error_code_to_str(message.type, message.code)
    return f"{_ofproto.ofp_error_type_to_str(message.type)}, {code}"


def start(handler: Handler, host: str, port: int) -> Application:
    """Listen for switches and deliver their events. Raises OSError when the port is taken."""
    socket.create_server((host, port)).close()  # the framework itself would only log that it cannot listen
    _controller.Datapath._recv_loop = _noticing_its_end(_controller.Datapath._recv_loop)
    _parser.OFPFlowStatsReply.cls_stats_body_cls = _RawBody
    _parser.OFPGroupStatsReply.cls_stats_body_cls = _RawBody
    conf = _controller.CONF
    conf([], project="mininetes", default_config_files=[])
    conf.set_override("ofp_listen_host", host)
    conf.set_override("ofp_tcp_listen_port", port)
    conf.set_override("socket_timeout", SOCKET_TIMEOUT_S)
    manager = _app_manager.AppManager.get_instance()
    manager.load_apps([f"{_PACKAGE}.controller.ofp_handler", __name__])
    manager.create_contexts()
    manager.instantiate_apps(handler=handler)
    application: Application = manager.applications[Application.__name__]
    return application

