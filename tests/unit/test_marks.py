"""Nothing is overlooked: what the loops make of one change after the other is what they make of everything at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.deletion import DeleteOptions, is_deleting
from cluster.draft import key_of
from cluster.loops import put_given
from cluster.objects import Object

APPS = ("a", "b")
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")

Step = tuple[str, int, int]

STEPS = st.lists(
    st.tuples(
        st.sampled_from([
            "workload", "service", "budget", "pod", "relabel", "status", "delete", "end", "cordon", "taint", "zone",
            "orphan", "foreground", "namespace", "affinity", "wait", "endpoints",
        ]),
        st.integers(0, 11),
        st.integers(0, 3),
    ),
    max_size=30,
)  # fmt: skip


def budget(app: str, least: int) -> Object:
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": app}}}
    metadata = {"name": app, "namespace": "default"}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}


def endpoints(app: str, last: int) -> Object:
    subset = {"addresses": [{"ip": f"192.0.2.{last + 1}"}], "ports": [{"port": 80}]}
    metadata = {"name": f"by-hand-{app}", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]}


class World:
    """Objects of all kinds in a small cluster, and somebody who changes them at random."""

    def __init__(self) -> None:
        self.scratch = samples.Scratch(samples.cluster())

    def do(self, what: str, which: int, number: int) -> None:
        getattr(self, f"_{what}")(APPS[which % len(APPS)], which, number)
        self.scratch.run()

    def _put(self, obj: Object) -> None:
        put_given(self.scratch.draft, [obj], self.scratch.cluster)

    def _pick(self, which: int) -> Object | None:
        pods = self.scratch.pods()
        return pods[which % len(pods)] if pods else None

    def _workload(self, app: str, which: int, number: int) -> None:
        kind = WORKLOADS[which % len(WORKLOADS)]
        size: Mapping[str, Any] = {
            "DaemonSet": {}, "Job": {"completions": number + 1, "parallelism": 2},
        }.get(kind, {"replicas": number})  # fmt: skip
        pod = {"restartPolicy": "Never"} if kind == "Job" else {"hostname": f"v{which % 2}"}
        self._put(samples.workload(kind, f"{app}-{kind.lower()}", pod=pod, **size))

    def _service(self, app: str, which: int, number: int) -> None:
        kinds: tuple[Mapping[str, Any], ...] = (
            {}, {"selector": {}}, {"publishNotReadyAddresses": True}, {"type": "ExternalName", "externalName": "x.example"},
        )  # fmt: skip
        self._put(samples.service(f"by-hand-{app}", **{"selector": {"app": app}, **kinds[number]}))

    def _budget(self, app: str, which: int, number: int) -> None:
        self._put(budget(app, number))

    def _endpoints(self, app: str, which: int, number: int) -> None:
        self._put(endpoints(app, number))

    def _pod(self, app: str, which: int, number: int) -> None:
        self._put(samples.pod(f"bare-{number}", {"app": app}))

    def _affinity(self, app: str, which: int, number: int) -> None:
        term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "kubernetes.io/hostname"}
        key = "podAffinity" if which % 2 else "podAntiAffinity"
        wish = {key: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        self._put(samples.pod(f"picky-{number}", {"app": app}, affinity=wish))

    def _relabel(self, app: str, which: int, number: int) -> None:
        if pod := self._pick(which):
            labels = {**pod["metadata"]["labels"], "app": APPS[number % 2]}
            self.scratch.draft.put({**pod, "metadata": {**pod["metadata"], "labels": labels}})

    def _status(self, app: str, which: int, number: int) -> None:
        pod = self._pick(which)
        if pod is None or not samples.is_bound(pod):
            return
        running = samples.running(pod, is_ready=False)["status"]
        ended = {"phase": "Succeeded" if number == 2 else "Failed"}
        status = samples.ready_status(pod, self.scratch.draft.now) if number == 0 else running if number == 1 else ended
        self.scratch.draft.merge_status(key_of(pod), pod["metadata"]["uid"], status)

    def _delete(self, app: str, which: int, number: int) -> None:
        self._go(which, number, DeleteOptions())

    def _orphan(self, app: str, which: int, number: int) -> None:
        self._go(which, number, DeleteOptions(propagation="Orphan"))

    def _foreground(self, app: str, which: int, number: int) -> None:
        self._go(which, number, DeleteOptions(propagation="Foreground"))

    def _go(self, which: int, number: int, options: DeleteOptions) -> None:
        kinds = (*WORKLOADS, "Pod", "Service", "PodDisruptionBudget", "Endpoints", "EndpointSlice")
        objects = self.scratch.draft.objects(kinds[which % len(kinds)])
        if objects:
            samples.delete(self.scratch.draft, key_of(objects[number % len(objects)]), options)

    def _end(self, app: str, which: int, number: int) -> None:
        self.scratch.settle()

    def _node(self, which: int, **spec: Any) -> None:
        node = self.scratch.draft.objects("Node")[which % 3]
        self.scratch.draft.put({**node, "spec": {**node["spec"], **spec}})

    def _cordon(self, app: str, which: int, number: int) -> None:
        self._node(which, unschedulable=bool(number % 2))

    def _taint(self, app: str, which: int, number: int) -> None:
        effects = ("NoSchedule", "NoExecute", "PreferNoSchedule")
        taint = {"key": "k", "effect": effects[number % 3], "timeAdded": self.scratch.draft.now}
        self._node(which, taints=[taint] if number else [])

    def _zone(self, app: str, which: int, number: int) -> None:
        node = self.scratch.draft.objects("Node")[which % 3]
        labels = {**node["metadata"]["labels"], "topology.kubernetes.io/zone": f"z{number}"}
        self.scratch.draft.put({**node, "metadata": {**node["metadata"], "labels": labels}})

    def _namespace(self, app: str, which: int, number: int) -> None:
        if number:
            self._put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"space-{app}"}})
            pod = samples.pod("guest")
            self._put({**pod, "metadata": {**pod["metadata"], "namespace": f"space-{app}"}})
        elif self.scratch.draft.get(("Namespace", "", f"space-{app}")):
            samples.delete(self.scratch.draft, ("Namespace", "", f"space-{app}"))

    def _wait(self, app: str, which: int, number: int) -> None:
        self.scratch.wait(number * 20)

    def state(self) -> dict[Any, Object]:
        draft = self.scratch.draft
        return {key_of(obj): obj for kind in draft.kinds() for obj in draft.objects(kind)}


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_restart_finds_nothing_that_was_overlooked(steps: list[Step]) -> None:
    world = World()
    for step in steps:
        world.do(*step)
    before = world.state()
    world.scratch.restart()
    world.scratch.run()
    after = world.state()
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    assert changed == [], {key: (before.get(key), after.get(key)) for key in changed[:1]}


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_every_deletion_comes_to_its_end(steps: list[Step]) -> None:
    world = World()
    for step in steps:
        world.do(*step)
    world.scratch.settle()
    assert [key for key, obj in world.state().items() if is_deleting(obj)] == []
