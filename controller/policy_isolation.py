"""Which pods are isolated, by how many policies; and the digest, by node, of all that policies do there."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.policy_names import Direction
from controller.flow import digest
from controller.policy_groups import Group, Member
from controller.policy_model import DIRECTIONS


class Generations:
    """A digest, by node, of all that policies do there.

    Open vSwitch's userspace datapath modifies a cached flow by looking its packet up, and finds another one where a
    wider one has been cached meanwhile (ovs 3.1, flow_put_on_pmd); the old verdict then stays for as long as packets
    come. The generation is a register, so it is part of what a look-up of the connection goes on with: with another
    generation, no packet finds what was cached before.
    """

    def __init__(self) -> None:
        self._digests: dict[str, int] = {}
        self._touched: dict[str, int] = {}

    def of(self, node: str) -> int:
        return self._digests.get(node, 0)

    def toggle(self, node: str, part: int) -> None:
        """Take a part in, or out again."""
        self._touched.setdefault(node, self.of(node))
        self._digests[node] = self.of(node) ^ part

    def changed(self) -> frozenset[str]:
        """The nodes with another digest than at the last call."""
        changed = frozenset(node for node, before in self._touched.items() if before != self.of(node))
        self._touched.clear()
        return changed


class Isolations:
    """How many policies isolate each pod, by direction and node: a pod of one name may come back elsewhere."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations
        self._counts: dict[tuple[Direction, str, str], int] = {}
        self._touched: set[str] = set()

    def of(self, pod: str, node: str) -> frozenset[Direction]:
        return frozenset(direction for direction in DIRECTIONS if (direction, pod, node) in self._counts)

    def count(self, direction: Direction, pod: str, node: str, times: int) -> None:
        """`times` is +1 or -1."""
        place = (direction, pod, node)
        count = self._counts.get(place, 0) + times
        if count:
            self._counts[place] = count
        else:
            del self._counts[place]
        if count == max(times, 0):
            self._touched.add(pod)
            self._generations.toggle(node, digest(f"{pod} {node} {direction}".encode(), 32))

    def touched(self) -> frozenset[str]:
        """The pods that have been isolated, or are no longer, since the last call."""
        touched = frozenset(self._touched)
        self._touched.clear()
        return touched


@dataclass(eq=False, slots=True)
class Isolation:
    """One policy isolates its subjects in one direction."""

    direction: Direction
    subjects: Group
    isolations: Isolations

    def begin(self) -> None:
        self.subjects.parts.append(self)
        self._count_all(+1)

    def end(self) -> None:
        self.subjects.parts.remove(self)
        self._count_all(-1)

    def changed(self, pod: str, before: Member | None, after: Member | None) -> None:
        if after is not None:
            self.isolations.count(self.direction, pod, after.node, +1)
        if before is not None:
            self.isolations.count(self.direction, pod, before.node, -1)

    def _count_all(self, times: int) -> None:
        for pod, member in self.subjects.members.items():
            self.isolations.count(self.direction, pod, member.node, times)
