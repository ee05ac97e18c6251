"""What a container's manifest asks for, with the API's defaults (API reference, Probe)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ProbeKind = Literal["startup", "readiness", "liveness"]


@dataclass(frozen=True, slots=True)
class HttpGet:
    """Success: 200 ≤ status < 400. `host` None: the pod's address. `port` None: its name is no port's of the
    container, as `port_name` tells."""

    port: int | None
    path: str = "/"
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    host: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    port_name: str = ""


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """Success: the connection is made. Fields as HttpGet's."""

    port: int | None
    host: str | None = None
    port_name: str = ""


@dataclass(frozen=True, slots=True)
class Exec:
    """Success: the command, run in the container, ends with 0."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grpc:
    """Success: grpc.health.v1.Health/Check says SERVING."""

    port: int
    service: str = ""


Handler = HttpGet | TcpSocket | Exec | Grpc


@dataclass(frozen=True, slots=True)
class Probe:
    """A handler and when it is asked."""

    handler: Handler
    initial_delay_s: float = 0
    period_s: float = 10
    timeout_s: float = 1
    success_threshold: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True, slots=True)
class ContainerProbes:
    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None

    def __bool__(self) -> bool:
        return any((self.startup, self.readiness, self.liveness))


def probes_of(container: Mapping[str, Any]) -> ContainerProbes:
    """The probes of an entry of spec.containers (or of spec.initContainers, for a sidecar)."""
    return ContainerProbes(
        _probe(container.get("startupProbe"), container),
        _probe(container.get("readinessProbe"), container),
        _probe(container.get("livenessProbe"), container),
    )


def grace_s_of(container: Mapping[str, Any], kind: ProbeKind) -> float | None:
    """A probe's own terminationGracePeriodSeconds; None: the pod's holds."""
    grace_s: float | None = (container.get(f"{kind}Probe") or {}).get("terminationGracePeriodSeconds")
    return grace_s


def _probe(spec: Mapping[str, Any] | None, container: Mapping[str, Any]) -> Probe | None:
    handler = handler_of(spec, container) if spec else None
    if spec is None or handler is None:
        return None
    # "0" of an integer that must be positive means "not given", as in the API's Go types.
    return Probe(
        handler,
        initial_delay_s=spec.get("initialDelaySeconds") or 0,
        period_s=spec.get("periodSeconds") or 10,
        timeout_s=spec.get("timeoutSeconds") or 1,
        success_threshold=spec.get("successThreshold") or 1,
        failure_threshold=spec.get("failureThreshold") or 3,
    )


def handler_of(spec: Mapping[str, Any], container: Mapping[str, Any]) -> Handler | None:
    """The handler of a probe or lifecycle hook of this container; None where it has none of these."""
    if (http := spec.get("httpGet")) is not None:
        return HttpGet(
            _port(http["port"], container),
            path=http.get("path") or "/",
            scheme=http.get("scheme") or "HTTP",
            host=http.get("host") or None,
            headers=tuple((header["name"], header["value"]) for header in http.get("httpHeaders") or ()),
            port_name=str(http["port"]),
        )
    if (tcp := spec.get("tcpSocket")) is not None:
        return TcpSocket(_port(tcp["port"], container), tcp.get("host") or None, str(tcp["port"]))
    if (grpc := spec.get("grpc")) is not None:
        return Grpc(grpc["port"], grpc.get("service") or "")
    if (command := spec.get("exec")) is not None:
        return Exec(tuple(command.get("command") or ()))
    return None


def _port(port: int | str, container: Mapping[str, Any]) -> int | None:
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    named = (declared["containerPort"] for declared in container.get("ports") or () if declared.get("name") == port)
    return next(named, None)
