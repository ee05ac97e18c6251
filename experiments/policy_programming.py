"""How fast NetworkPolicies take hold: from a request to the Kubernetes API to the last switch's barrier."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from cluster.client import Client
from experiments import bulk, generated, many_policies, testbed
from experiments.api_client import ApiClient, read_access

_PATIENCE_S = 120.0
_SEED = 1
_POLICIES_PATH = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"
_POD_PATH = "/api/v1/namespaces/{}/pods/{}"
_MERGE_PATCH = "application/merge-patch+json"
_PORTS = range(20_000, 30_000)

Change = Callable[[], int]
"""One request; the revision of what it wrote."""


def run(workers: int, policies: int, changes: int, progress: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Milliseconds of so many changes of policies, and of so many relabelled pods: "ms" from the request to the last
    barrier, "after_answer_ms" from the API's answer. Raises CommandError when the testbed does not come up.
    """
    found = {}
    with tempfile.TemporaryDirectory(prefix="mininetes-bench-") as directory:
        spec = generated.write([generated.cluster("policies", workers), *_pods()], Path(directory) / "spec.yaml")
        with testbed.running(spec, "bench-policies") as running:
            site = _Site(ApiClient(read_access(bulk.kubeconfig_of(running))), bulk.client_of(running))
            site.realise(bulk.apply(site.client, map(many_policies.policy, range(policies))))
            kinds = {"policy": site.policy_changes(policies), "relabelled": site.relabels()}
            for kind, endless in kinds.items():
                found[kind] = site.measured(islice(endless, changes))
                progress(f"{changes} times {kind}: slowest {max(found[kind]['ms']):.1f} ms")
            site.api.close()
    return found


def _pods() -> Iterator[dict[str, Any]]:
    spaces, pods = many_policies.NAMESPACES, many_policies.NAMESPACES * many_policies.APPS
    return chain(map(many_policies.namespace, range(spaces)), map(many_policies.pod, range(pods)))


@dataclass(frozen=True, slots=True)
class _Site:
    """The testbed as kubectl's users see it, and as its own parts do, who know when a revision is realised."""

    api: ApiClient
    client: Client

    def realise(self, revision: int) -> None:
        self.client.wait_realised("controller", revision, _PATIENCE_S)

    def measured(self, several: Iterator[Change]) -> dict[str, Any]:
        samples: dict[str, Any] = {"ms": [], "after_answer_ms": []}
        for change in several:
            began = time.perf_counter()
            revision = change()
            answered = time.perf_counter()
            self.realise(revision)
            ended = time.perf_counter()
            samples["ms"].append((ended - began) * 1000)
            samples["after_answer_ms"].append((ended - answered) * 1000)
        return samples

    def policy_changes(self, first: int) -> Iterator[Change]:
        """A policy comes, gets another port, gets other peers, goes; then the next."""
        chance, number = random.Random(_SEED), first
        while True:
            policy, other = many_policies.policy(number), many_policies.policy(number + many_policies.NAMESPACES)
            metadata = policy["metadata"]
            path = _POLICIES_PATH.format(metadata["namespace"])
            own = f"{path}/{metadata['name']}"
            yield self._change("POST", path, policy)
            yield self._change("PATCH", own, {"spec": many_policies.policy(number, chance.choice(_PORTS))["spec"]})
            yield self._change("PATCH", own, {"spec": {"ingress": other["spec"]["ingress"]}})
            yield self._deletion(metadata["namespace"], metadata["name"])
            number += 1

    def relabels(self) -> Iterator[Change]:
        """A pod is one of another app now."""
        chance, pods = random.Random(_SEED), many_policies.NAMESPACES * many_policies.APPS
        apps = {number: number % many_policies.APPS for number in range(pods)}
        while True:
            number = chance.randrange(pods)
            apps[number] = (apps[number] + chance.randrange(1, many_policies.APPS)) % many_policies.APPS
            pod, labels = many_policies.pod(number)["metadata"], {"app": f"app{apps[number]}"}
            yield self._change("PATCH", _POD_PATH.format(pod["namespace"], pod["name"]), {"metadata": {"labels": labels}})

    def _change(self, method: str, path: str, body: dict[str, Any]) -> Change:
        content_type = _MERGE_PATCH if method == "PATCH" else "application/json"
        content = json.dumps(body).encode()

        def change() -> int:
            return int(json.loads(self.api.send(method, path, content, content_type))["metadata"]["resourceVersion"])

        return change

    def _deletion(self, namespace: str, name: str) -> Change:
        """The answer of the Kubernetes API to a deletion has no revision."""
        return lambda: self.client.delete("NetworkPolicy", namespace, name)
