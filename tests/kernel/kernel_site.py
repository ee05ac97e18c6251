"""The cluster of these tests: two workers, servers over TCP, UDP and SCTP, clients outside with bad lines."""

from __future__ import annotations

from manifests import Object, cluster, pod, tools
from service_site import server

NEEDED = ("openvswitch", "sch_netem", "sctp")
START_TIMEOUT_S = 180.0
"""Without virtualisation the machine is a tenth as fast."""
SCTP = 8082
WEB = {"app": "web"}
SCTP_PORT = {"name": "sctp", "port": 82, "protocol": "SCTP", "targetPort": SCTP}


def spec() -> tuple[Object, ...]:
    links = [
        # The smallest delay that is promised to be right.
        {"a": "near", "b": "s1", "delay": "5ms"},
        {"a": "slow", "b": "s1", "delay": "50ms"},
        {"a": "wavering", "b": "s1", "delay": "50ms", "jitter": "10ms"},
        {"a": "lossy", "b": "s1", "loss": 20},
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
