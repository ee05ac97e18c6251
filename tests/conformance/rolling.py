"""A Deployment whose pods are all replaced, under load: what tests of rolling updates share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from service_site import HTTP, Site, server

from topo.waiting import wait_until

LOAD = Path(__file__).with_name("load.py").read_text()
RATE = 200
REPLICAS = 20
ROLLOUT_S = 60


@contextmanager
def under_load(site: Site, host: str, seconds: float, of: str = "client2", rate: int = RATE) -> Iterator[dict[str, Any]]:
    """Connections as long as the context is meant to last; what became of them is there when it is over."""
    argv = site.testbed.user.argv("exec", "--name", site.testbed.name, of, "--", "python3", "-c", LOAD)
    with Popen([*argv, host, "80", str(rate), str(seconds)], stdout=PIPE, text=True) as process:
        found: dict[str, Any] = {}
        yield found
        said, _ = process.communicate(timeout=seconds + 60)
        found |= json.loads(said)


@dataclass(frozen=True)
class Rolling:
    """`answers_on_s`: so long pods answer on that were told to end."""

    name: str = "rolling"
    replicas: int = REPLICAS
    answers_on_s: int = 3

    @property
    def labels(self) -> dict[str, str]:
        return {"app": self.name}

    def deployment(self) -> dict[str, Any]:
        template = server("x", "", self.labels, args=[f"--delay-shutdown={self.answers_on_s}"])
        del template["spec"]["nodeName"]
        template["spec"]["terminationGracePeriodSeconds"] = self.answers_on_s + 7
        container = template["spec"]["containers"][0]
        container["readinessProbe"] = {"httpGet": {"path": "/hostname", "port": HTTP}, "periodSeconds": 1}
        return {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": self.name},
            "spec": {
                "replicas": self.replicas, "selector": {"matchLabels": self.labels},
                "template": {"metadata": {"labels": self.labels}, "spec": template["spec"]},
            },
        }  # fmt: skip

    def rolled_out(self, site: Site) -> None:
        """Wait until all pods are of the latest version, and no other is left."""
        wait_until(lambda: self._is_rolled_out(site), ROLLOUT_S, f"{self.replicas} pods of {self.name}")

    def _is_rolled_out(self, site: Site) -> bool:
        found = site.get("Deployment", self.name)
        status = found.get("status", {})
        counts = {status.get(each, 0) for each in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
        return status.get("observedGeneration") == found["metadata"]["generation"] and counts == {self.replicas}

    def replace_all(self, site: Site, version: str = "1") -> None:
        change = {"spec": {"template": {"metadata": {"annotations": {"again": version}}}}}
        site.patch("Deployment", self.name, change)
        self.rolled_out(site)
