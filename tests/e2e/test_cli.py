"""The mininet> prompt, exec, list, sync, clean, and what the commands say when asked for what is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from manifests import cluster, netexec, pod, tools
from testbeds import CALLER, Testbed, started

SYNC_TIMEOUT_S = 30.0
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - ports: [{port: 1}]
  - from:
    - ipBlock: {cidr: 0.0.0.0/0}
"""
"""Isolates, and lets everybody in."""


@pytest.fixture(scope="module")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    policy = tmp_path_factory.mktemp("policy") / "policy.yaml"
    policy.write_text(POLICY)
    in_shop = pod("web", netexec())
    in_shop["metadata"]["namespace"] = "shop"
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    pair = pod("pair", netexec(), tools(env=[{"name": "WHO", "value": "sidecar"}]))
    spec = (cluster(clients=1), shop, in_shop, pair, pod("tools"))
    with started(*spec, files=(policy,)) as running:
        yield running


def test_trace_names_the_line_of_the_rule_while_it_is_as_it_was(testbed: Testbed) -> None:
    told = testbed.mininetes("trace", "tools", "shop/web", "-o", "json")
    assert told.status == 0, str(told)
    (rule,) = json.loads(told.stdout)["policies"][1]["rules"]
    assert (rule["name"], rule["index"], Path(rule["file"]).name, rule["line"]) == ("open", 1, "policy.yaml", 8)
    testbed.client.apply([yaml.safe_load(POLICY.replace("port: 1", "port: 2"))])
    testbed.client.sync(SYNC_TIMEOUT_S)
    told = testbed.mininetes("trace", "tools", "shop/web")
    assert "allowed by NetworkPolicy shop/open: spec.ingress[1] (IngressPolicy on worker" in told.stdout, str(told)


def prompt(testbed: Testbed, *commands: str) -> str:
    return testbed.mininetes("cli", text="".join(f"{command}\n" for command in commands)).output


def test_pingall_drops_nothing() -> None:
    # A testbed without clients outside of the cluster: they are not to reach pods.
    with started(cluster(), pod("one"), pod("two")) as running:
        output = prompt(running, "pingall")
        assert "0% dropped" in output, output


def test_nodes_lists_machines_and_pods(testbed: Testbed) -> None:
    words = prompt(testbed, "nodes").split()
    assert {"control-plane", "worker", "worker2", "client1", "s1", "tools", "pair", "shop/web"} <= set(words)


def test_net_shows_how_machines_are_linked(testbed: Testbed) -> None:
    assert re.search(r"^worker eth0:s1-eth\d$", prompt(testbed, "net"), re.MULTILINE)


def test_links_are_up(testbed: Testbed) -> None:
    lines = [line for line in prompt(testbed, "links").splitlines() if "<->" in line]
    assert len(lines) == 4, lines
    assert all("(OK OK)" in line for line in lines), lines


def test_dump_has_addresses(testbed: Testbed) -> None:
    output = prompt(testbed, "dump")
    for name, told in testbed.pods().items():
        assert f"{name}: eth0:{told.ips[0]}" in output, output


@pytest.mark.parametrize("name", ["worker", "client1", "tools", "shop/web"])
def test_a_command_runs_where_its_first_word_says(testbed: Testbed, name: str) -> None:
    assert prompt(testbed, f"{name} hostname") == name.rpartition("/")[2]


def test_a_name_in_a_command_becomes_its_address(testbed: Testbed) -> None:
    address = testbed.pods()["pair"].ips[0]
    assert f"PING {address}" in prompt(testbed, "tools ping -c 1 -W 5 pair")


def test_iperf_measures(testbed: Testbed) -> None:
    output = prompt(testbed, "iperf worker worker2")
    assert re.search(r"Results: \['[\d.]+ [GMK]bits/sec', '[\d.]+ [GMK]bits/sec'\]", output), output


def test_iperf_measures_between_pods(testbed: Testbed) -> None:
    output = prompt(testbed, "iperf tools pair")
    assert re.search(r"Results: \['[\d.]+ [GMK]bits/sec', '[\d.]+ [GMK]bits/sec'\]", output), output


@pytest.mark.parametrize("target", ["tools", "shop/web", "node/worker", "client/client1", "sandbox"])
@pytest.mark.parametrize("status", [0, 42])
def test_execs_exit_status_is_its_commands(testbed: Testbed, target: str, status: int) -> None:
    assert testbed.exec(target, "sh", "-c", f"exit {status}").status == status


def test_execs_exit_status_of_a_killed_command(testbed: Testbed) -> None:
    assert testbed.exec("tools", "sh", "-c", "kill -9 $$").status == 137


def test_exec_passes_standard_input_and_both_outputs(testbed: Testbed) -> None:
    done = testbed.mininetes("exec", "tools", "--", "sh", "-c", "cat; echo aside >&2", text="in and out")
    assert (done.stdout, done.stderr) == ("in and out", "aside\n")


def test_exec_takes_the_named_container(testbed: Testbed) -> None:
    assert testbed.exec("pair", "printenv", "WHO", container="tools").output == "sidecar"
    assert testbed.exec("pair", "printenv", "WHO", container="web").status == 1


def test_sync_returns_when_all_is_realised(testbed: Testbed) -> None:
    assert testbed.mininetes("sync").status == 0


def test_list_has_the_testbed(testbed: Testbed) -> None:
    listed = json.loads(CALLER.mininetes("list", "-o", "json").output)
    entry = next(entry for entry in listed if entry["name"] == testbed.name)
    assert entry["nodes"] == 3
    assert entry["pods"] >= 3


def test_clean_leaves_running_testbeds_alone(testbed: Testbed) -> None:
    assert CALLER.mininetes("clean").status == 0
    assert testbed.mininetes("sync").status == 0


UNKNOWN = {
    "nobody": "there is no pod 'nobody' in namespace 'default'",
    "web": "there is no pod 'web' in namespace 'default'; there is shop/web",
    "node/nobody": "there is no node 'nobody' (have: control-plane, worker, worker2)",
    "client/nobody": "there is no client 'nobody' (have: client1)",
}


@pytest.mark.parametrize("target", UNKNOWN)
def test_an_unknown_target_is_told(testbed: Testbed, target: str) -> None:
    done = testbed.exec(target, "true")
    assert done.status not in (0, 127), str(done)
    assert UNKNOWN[target] in done.stderr, str(done)


def test_an_unknown_container_is_told(testbed: Testbed) -> None:
    done = testbed.exec("pair", "true", container="nobody")
    assert done.status != 0
    assert "pod 'pair' has no container 'nobody' (have: web, tools)" in done.stderr, str(done)


def test_an_unknown_command_is_told(testbed: Testbed) -> None:
    done = testbed.exec("tools", "no-such-program")
    assert (done.status, done.stderr.strip()) == (127, "no-such-program: command not found")


def test_a_name_that_runs_already_is_refused(testbed: Testbed) -> None:
    done = CALLER.mininetes("up", "--name", testbed.name)
    assert done.status not in (0, 1), str(done)
    assert f"testbed {testbed.name!r} is running already" in done.stderr
    assert testbed.mininetes("sync").status == 0


def test_two_testbeds_need_a_name(testbed: Testbed) -> None:
    with started(cluster()) as second:
        done = CALLER.mininetes("sync")
        assert done.status != 0
        assert "testbeds are running" in done.stderr, str(done)
        assert "--name" in done.stderr
        assert testbed.name in done.stderr
        assert second.name in done.stderr


def test_no_testbed_of_that_name_is_told() -> None:
    done = CALLER.mininetes("sync", "--name", "no-such-testbed")
    assert done.status != 0
    assert "no testbed named 'no-such-testbed' is running; start one with: mininetes up" in done.stderr
