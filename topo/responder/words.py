"""What is answered to a datagram, or to the first message of an SCTP connection."""

from __future__ import annotations

from topo.servers import Kind


def answer(kind: Kind, data: bytes, hostname: str, client: str, text: str = "") -> bytes | None:
    """The answer, None for silence. netexec knows the words hostname, clientip and `echo TEXT`, and as upstream
    it folds what it hears to lower case."""
    if kind == "application":
        return data
    if kind == "text":
        return text.encode()
    if kind != "netexec":
        return hostname.encode()
    word, space, rest = data.decode(errors="replace").strip().lower().partition(" ")
    if word == "echo" and space:
        return rest.encode()
    return {"hostname": hostname, "clientip": client}.get(word + space + rest, "").encode() or None
