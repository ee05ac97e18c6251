"""Where processes run, by the names of pods and machines, and what they find there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster import capabilities, objects
from cluster.capabilities import NODE, POD_DEFAULT
from cluster.model import Cluster
from topo import confine, container_env, pod_files, volumes
from topo.confine import Place
from topo.sources import Sources


def machine_place(name: str) -> Place:
    """Where the processes of a node or client run."""
    return Place(netns=name, scratch=name, hostname=name, granted=NODE)


def pod_place(namespace: str, name: str, uid: str, hostname: str, granted: frozenset[str] = POD_DEFAULT) -> Place:
    """Where the processes of a pod run. The uid keeps apart a pod and its successor of the same name."""
    return Place(netns=f"{namespace}_{name}_{uid[:8]}", scratch=uid, hostname=hostname[: container_env.LONGEST_HOSTNAME], granted=granted)


def place_of_pod(pod: Mapping[str, Any], granted: frozenset[str] = POD_DEFAULT) -> Place:
    """Where a process of this pod runs: in its own namespace, or its node's if it is on the host network."""
    uid, hostname = str(pod["metadata"]["uid"]), container_env.hostname(pod)
    if pod["spec"].get("hostNetwork"):
        return Place(netns=pod["spec"]["nodeName"], scratch=uid, hostname=hostname, granted=granted)
    return pod_place(objects.namespace(pod), objects.name(pod), uid, hostname, granted)


@dataclass(frozen=True, slots=True)
class Room:
    """A place with what a program there finds: its environment, and the files of /etc that are its own."""

    place: Place
    environment: Mapping[str, str]
    etc: Mapping[str, str]
    cwd: str = "/"
    files: volumes.Files = field(default_factory=dict)
    """What its volumes show."""

    def enter(self) -> None:
        """Make the calling process, a child about to exec, one of this room."""
        confine.prepare_scratch(self.place.scratch, self.etc)
        volumes.write(self.place.scratch, self.files)
        confine.enter(self.place)


def room_of_machine(name: str) -> Room:
    """Of a node or client."""
    place = machine_place(name)
    return Room(place, confine.environment(place), pod_files.etc_of_machine(name))


def room_of_container(
    pod: Mapping[str, Any], container: Mapping[str, Any], cluster: Cluster, sources: Sources
) -> Room:
    """Of a container of this pod (an entry of its spec.containers or spec.initContainers). Raises ConfigError."""
    place = place_of_pod(pod, capabilities.of_container(container, pod))
    environment = {**confine.environment(place), **container_env.environment(container, pod, sources)}
    files = volumes.files(pod, container, sources)
    return Room(place, environment, pod_files.etc(pod, cluster), container.get("workingDir") or "/", files)
