"""How far to trust a run: what else the machine did meanwhile, and whether links did what they are configured to do.

    monitor      with Monitor(process_ids, links) as monitor: …; then monitor.report()
    verdict      figures -> valid, degraded, invalid, and whose fault it is; limits: from where on
    figures      what was seen at the beginning, meanwhile and at the end -> figures
    processes    who took processor time: the run's own processes or others; how long the switch waited for it
    machine      what /proc says of the whole machine: idle time, steal, pressure, drops
    links        shaped links: what they should be; sandbox_watch: the program in the sandbox that looks at them, and
                 at drops
    crossing     what pings across links say of their delay, jitter and loss
    canary       the program whose sleeps tell how late timers are

docs/decisions/019-fidelity.md says why these figures. Nothing here knows of iperf3 or of experiments: it watches
processes and interfaces.
"""

from experiments.fidelity.crossing import Cable
from experiments.fidelity.links import Link
from experiments.fidelity.monitor import Monitor
from experiments.fidelity.verdict import Fidelity

__all__ = ["Cable", "Fidelity", "Link", "Monitor"]
