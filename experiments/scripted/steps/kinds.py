"""All kinds of steps, by the word that the file uses."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.scripted.steps.faults import Fault
from experiments.scripted.steps.loads import Dns, Load
from experiments.scripted.steps.looking import Exec, Expect, Matrix
from experiments.scripted.steps.objects import Apply, Delete, Scale, Wait
from experiments.scripted.steps.step import Action
from experiments.scripted.steps.throughput import Iperf3

KINDS: Mapping[str, type[Action]] = {
    kind.KIND: kind for kind in (Apply, Delete, Scale, Wait, Exec, Iperf3, Load, Dns, Fault, Matrix, Expect)
}
