"""Whatever process of a testbed is killed, connections live, containers run on, and all is soon as it was."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from manifests import HTTP_PORT, cluster, daemon_set, netexec, pod, tools
from testbeds import COMMAND_TIMEOUT_S, PATIENCE_S, Testbed, is_ready, started

from topo.waiting import wait_until

CONTROLLER, AGENT, API, RESPONDER = "controller.app", "topo.agent", "cluster.server", "topo.responder"
SWITCH = "^ovs-vswitchd"
RUN_S = 6
FORWARDING_AGAIN_S = 3.0
"""After the switch's death (the issue's figure)."""
_VOLATILE = re.compile(r"(duration|n_packets|n_bytes|idle_age|hard_age)=[^,]*, ")


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    ends = (pod("near", tools(), nodeName="worker"), pod("far", tools("iperf3", "-s"), nodeName="worker2"))
    with started(cluster(), daemon_set("web", netexec()), *ends) as running:
        yield running


def in_sync(testbed: Testbed) -> None:
    done = testbed.mininetes("sync", "--timeout", f"{PATIENCE_S:g}")
    assert done.status == 0, str(done)


def flows(testbed: Testbed) -> dict[str, list[str]]:
    """Every switch's flows and groups, without what counts and ages."""
    found = {}
    for bridge in testbed.exec("sandbox", "ovs-vsctl", "list-br").output.split():
        dumps = [
            testbed.exec("sandbox", "ovs-ofctl", "-O", "OpenFlow15", command, bridge).output
            for command in ("dump-flows", "dump-groups")
        ]
        lines = [_VOLATILE.sub("", line).strip() for dump in dumps for line in dump.splitlines()]
        found[bridge] = sorted(line for line in lines if "reply" not in line.lower() and "NXST" not in line)
    return found


def controller_detail(testbed: Testbed) -> dict[str, object]:
    return dict(testbed.client.sync(PATIENCE_S)["observed"]["controller"]["detail"])


def controller_runs(testbed: Testbed) -> list[str]:
    """What each start of the controller logged after it listened, in order."""
    return testbed.service_log("controller").split(" listens on ")[1:]


def containers(testbed: Testbed) -> dict[str, object]:
    """What must not change while services die: the containers' processes and how often they were started."""
    _, pods = testbed.client.objects(["Pod"])
    counts = {
        f"{pod['metadata']['name']}/{status['name']}": status["restartCount"]
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    }
    return {"processes": testbed.process_ids("^(sleep infinity|iperf3 -s)"), "restarts": counts}


@pytest.fixture
def far(testbed: Testbed) -> str:
    """The address of the iperf3 server on the other node."""
    return str(testbed.pods()["far"].ips[0])


def test_a_dead_controller_loses_no_connection(testbed: Testbed, far: str) -> None:
    with testbed.running("near", "iperf3", "-c", far, "-t", str(RUN_S), "-i", "1", "--json") as iperf:
        wait_until(lambda: connected(testbed, far), PATIENCE_S, "iperf3 to connect")
        old = testbed.kill(CONTROLLER)
        testbed.wait_for_restart(CONTROLLER, old)
        output, errors = iperf.communicate(timeout=COMMAND_TIMEOUT_S)
    assert iperf.returncode == 0, f"{output}\n{errors}"
    result = json.loads(output)
    bytes_each_second = [interval["sum"]["bytes"] for interval in result["intervals"]]
    assert "error" not in result, output
    assert len(bytes_each_second) >= RUN_S, bytes_each_second
    assert all(bytes_each_second), bytes_each_second


def connected(testbed: Testbed, address: str) -> bool:
    return address in testbed.exec("near", "ss", "-tnH", "state", "established").stdout


def test_a_restarted_controller_sends_no_flow_mod(testbed: Testbed) -> None:
    in_sync(testbed)
    before = flows(testbed)
    starts = len(controller_runs(testbed))
    testbed.kill(CONTROLLER)

    def reported() -> bool:
        runs = controller_runs(testbed)
        return len(runs) > starts and "realised; sent" in runs[-1]

    wait_until(reported, PATIENCE_S, "the new controller's report")
    detail = controller_detail(testbed)
    assert detail["flow_mods_sent"] == 0, detail
    assert detail["refused"] == [], detail
    assert flows(testbed) == before


def test_forwarding_is_back_soon_after_the_switch_died(testbed: Testbed, far: str) -> None:
    in_sync(testbed)
    before = flows(testbed)
    with testbed.running("near", "ping", "-D", "-n", "-i", "0.05", "-W", "1", far) as ping:
        assert ping.stdout is not None
        while "bytes from" not in ping.stdout.readline():
            pass
        testbed.kill(SWITCH)
        died = time.time()
        answered_at = 0.0
        while answered_at <= died:
            line = ping.stdout.readline()
            assert line, "ping ended"
            if "bytes from" in line and (stamp := re.match(r"\[([\d.]+)\]", line)):
                answered_at = float(stamp[1])
    assert answered_at - died < FORWARDING_AGAIN_S
    in_sync(testbed)
    assert flows(testbed) == before


@pytest.mark.parametrize("service", [AGENT, API, RESPONDER, CONTROLLER, SWITCH])
def test_containers_run_on(testbed: Testbed, service: str) -> None:
    in_sync(testbed)
    before = containers(testbed)
    assert before["processes"]
    old = testbed.kill(service)
    testbed.wait_for_restart(service, old)
    in_sync(testbed)
    assert containers(testbed) == before


@pytest.mark.parametrize("service", [AGENT, API, RESPONDER])
def test_servers_answer_again(testbed: Testbed, service: str) -> None:
    in_sync(testbed)
    old = testbed.kill(service)
    testbed.wait_for_restart(service, old)
    web = testbed.pods_of("web")[0]

    def answers() -> bool:
        done = testbed.exec("near", "curl", "-sS", "--max-time", "5", f"http://{web.ips[0]}:{HTTP_PORT}/hostname")
        return done.stdout == web.name

    wait_until(answers, PATIENCE_S, f"{web.name} to answer")


@pytest.mark.parametrize("service", [AGENT, API, RESPONDER, CONTROLLER, SWITCH])
def test_new_pods_work(testbed: Testbed, service: str) -> None:
    in_sync(testbed)
    old = testbed.kill(service)
    name = f"new-{re.sub('[^a-z]', '', service)}"
    testbed.client.apply([pod(name, netexec(), tools())])
    testbed.wait_for_restart(service, old)
    testbed.wait_for_pod(name, is_ready, "Ready")
    in_sync(testbed)
    address = testbed.pods()[name].ips[0]
    done = testbed.exec("near", "curl", "-sS", "--max-time", "20", f"http://{address}:{HTTP_PORT}/hostname")
    assert done.output == name


@pytest.mark.parametrize("service", [AGENT, API, RESPONDER])
def test_pods_deleted_meanwhile_are_gone(testbed: Testbed, service: str) -> None:
    name = f"brief-{re.sub('[^a-z]', '', service)}"
    testbed.client.apply([pod(name, netexec())])
    testbed.wait_for_pod(name, is_ready, "Ready")
    old = testbed.kill(service)
    testbed.client.delete("Pod", "default", name)
    testbed.wait_for_restart(service, old)

    def gone() -> bool:
        return f"default_{name}_" not in testbed.exec("sandbox", "ls", "/run/netns").output

    wait_until(gone, PATIENCE_S, f"the end of {name}'s namespace")
    in_sync(testbed)
    assert name not in testbed.pods()


def test_everybody_reaches_everybody_in_the_end(testbed: Testbed) -> None:
    done = testbed.mininetes("matrix", "--with-nodes", "--expect-full", "--timeout", "5")
    assert done.status == 0, str(done)
