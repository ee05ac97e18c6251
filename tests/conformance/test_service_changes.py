"""Whatever changes or dies behind a Service, no new connection fails: a rolling update, the controller, the switch."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from rolling import RATE, REPLICAS, Rolling, under_load
from service_answers import UDP_PORT
from service_site import CHANGE_S, Site, ips, server

from topo.waiting import wait_until

DEAD_S = float(os.environ.get("MININETES_CONTROLLER_DEAD_S", "6"))
SWITCH_BACK_S = 3.0
AFFINITY_S = 8
NAMES = {"s1", "s2", "s3"}


@contextmanager
def no_controller(site: Site) -> Iterator[None]:
    """Dead, however often it is started again, as long as the context lasts."""
    died, over = Event(), Event()

    def kill() -> None:
        while not over.is_set():
            for number in site.testbed.process_ids("controller.app"):
                site.testbed.exec("sandbox", "kill", "-9", str(number))
                died.set()

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill)
        try:
            assert died.wait(CHANGE_S)
            yield
        finally:
            over.set()
            killing.result()


def test_no_connection_fails_while_all_pods_are_replaced(site: Site) -> None:
    pods = Rolling()
    site.create(pods.deployment())
    with site.service(pods.labels) as service:
        pods.rolled_out(site)
        site.synced()
        with under_load(site, ips(service)[0], 20) as load:
            time.sleep(1)
            pods.replace_all(site)
        assert load["made"] == 20 * RATE
        assert load["failed"] == {}, load
        assert len(load["answered"]) == 2 * REPLICAS, "old pods and new ones have answered"
    site.delete("Deployment", "rolling", propagationPolicy="Background")


def test_no_connection_fails_while_the_controller_is_dead(site: Site) -> None:
    with site.service({"app": "web"}) as service:
        site.synced()
        with under_load(site, ips(service)[0], DEAD_S + 2) as load, no_controller(site):
            time.sleep(DEAD_S)
        assert load["failed"] == {}, load
        assert set(load["answered"]) == NAMES


@pytest.mark.parametrize("asking", ["client", "host-client"])
def test_udp_leaves_an_endpoint_that_went_while_no_controller_ran(site: Site, asking: str) -> None:
    """Both servers live on: nothing but the Service's translation says whose the datagrams of one port are."""
    made = [server(name, "worker2", {"app": name}) for name in ("u1", "u2")]
    with site.pods(*made), site.service({"app": "u1"}, UDP_PORT) as service:
        ask = lambda: set(  # noqa: E731
            site.prober(asking).ask(ips(service)[0], 81, "udp", local_port=12346, timeout_s=0.3)
        )
        site.until(lambda: ask() == {"u1"}, "the first")
        with no_controller(site):
            site.patch("Service", service["metadata"]["name"], {"spec": {"selector": {"app": "u2"}}})
            assert ask() == {"u1"}, "nobody could change that"
        site.synced()  # the longer, the more often it died
        assert ask() == {"u2"}


def test_a_client_keeps_its_endpoint_until_the_timeout_whoever_restarts(site: Site) -> None:
    config = {"clientIP": {"timeoutSeconds": AFFINITY_S}}
    with site.service({"app": "web"}, sessionAffinity="ClientIP", sessionAffinityConfig=config) as service:
        address, asker = ips(service)[0], site.prober("client2")
        site.synced()
        with under_load(site, address, 1000 / RATE) as load:
            time.sleep(1)
            old = site.testbed.kill("controller.app")
            site.testbed.wait_for_restart("controller.app", old)
        assert (load["made"], load["failed"], len(load["answered"])) == (1000, {}, 1), load
        time.sleep(AFFINITY_S / 2)
        assert set(asker.ask(address, 80)) == set(load["answered"]), "before the timeout"

        def another_after_silence() -> bool:
            time.sleep(AFFINITY_S + 2)  # a switch takes a second or two to look
            return set(asker.ask(address, 80)) != set(load["answered"])

        wait_until(another_after_silence, 10 * AFFINITY_S, "another endpoint after the timeout")


def test_new_connections_soon_after_the_switch_died(site: Site) -> None:
    with site.service({"app": "web"}) as service:
        asker, address = site.prober("client"), ips(service)[0]
        site.synced()
        site.testbed.kill("^ovs-vswitchd")
        began = time.monotonic()
        site.until(lambda: set(asker.ask(address, 80, timeout_s=0.2)) <= NAMES, "web again")
        assert time.monotonic() - began < SWITCH_BACK_S
