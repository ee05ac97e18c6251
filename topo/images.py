"""What an image name runs. There are no container images here: programs of the host, or sockets of the responder.

| image | what runs |
|---|---|
| agnhost | its servers in the responder, by command line as upstream; its clients as /agnhost |
| pause | nothing |
| coredns | the cluster's DNS on port 53 in the responder |
| ingress-nginx/controller | our controller of the machine's nginx (topo/ingress) |
| a tool image (TOOLS) | its command, from the host's programs |
| anything else | the published application is not there; something answers on all of its ports instead |

The rules are here and in `agnhost_commands`; the names are in TOOLS and EXPOSED_PORTS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.ingress_controller import PROGRAM as INGRESS_CONTROLLER
from cluster.ingress_controller import is_controller_image
from cluster.system import DNS_PORT
from topo import agnhost_commands, container_env
from topo.agnhost_commands import Process, Served, as_process
from topo.servers import Protocol, Server
from topo.sources import NOTHING, Sources

Program = Served | Process
Container = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """An image whose programs the host has too. `entrypoint` and `default` are Docker's ENTRYPOINT and CMD."""

    entrypoint: tuple[str, ...] = ()
    default: tuple[str, ...] = ("sh",)


_SHELL = Tool()
TOOLS: Mapping[str, Tool] = {
    **dict.fromkeys(("busybox", "alpine", "debian", "ubuntu", "fedora", "centos", "rockylinux", "bash"), _SHELL),
    **dict.fromkeys(("netshoot", "dnsutils", "jessie-dnsutils", "net-tools", "nettools", "buildpack-deps"), _SHELL),
    "alpine-curl": Tool(("curl",), ("--help",)),
    "curl": Tool(("curl",), ("--help",)),
    "dig": Tool(("dig",), ()),
    "iperf": Tool(("iperf",), ("-s",)),
    "iperf3": Tool(("iperf3",), ("-s",)),
    "kubectl": Tool(("kubectl",), ("--help",)),
    "nmap": Tool(("nmap",), ("--help",)),
    "perl": Tool((), ("perl", "-de0")),
    "python": Tool((), ("python3",)),
    "socat": Tool(("socat",), ("-h",)),
    "tcpdump": Tool(("tcpdump",), ()),
    "wget": Tool(("wget",), ("--help",)),
}
"""By the last part of the image's name."""

EXPOSED_PORTS: Mapping[str, tuple[int, ...]] = {
    "caddy": (80,),
    "echoserver": (8080,),
    "etcd": (2379,),
    "haproxy": (80,),
    "hello-app": (8080,),
    "httpbin": (80,),
    "httpd": (80,),
    "mariadb": (3306,),
    "memcached": (11211,),
    "mongo": (27017,),
    "mysql": (3306,),
    "nats": (4222,),
    "network-multitool": (80, 443),
    "nginx": (80,),
    "postgres": (5432,),
    "rabbitmq": (5672,),
    "redis": (6379,),
    "tomcat": (8080,),
    "traefik": (80,),
    "traefik-whoami": (80,),
    "whoami": (80,),
}
"""Where well-known applications listen when their container declares no port (their images' EXPOSE)."""

_SHELL_COMMANDED = ("httpd", "network-multitool", "nginx", "node", "openjdk", "golang", "ruby", "redis")
"""Applications that people also use as a tool: a shell or sleep command runs, unless it starts the application."""
_SHELLS = ("sh", "bash", "ash", "sleep", "tail")
_ALIASES = {"ash": "sh", "python": "python3", "zsh": "bash"}
"""Programs that the host has under another name."""

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_PROBE_HANDLERS = ("httpGet", "tcpSocket", "grpc")


def program(container: Container, pod: Mapping[str, Any], sources: Sources = NOTHING) -> Program:
    """What `container` of `pod` (an entry of spec.containers or spec.initContainers, and its Pod) runs. Raises
    ConfigError where its environment lacks something, or the pod's hostname is too long."""
    container_env.check_hostname(pod)
    env = container_env.environment(container, pod, sources)
    command = container_env.expanded(container.get("command"), env)
    args = container_env.expanded(container.get("args"), env)
    image = base_name(container.get("image", ""))
    host = container_env.hostname(pod)
    cwd = container.get("workingDir") or "/"
    if image == "pause":
        return Served((), host)
    if image == "agnhost":
        return agnhost_commands.program(command, args, env, cwd, host)
    if image == "coredns":
        return Served(tuple(_dns_servers(image, container, pod, env)), host)
    if is_controller_image(container.get("image", "")):
        return as_process((*command, *args) or (INGRESS_CONTROLLER,), env, cwd)
    if image in TOOLS:
        tool = TOOLS[image]
        argv = (*command, *args) if command else (*tool.entrypoint, *(args or tool.default))
        return as_process(_with_host_names(argv), env, cwd)
    if _is_shell_command(image, command):
        return as_process(_with_host_names((*command, *args)), env, cwd)
    servers = tuple(_application_servers(image, container, pod, env))
    if not servers and _is_meant_to_end(container, pod):
        return as_process(("true",), env, cwd)
    return Served(servers, host, stand_in=True)


def base_name(image: str) -> str:
    """`registry.k8s.io/e2e-test-images/agnhost:2.47@sha256:…` -> `agnhost`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _with_host_names(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv:
        return argv
    return (_ALIASES.get(os.path.basename(argv[0]), argv[0]), *argv[1:])


def _is_shell_command(image: str, command: Sequence[str]) -> bool:
    if image not in _SHELL_COMMANDED or not command or os.path.basename(command[0]) not in _SHELLS:
        return False
    return image not in " ".join(command[1:])


def _is_meant_to_end(container: Container, pod: Mapping[str, Any]) -> bool:
    """An init container or a Job's: others wait for its success, which a stand-in gives at once."""
    owners = pod["metadata"].get("ownerReferences") or ()
    is_init = any(container.get("name") == init.get("name") for init in pod["spec"].get("initContainers") or ())
    is_sidecar = container.get("restartPolicy") == "Always"
    return (is_init and not is_sidecar) or any(owner["kind"] == "Job" for owner in owners)


def _application_servers(
    image: str, container: Container, pod: Mapping[str, Any], env: Mapping[str, str]
) -> Iterator[Server]:
    """One Server per port: the declared ones and those that a probe asks for, else PORT of the environment, else
    the ones that its image is known for."""
    ports = dict.fromkeys(_declared(container))
    rest = (other for other in _containers(pod) if other.get("name") != container.get("name"))
    others = {port for other in rest for port in _declared(other)}
    ports.update(dict.fromkeys(port for port in _probed(container) if port not in others))
    if not ports and env.get("PORT", "").isdigit() and 0 < int(env["PORT"]) < 65536:
        ports[("tcp", int(env["PORT"]))] = None
    if not ports:
        ports.update(dict.fromkeys(("tcp", port) for port in EXPOSED_PORTS.get(image, ())))
    return (Server(protocol, port, "application") for protocol, port in ports)


def _dns_servers(
    image: str, container: Container, pod: Mapping[str, Any], env: Mapping[str, str]
) -> Iterator[Server]:
    """DNS, and the other ports that its manifest knows of: metrics, health, readiness."""
    yield from (Server("udp", DNS_PORT, "dns"), Server("tcp", DNS_PORT, "dns"))
    yield from (server for server in _application_servers(image, container, pod, env) if server.port != DNS_PORT)


def _containers(pod: Mapping[str, Any]) -> Iterator[Container]:
    yield from pod["spec"].get("containers") or ()
    yield from pod["spec"].get("initContainers") or ()


def _declared(container: Container) -> Iterator[tuple[Protocol, int]]:
    protocols: Mapping[str, Protocol] = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
    for port in container.get("ports") or ():
        yield protocols[port.get("protocol", "TCP")], port["containerPort"]


def _probed(container: Container) -> Iterator[tuple[Protocol, int]]:
    """Ports given by number in its probes; a named one is a declared one."""
    for probe in (container.get(name) or {} for name in _PROBES):
        for handler in (probe.get(name) or {} for name in _PROBE_HANDLERS):
            if isinstance(handler.get("port"), int) and not handler.get("host"):
                yield "tcp", handler["port"]
