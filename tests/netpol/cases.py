"""Cases of NetworkPolicies as data: a cluster, policies, steps, and who reaches whom after each.

Our own are in `tests/netpol/cases/*.yaml`, by family, their tables as claims (cluster/claims.py; everything reaches
everything but for what a claim says). A folder of cases beside the repository is read too, where it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster import claims
from cluster.model import Cluster
from cluster.objects import Object, labels, name, namespace
from cluster.plan import plan
from cluster.reachability import Tables

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "netpol"
QUESTIONS = (("TCP", 80), ("TCP", 81), ("UDP", 80), ("UDP", 81))
SOON_S, LATE_S = 0.7, 4.0
NAMESPACES, PODS = ("x", "y", "z"), ("a", "b", "c")

Key = tuple[str, str, str]
Cells = Mapping[str, Mapping[str, Mapping[str, bool]]]


@dataclass(frozen=True)
class Step:
    """What is done, and what holds then: `expected` as cells, of the tables and pairs that it names."""

    name: str
    actions: Sequence[Mapping[str, Any]]
    expected: Callable[[Iterable[Object]], Cells]


@dataclass(frozen=True)
class Case:
    id: str
    steps: Sequence[Step]


def base() -> list[Object]:
    """Namespaces x, y, z; pods a, b, c in each; TCP and UDP on 80 and 81; named ports; a Service for each pod."""
    objects: list[Object] = []
    for ns in NAMESPACES:
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns, "labels": {"ns": ns}}})
        for pod in PODS:
            objects += [_pod(ns, pod), _service(ns, pod)]
    return objects


def _pod(ns: str, pod: str) -> Object:
    containers = []
    for protocol, port in QUESTIONS:
        listen = ["--tcp" if protocol == "TCP" else "--udp", "--http=false", "--port", str(port)]
        containers.append(
            {
                "name": f"cont-{port}-{protocol.lower()}",
                "image": "registry.k8s.io/e2e-test-images/agnhost:2.47",
                "command": ["/agnhost", "serve-hostname", *listen],
                "ports": [
                    {"containerPort": port, "protocol": protocol, "name": f"serve-{port}-{protocol.lower()}"}
                ],
            }
        )
    metadata = {"name": pod, "namespace": ns, "labels": {"pod": pod}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}


def _service(ns: str, pod: str) -> Object:
    ports = [
        {"name": f"{protocol.lower()}-{port}", "protocol": protocol, "port": port, "targetPort": port}
        for protocol, port in QUESTIONS
    ]
    metadata = {"name": f"s-{ns}-{pod}", "namespace": ns}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": {"pod": pod}, "ports": ports}}  # fmt: skip


def planned(cluster: Cluster, objects: Iterable[Object]) -> dict[Key, Object]:
    """The objects as a testbed would have them, addresses and all, without the cluster's own."""
    made = plan(cluster, [deepcopy(obj) for obj in objects]).objects
    kept = (obj for obj in made if namespace(obj) != "kube-system" and obj["kind"] in KINDS)
    return {(obj["kind"], namespace(obj), name(obj)): obj for obj in kept}


KINDS = ("Namespace", "Pod", "Service", "EndpointSlice", "NetworkPolicy")


class Evolving:
    """The objects of a case while its steps are done; `changed` are the keys that the last step touched."""

    def __init__(self, objects: Mapping[Key, Object], cluster: Cluster) -> None:
        self.objects = dict(objects)
        self.changed: set[Key] = set()
        self._addresses = _placeholders(objects.values(), cluster)

    def do(self, actions: Iterable[Mapping[str, Any]]) -> None:
        self.changed = set()
        for action in actions:
            for key, obj in self._done(self.filled(action)):
                self.changed.add(key)
                if obj is None:
                    self.objects.pop(key, None)
                else:
                    self.objects[key] = obj

    def filled(self, value: Any) -> Any:
        """Placeholders {{ip:x/a}} and {{net:x/a/24}} as the addresses of this cluster."""
        if isinstance(value, str):
            return re.sub(r"\{\{(.*?)\}\}", lambda found: self._addresses(found[1]), value)
        if isinstance(value, Mapping):
            return {key: self.filled(item) for key, item in value.items()}
        return [self.filled(item) for item in value] if isinstance(value, list) else value

    def _done(self, action: Mapping[str, Any]) -> Iterator[tuple[Key, Object | None]]:
        match action["action"]:
            case "create_policy" | "update_policy":
                yield ("NetworkPolicy", *_place(action["policy"])), action["policy"]
            case "delete_policy":
                yield ("NetworkPolicy", action["namespace"], action["name"]), None
            case "relabel_pod":
                yield self._relabelled(("Pod", action["namespace"], action["pod"]), action)
            case "relabel_namespace":
                yield self._relabelled(("Namespace", "", action["namespace"]), action)
            case "create_object":
                obj = action["object"]
                yield (obj["kind"], obj["metadata"].get("namespace", ""), name(obj)), obj
            case "delete_pod":
                yield ("Pod", action["namespace"], action["pod"]), None
            case "delete_namespace":
                for key in list(self.objects):
                    if key[1] == action["namespace"] or key[::2] == ("Namespace", action["namespace"]):
                        yield key, None
            case other:
                raise ValueError(f"unknown action {other}")

    def _relabelled(self, key: Key, action: Mapping[str, Any]) -> tuple[Key, Object]:
        obj = deepcopy(self.objects[key])
        kept = {label: value for label, value in labels(obj).items() if label not in (action.get("remove") or ())}
        obj["metadata"]["labels"] = {**kept, **(action.get("set") or {})}
        return key, obj


def _place(policy: Mapping[str, Any]) -> tuple[str, str]:
    return policy["metadata"].get("namespace", "default"), policy["metadata"]["name"]


def _placeholders(objects: Iterable[Object], cluster: Cluster) -> Callable[[str], str]:
    from ipaddress import ip_network

    pods = {f"{namespace(obj)}/{name(obj)}": obj for obj in objects if obj["kind"] == "Pod"}

    def fill(text: str) -> str:
        kind, _, rest = text.partition(":")
        if kind == "ip":
            return str(pods[rest]["status"]["podIPs"][0]["ip"])
        pod, _, length = rest.rpartition("/")
        return str(ip_network(f"{pods[pod]['status']['podIPs'][0]['ip']}/{length}", strict=False))

    return fill


def own_cases() -> Iterator[Case]:
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for number, entry in enumerate(yaml.safe_load(path.read_text()), 1):
            first = {"name": "initial", "claims": entry["claims"], "actions": _creations(entry["policies"])}
            steps = [first, *entry.get("steps", ())]
            yield Case(
                f"{path.stem}-{number:02}-{entry['title'].replace(' ', '-')}",
                [Step(step["name"], [_full(action) for action in step["actions"]], _claimed(step["claims"]))
                 for step in steps],
            )  # fmt: skip


def _creations(policies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [{"action": "create_policy", "policy": policy} for policy in policies]


def _full(action: Mapping[str, Any]) -> Mapping[str, Any]:
    """Policies are written short: {in: x, name: p, spec…}."""
    policy = action.get("policy")
    if policy is None or "spec" in policy:
        return action
    spec = {key: value for key, value in policy.items() if key not in ("in", "name")}
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": policy.get("name", "p"), "namespace": policy["in"]},
            "spec": {"podSelector": {}, **spec}}  # fmt: skip
    return {**action, "policy": made}


def _claimed(lines: Sequence[str]) -> Callable[[Iterable[Object]], Cells]:
    parsed, problems = claims.parse(lines, "claims")
    assert not problems, problems

    def cells(objects: Iterable[Object]) -> Cells:
        pods = [claims.Pod(f"{namespace(obj)}/{name(obj)}", labels(obj)) for obj in objects if obj["kind"] == "Pod"]
        tables = Tables()
        for protocol, port in QUESTIONS:
            for source in pods:
                for target in pods:
                    claim = claims.deciding(parsed, f"{protocol}/{port}", source, target)
                    reaches = source == target or claim is None or claim.reaches
                    tables.put(f"{protocol}/{port}", source.key, target.key, reaches)
        return tables.cells

    return cells


def shared_cases() -> Iterator[Case]:
    """The folder's, and none where there is no such folder."""
    for path in sorted((SHARED / "cases").glob("*/expected.json")):
        expected = json.loads(path.read_text())["steps"]
        policies = yaml.safe_load_all((path.parent / "policies.yaml").read_text())
        actions = [[{"action": "create_policy", "policy": policy} for policy in policies if policy]]
        more = path.parent / "steps.yaml"
        actions += [step["actions"] for step in yaml.safe_load(more.read_text())] if more.exists() else []
        steps = [Step(each["name"], done, _given(each["tables"])) for each, done in zip(expected, actions, strict=True)]
        yield Case(path.parent.name, steps)


def _given(tables: Cells) -> Callable[[Iterable[Object]], Cells]:
    return lambda objects: tables


def shared_base() -> list[Object]:
    return list(yaml.safe_load_all((SHARED / "base.yaml").read_text()))


def settled_differences(expected: Cells, ask: Callable[[float], Tables]) -> list[str]:
    """As `differences`, of real packets; `ask` is given how many seconds to wait for an answer.

    On a busy machine an answer may be late: where nothing else is wrong, all are asked again and waited for.
    """
    wrong = differences(expected, ask(SOON_S))
    only_late = all(line.endswith(f": must be {True}") for line in wrong)
    return differences(expected, ask(LATE_S)) if wrong and only_late else wrong


def differences(expected: Cells, found: Tables) -> list[str]:
    """The cells that are otherwise, as lines."""
    return [
        f"{table} {source} > {target}: must be {reaches}"
        for table, rows in expected.items()
        for source, row in rows.items()
        for target, reaches in row.items()
        if found.cells[table][source].get(target) != reaches
    ]
