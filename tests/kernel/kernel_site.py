"""The cluster of these tests: two workers, servers over TCP, UDP and SCTP, clients outside with bad lines."""

from __future__ import annotations

from manifests import Object, cluster, pod, tools
from service_site import server

NEEDED = ("openvswitch", "sch_netem", "sctp")
START_TIMEOUT_S = 180.0
"""Without virtualisation the machine is a tenth as fast."""
SCTP = 8082
DELAY_MS, JITTER_MS, LOSS_PERCENT = 50.0, 10.0, 20.0
"""Of the line of `slow`, of that of `wavering`, and of that of `lossy`; each in both directions."""
DELAYED_MS = 5.0
"""The smallest delay that is promised to be right; the line of `near` has it."""
WEB = {"app": "web"}
SCTP_PORT = {"name": "sctp", "port": 82, "protocol": "SCTP", "targetPort": SCTP}


def spec() -> tuple[Object, ...]:
    links = [
        {"a": "slow", "b": "s1", "delay": f"{DELAY_MS}ms"},
        {"a": "near", "b": "s1", "delay": f"{DELAYED_MS}ms"},
        {"a": "wavering", "b": "s1", "delay": f"{DELAY_MS}ms", "jitter": f"{JITTER_MS}ms"},
        {"a": "lossy", "b": "s1", "loss": LOSS_PERCENT},
    ]
    made = cluster(workers=2, ip_family="dual", underlay={"topology": "star", "links": links})
    made["externalClients"] = [{"name": name} for name in ("laptop", "slow", "near", "wavering", "lossy")]
    args = [f"--sctp-port={SCTP}"]
    return (
        made,
        server("s1", "worker", WEB, args=args),
        server("s2", "worker2", WEB, args=args),
        server("h1", "worker2", {"app": "host"}, args=args, hostNetwork=True),
        pod("client", tools(), nodeName="worker"),
    )
