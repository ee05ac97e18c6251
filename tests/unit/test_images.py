"""What an image name runs (topo/images.py, topo/agnhost_commands.py, topo/container_env.py)."""

from __future__ import annotations

from typing import Any

import pytest

from topo import container_env
from topo.agnhost_commands import Process, Served
from topo.images import EXPOSED_PORTS, TOOLS, base_name, program
from topo.servers import Server

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.47"


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u1", "labels": {"app": "web"}},
        "spec": {"containers": list(containers), "nodeName": "worker1", **spec},
        "status": {"podIP": "10.0.1.2", "podIPs": [{"ip": "10.0.1.2"}, {"ip": "fd00::2"}], "hostIP": "172.18.0.3"},
    }


def run(image: str, *args: str, **container: Any) -> Served | Process:
    described = {"name": "c", "image": image, **container}
    if args:
        described["args"] = list(args)
    return program(described, pod(described))


def served(image: str, *args: str, **container: Any) -> Served:
    result = run(image, *args, **container)
    assert isinstance(result, Served), result
    return result


def process(image: str, *args: str, **container: Any) -> Process:
    result = run(image, *args, **container)
    assert isinstance(result, Process), result
    return result


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("busybox", "busybox"),
        ("busybox:1.38.0@sha256:fd8d", "busybox"),
        ("localhost:5000/team/agnhost", "agnhost"),
        ("registry.k8s.io/e2e-test-images/agnhost:2.47", "agnhost"),
    ],
)
def test_base_name(image: str, expected: str) -> None:
    assert base_name(image) == expected


def test_no_image_is_in_two_tables() -> None:
    assert not TOOLS.keys() & EXPOSED_PORTS.keys()


# --- agnhost


@pytest.mark.parametrize(
    ("args", "servers"),
    [
        ((), ()),
        (("pause",), ()),
        (("netexec",), (Server("tcp", 8080, "netexec"), Server("udp", 8081, "netexec"))),
        (("netexec", "--http-port=80", "--udp-port", "-1"), (Server("tcp", 80, "netexec"),)),
        (
            ("netexec", "--http-port", "83", "--udp-port=90", "--sctp-port=91"),
            (Server("tcp", 83, "netexec"), Server("udp", 90, "netexec"), Server("sctp", 91, "netexec")),
        ),
        (("serve-hostname",), (Server("tcp", 9376, "http-hostname"),)),
        (("serve-hostname", "--close"), (Server("tcp", 9376, "http-hostname", close=True),)),
        (
            ("serve-hostname", "--tcp", "--udp", "--http=false", "--port", "80"),
            (Server("tcp", 80, "serve-hostname"), Server("udp", 80, "serve-hostname")),
        ),
        (("test-webserver",), (Server("tcp", 80, "application"),)),
        (("grpc-health-checking",), (Server("tcp", 5000, "application"), Server("tcp", 8080, "application"))),
    ],
)
def test_agnhost_servers(args: tuple[str, ...], servers: tuple[Server, ...]) -> None:
    assert served(AGNHOST, *args).servers == servers


def test_agnhost_command_replaces_entrypoint() -> None:
    assert served(AGNHOST, command=["/agnhost", "netexec"]).servers[0].port == 8080
    assert served(AGNHOST, "netexec", "--http-port=81", command=["agnhost"]).servers[0].port == 81


def test_agnhost_netexec_delays_its_shutdown() -> None:
    assert served(AGNHOST, "netexec", "--delay-shutdown=5").delay_shutdown_s == 5


def test_agnhost_porter_reads_its_ports_from_the_environment() -> None:
    env = [{"name": "SERVE_PORT_80", "value": "foo"}, {"name": "SERVE_SCTP_PORT_81", "value": "bar"}]
    expected = (Server("tcp", 80, "text", text="foo"), Server("sctp", 81, "text", text="bar"))
    assert served(AGNHOST, "porter", env=env).servers == expected


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("netexec", "--bogus"), "agnhost netexec: unknown flag: --bogus"),
        (("netexec", "--http-port"), "agnhost netexec: flag needs an argument: --http-port"),
        (("netexec", "--http-port=x"), 'agnhost netexec: invalid argument "x" for "--http-port" flag: not a number'),
        (("netexec", "--http-port=70000"), "agnhost netexec: --http-port=70000: not a port"),
        (("netexec", "what"), "agnhost netexec: accepts at most 0 arg(s), received 'what'"),
        (("netexec", "--tls-cert-file=/a"), "agnhost netexec: --tls-cert-file is not available in this testbed"),
        (
            ("serve-hostname", "--tcp"),
            "agnhost serve-hostname: Can't server TCP/UDP mode and HTTP mode at the same time",
        ),
    ],
)
def test_agnhost_server_that_upstream_would_not_start(args: tuple[str, ...], message: str) -> None:
    argv = process(AGNHOST, *args).argv
    assert argv[:2] == ("/bin/sh", "-c") and argv[-1] == message


def test_agnhost_clients_and_shells_are_processes() -> None:
    assert process(AGNHOST, "connect", "10.0.0.1:80").argv == ("/agnhost", "connect", "10.0.0.1:80")
    assert process(AGNHOST, command=["agnhost", "dns-suffix"]).argv == ("/agnhost", "dns-suffix")
    assert process(AGNHOST, command=["/bin/sh", "-c", "sleep 5"]).argv == ("/bin/sh", "-c", "sleep 5")


# --- pause and tools


def test_pause_is_served_and_has_no_sockets() -> None:
    assert served("registry.k8s.io/pause:3.9") == Served((), "web-1")


@pytest.mark.parametrize(
    ("image", "container", "argv"),
    [
        ("busybox:1.36", {}, ("sh",)),
        ("busybox:1.36", {"command": ["sleep", "3600"]}, ("sleep", "3600")),
        ("busybox:1.36", {"args": ["nc", "-l"]}, ("nc", "-l")),
        ("alpine", {"command": ["/bin/ash", "-c"], "args": ["true"]}, ("sh", "-c", "true")),
        ("curlimages/curl", {"args": ["http://web"]}, ("curl", "http://web")),
        ("networkstatic/iperf3", {}, ("iperf3", "-s")),
        ("networkstatic/iperf3", {"args": ["-c", "web"]}, ("iperf3", "-c", "web")),
        ("nicolaka/netshoot", {"command": ["sleep", "infinity"]}, ("sleep", "infinity")),
        ("python:3.12", {"command": ["python", "-m", "http.server"]}, ("python3", "-m", "http.server")),
        ("nginx", {"command": ["sh", "-c", "sleep 9"]}, ("sh", "-c", "sleep 9")),
    ],
)
def test_tool_images_run_their_command(image: str, container: dict[str, Any], argv: tuple[str, ...]) -> None:
    assert process(image, **container).argv == argv


def test_a_process_has_its_environment_and_directory() -> None:
    env = [{"name": "A", "value": "1"}]
    result = process("busybox", command=["sh", "-c", "echo $(A)"], env=env, workingDir="/tmp")
    assert result == Process(("sh", "-c", "echo 1"), {"A": "1"}, "/tmp")


# --- coredns


def test_coredns_serves_dns_and_its_other_ports() -> None:
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]
    probe = {"httpGet": {"path": "/ready", "port": 8181}}
    dns = (Server("udp", 53, "dns"), Server("tcp", 53, "dns"))
    assert served("coredns/coredns").servers == dns
    assert served("registry.k8s.io/coredns/coredns:v1.11.3", ports=ports, readinessProbe=probe).servers == (
        *dns,
        Server("tcp", 8181, "application"),
    )


# --- applications


def test_an_application_answers_on_its_declared_ports() -> None:
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}, {"containerPort": 9}]
    assert served("powerdns/pdns-auth", ports=ports).servers == (
        Server("udp", 53, "application"),
        Server("tcp", 53, "application"),
        Server("tcp", 9, "application"),
    )


def test_an_application_ignores_its_command() -> None:
    result = served("example.com/shop:1", "--serve", command=["/shop"], ports=[{"containerPort": 80}])
    assert result.stand_in and result.servers[0].port == 80


def test_a_shell_that_starts_the_application_is_the_application() -> None:
    assert served("nginx", command=["sh", "-c", "envsubst; exec nginx -g 'daemon off;'"]).servers[0].port == 80


def test_ports_that_only_probes_name_are_served_too() -> None:
    result = served(
        "example.com/shop",
        ports=[{"containerPort": 80, "name": "web"}],
        readinessProbe={"httpGet": {"port": "web"}},
        livenessProbe={"httpGet": {"port": 8086}},
        startupProbe={"grpc": {"port": 9000}},
    )
    assert [server.port for server in result.servers] == [80, 9000, 8086]


def test_a_probed_port_that_another_container_declares_is_that_containers() -> None:
    first = {"name": "a", "image": "a", "livenessProbe": {"tcpSocket": {"port": 90}}, "ports": [{"containerPort": 80}]}
    second = {"name": "b", "image": "b", "ports": [{"containerPort": 90}]}
    result = program(first, pod(first, second))
    assert isinstance(result, Served) and [server.port for server in result.servers] == [80]


@pytest.mark.parametrize(("value", "ports"), [("8080", [8080]), ("tcp://1.2.3.4", []), ("0", []), ("70000", [])])
def test_without_declared_ports_the_variable_port_is_used(value: str, ports: list[int]) -> None:
    result = served("example.com/shop", env=[{"name": "PORT", "value": value}])
    assert [server.port for server in result.servers] == ports


def test_a_known_application_without_ports_listens_where_it_always_does() -> None:
    assert served("nginx:1.27").servers == (Server("tcp", 80, "application"),)


def test_an_application_without_ports_idles() -> None:
    assert served("example.com/loadgenerator") == Served((), "web-1", stand_in=True)


def test_a_stand_in_that_others_wait_for_succeeds_at_once() -> None:
    container = {"name": "migrate", "image": "example.com/migrate"}
    assert program(container, pod(initContainers=[container])) == Process(("true",), {}, "/")
    job = pod(container)
    job["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "migrate"}]
    assert program(container, job) == Process(("true",), {}, "/")


def test_a_sidecar_stays() -> None:
    container = {"name": "proxy", "image": "example.com/proxy", "restartPolicy": "Always"}
    assert isinstance(program(container, pod(initContainers=[container])), Served)


# --- environment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(NIX)", "$(NIX)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert container_env.expand(text, {"A": "1", "B": "2"}) == expected


def test_variables_refer_to_earlier_ones_only() -> None:
    env = [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}, {"name": "C", "value": "$(A)"}, {"name": "D"}]
    assert container_env.environment({"env": env}, pod()) == {"B": "$(A)", "A": "1", "C": "1", "D": ""}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['nix']", ""),
        ("spec.nodeName", "worker1"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.0.1.2"),
        ("status.podIPs", "10.0.1.2,fd00::2"),
        ("status.hostIP", "172.18.0.3"),
    ],
)
def test_downward_api(path: str, expected: str) -> None:
    env = [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": path}}}]
    assert container_env.environment({"env": env}, pod()) == {"A": expected}


def test_values_from_limits_are_left_out() -> None:
    env = [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]
    assert container_env.environment({"env": env}, pod()) == {}


def test_hostname() -> None:
    assert container_env.hostname(pod()) == "web-1"
    assert container_env.hostname(pod(hostname="db")) == "db"
    assert container_env.hostname(pod(hostNetwork=True)) == "worker1"
    assert container_env.hostname(pod() | {"metadata": {"name": "a" * 62 + "-bc"}}) == "a" * 62
