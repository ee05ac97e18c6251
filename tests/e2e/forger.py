"""Runs in a pod: sends frames as they are, then listens to everything that its interface hears until somebody calls.

    python3 -c TEXT PORT FRAME_IN_HEX…

Each frame is sent twice: through the queueing discipline and past it. Ends when a datagram comes to PORT of the pod, and
prints as JSON how many were sent and which frames came that were not for this pod.
"""

from __future__ import annotations

import json
import socket
import sys
import time

INTERFACE, EVERYTHING = "eth0", 3
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, PACKET_QDISC_BYPASS = 263, 1, 1, 20
PATIENCE_S = 20.0


def sender(past_qdisc: bool) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, past_qdisc)
    made.bind((INTERFACE, 0))
    return made


def send(frames: list[bytes]) -> int:
    sent = 0
    for to in (sender(False), sender(True)):
        for frame in frames:
            try:
                to.send(frame)
            except OSError:
                continue  # What the guard drops is told to who sent it: ENOBUFS.
            sent += 1
    return sent


def listener() -> socket.socket:
    """Hears what the interface hears, promiscuously."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
    index = socket.if_nametoindex(INTERFACE)
    request = index.to_bytes(4, sys.byteorder) + PACKET_MR_PROMISC.to_bytes(2, sys.byteorder) + bytes(10)
    made.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
    made.bind((INTERFACE, EVERYTHING))
    made.settimeout(PATIENCE_S)
    return made


def hear(ear: socket.socket, port: int) -> list[str]:
    """The frames that came for others, until a datagram to `port` of this pod comes."""
    own, foreign = ear.getsockname()[4], []
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        frame, (_, _, kind, _, _) = ear.recvfrom(1 << 16)
        if kind == socket.PACKET_OUTGOING:
            continue
        if frame[:6] != own:
            foreign.append(frame.hex())
        elif frame[12:14] == b"\x08\x00" and frame[36:38] == port.to_bytes(2, "big"):
            return foreign
    raise TimeoutError("nobody called")


def main() -> None:
    port = int(sys.argv[1])
    frames = [bytes.fromhex(word) for word in sys.argv[2:]]
    ear = listener()
    sent = send(frames)
    print("sent", flush=True)
    print(json.dumps({"sent": sent, "foreign": hear(ear, port)}))


if __name__ == "__main__":
    main()
