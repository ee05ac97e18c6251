"""One running testbed in which cases of NetworkPolicies are done by the Kubernetes API and asked by real packets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client, config

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).parents[1] / "netpol"))

import manifests
from cases import KINDS, NAMESPACES, SOON_S, Cells, Evolving, Key, base, settled_differences
from testbeds import Testbed, started

from cluster.objects import Object, labels, name, namespace
from cluster.reachability import Tables
from cluster.reading.config import resolve
from topo.waiting import wait_until

SYNC_TIMEOUT_S = 30.0


class Site:
    """The base cluster, running. `restore` puts labels, policies and what was deleted back."""

    def __init__(self, testbed: Testbed, document: Object) -> None:
        self.testbed = testbed
        self.cluster = resolve(document)
        api = config.new_client_from_config(str(testbed.directory / "kubeconfig"))
        self._core, self._networking = client.CoreV1Api(api), client.NetworkingV1Api(api)
        self._created: set[Key] = set()
        self.objects = self.found()
        """What there is while no case is done."""

    def found(self) -> dict[Key, Object]:
        """What there is, addresses and all, without the cluster's own."""
        _, objects = self.testbed.client.objects(KINDS)
        return {
            (obj["kind"], namespace(obj), name(obj)): obj
            for obj in objects
            if not (name(obj) if obj["kind"] == "Namespace" else namespace(obj)).startswith(("kube-", "default"))
        }

    def evolving(self) -> Evolving:
        return Evolving(self.objects, self.cluster)

    def do(self, actions: Iterable[Mapping[str, Any]], evolving: Evolving) -> None:
        """The actions of one step, by the API; returns when every switch holds what follows from them."""
        actions = list(actions)
        evolving.do(actions)
        for action in map(evolving.filled, actions):
            self._do(action)
        self.testbed.client.sync(SYNC_TIMEOUT_S)

    def _do(self, action: Mapping[str, Any]) -> None:
        policy = action.get("policy", {})
        where = policy.get("metadata", action).get("namespace")
        match action["action"]:
            case "create_policy":
                if where not in NAMESPACES:
                    self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": where}})
                self._networking.create_namespaced_network_policy(where, policy)
            case "update_policy":
                self._networking.replace_namespaced_network_policy(name(policy), where, policy)
            case "delete_policy":
                self._networking.delete_namespaced_network_policy(action["name"], where)
            case "relabel_pod":
                self._core.patch_namespaced_pod(action["pod"], where, _labelling(action))
            case "relabel_namespace":
                self._core.patch_namespace(where, _labelling(action))
            case "create_object":
                self._create(action["object"])
            case "delete_pod":
                self._core.delete_namespaced_pod(action["pod"], where, grace_period_seconds=0)
                self._wait_until_gone("Pod", where, action["pod"])
            case "delete_namespace":
                self._core.delete_namespace(where)
                self._wait_until_gone("Namespace", "", where)
            case other:
                raise ValueError(f"unknown action {other}")

    def _create(self, obj: Object) -> None:
        self._created.add((obj["kind"], namespace(obj), name(obj)))
        self.testbed.client.apply([obj])

    def _wait_until_gone(self, *key: str) -> None:
        wait_until(lambda: key not in self.found(), SYNC_TIMEOUT_S, f"{key} is gone")

    def restore(self) -> None:
        missing = [obj for obj in base() if (obj["kind"], namespace(obj), name(obj)) not in self.found()]
        self.testbed.client.apply(missing)
        for key in self._created - self.objects.keys():
            self.testbed.client.delete(*key)
            self._wait_until_gone(*key)
        self._created.clear()
        for each in NAMESPACES:
            self._networking.delete_collection_namespaced_network_policy(each)
            was = labels(self.objects["Namespace", "", each])
            now = self._core.read_namespace(each).metadata.labels
            self._core.patch_namespace(each, _back(was, now))
            for pod in self._core.list_namespaced_pod(each).items:
                was = labels(self.objects["Pod", each, pod.metadata.name])
                if was != pod.metadata.labels:
                    self._core.patch_namespaced_pod(pod.metadata.name, each, _back(was, pod.metadata.labels))
        self.testbed.client.sync(SYNC_TIMEOUT_S)
        self.objects = self.found()

    def wrong(self, expected: Cells, via: str = "pod-ip") -> list[str]:
        """The cells that real packets tell otherwise."""
        return settled_differences(expected, lambda timeout_s: self.matrix(via, timeout_s))

    def matrix(self, via: str = "pod-ip", timeout_s: float = SOON_S) -> Tables:
        asked = ("--ports", "80,81", "--protocols", "tcp,udp", "--timeout", str(timeout_s), "--via", via)
        return Tables(json.loads(self.testbed.mininetes("matrix", *asked, "-o", "json").output)["tables"])


def _labelling(action: Mapping[str, Any]) -> Mapping[str, Any]:
    removed = dict.fromkeys(action.get("remove") or ())
    return {"metadata": {"labels": {**removed, **(action.get("set") or {})}}}


def _back(was: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, Any]:
    return {"metadata": {"labels": {**dict.fromkeys(now), **was}}}


def but_to_themselves(expected: Cells) -> Cells:
    return {
        table: {source: {to: cell for to, cell in row.items() if to != source} for source, row in rows.items()}
        for table, rows in expected.items()
    }


@contextmanager
def running() -> Iterator[Site]:
    document = manifests.cluster(workers=2)
    with started(document, *base()) as testbed:
        yield Site(testbed, document)
