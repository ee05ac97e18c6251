"""What iperf3's answer says."""

from __future__ import annotations

import json
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from experiments.iperf import IperfError, Options, measure, parse

# What `iperf3 --json` 3.12 printed between two pods, but for the parts that nobody reads.
TCP: dict[str, Any] = {
    "start": {"test_start": {"protocol": "TCP", "num_streams": 1, "duration": 1, "reverse": 0}},
    "end": {
        "sum_sent": {"seconds": 1.000056, "bytes": 580124672, "bits_per_second": 4640737494.7003, "retransmits": 48570},
        "sum_received": {"seconds": 1.001574, "bytes": 576897282, "bits_per_second": 4607925381.449598},
    },
}
UDP: dict[str, Any] = {
    "start": {"test_start": {"protocol": "UDP", "num_streams": 1, "duration": 1, "target_bitrate": 10000000}},
    "end": {
        "sum": {
            "seconds": 1.000572, "bits_per_second": 9997216.35, "jitter_ms": 0.0447, "lost_packets": 1, "packets": 894,
            "lost_percent": 0.11, "sender": True,
        },
        "sum_sent": {"seconds": 1.000128, "bits_per_second": 9997216.35, "jitter_ms": 0, "lost_percent": 0},
        "sum_received": {"seconds": 1.000572, "bits_per_second": 9992780.12, "jitter_ms": 0.0447, "lost_percent": 0.11},
    },
}  # fmt: skip


def test_tcp_is_what_the_receiver_got() -> None:
    result = parse(TCP)
    assert (result.protocol, result.bits_per_second, result.retransmits) == ("tcp", 4607925381.449598, 48570)
    assert result.lost_percent is None
    assert result.gbps == pytest.approx(4.608, abs=0.001)


def test_udp_has_losses_and_jitter() -> None:
    result = parse(UDP)
    assert (result.protocol, result.lost_percent, result.jitter_ms) == ("udp", 0.11, 0.0447)
    assert result.bits_per_second == 9992780.12


def test_udp_of_a_version_without_the_receivers_sum() -> None:
    old = {"start": UDP["start"], "end": {"sum": UDP["end"]["sum"]}}
    assert parse(old).bits_per_second == 9997216.35


def test_an_error_is_told_in_iperf3s_words() -> None:
    message = "unable to connect to server: Connection refused"
    with pytest.raises(IperfError, match=message):
        parse({"start": {}, "end": {}, "error": message})


def test_udp_is_not_limited_unless_asked() -> None:
    assert Options(udp=True).arguments()[-3:] == ["--udp", "--bandwidth", "0"]
    assert Options(udp=True, bandwidth="10M").arguments()[-1] == "10M"
    assert "--bandwidth" not in Options().arguments()


_IPERF3 = """#!{python}
import sys
if "--server" in sys.argv:
    print("Server listening on 5201", flush=True)
else:
    print({said!r})
"""


def _measured(tmp_path: Path, said: str) -> float:
    """What `measure` makes of a program that is called iperf3 and says this."""
    program = tmp_path / "iperf3"
    program.write_text(_IPERF3.format(python=sys.executable, said=said))
    program.chmod(0o755)
    prefix = ("env", f"PATH={tmp_path}:/usr/bin:/bin")
    return measure(prefix, prefix, ip_address("127.0.0.1"), Options(seconds=1)).bits_per_second


def test_a_warning_before_the_answer_is_no_error(tmp_path: Path) -> None:
    warning = "warning: UDP block size 1460 exceeds TCP MSS 1398, may result in fragmentation / drops\n"
    assert _measured(tmp_path, warning + json.dumps(UDP, indent=1)) == 9992780.12


def test_anything_else_before_it_is(tmp_path: Path) -> None:
    with pytest.raises(IperfError, match="unable to connect"):
        _measured(tmp_path, "unable to connect\n{}")
