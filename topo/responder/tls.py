"""TLS for the applications' servers, so that a probe or client that asks for https is answered.

The certificate is the responder's own, made when the first such client comes: nobody could verify it, and the
kubelet does not.
"""

from __future__ import annotations

import logging
import ssl
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Protocol

_CHUNK_BYTES = 65536
_log = logging.getLogger(__name__)


class Wire(Protocol):
    """What a conversation needs of an asyncio.Transport."""

    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...
    def is_closing(self) -> bool: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class _Inner(Protocol):
    def feed(self, data: bytes) -> None: ...
    def end(self) -> None: ...
    def abandon(self) -> None: ...


@cache
def context() -> ssl.SSLContext:
    """A server's context with a new self-signed certificate. Raises OSError where there is no openssl."""
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = str(Path(directory) / "key.pem"), str(Path(directory) / "certificate.pem")
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=mininetes"
        subprocess.run(
            [*command.split(), "-keyout", key, "-out", certificate], check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(certificate, key)
        made.set_alpn_protocols(["h2", "http/1.1"])
        return made


class Tls:
    """A conversation inside TLS: it talks to the client's records on one side, and is the wire of `inner`."""

    def __init__(self, wire: Wire, inner: Callable[[Wire], _Inner]) -> None:
        self._wire = wire
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._inner = inner(self)
        self._is_established = False
        try:
            self._tls = context().wrap_bio(self._arrived, self._leaving, server_side=True)
        except (OSError, subprocess.CalledProcessError) as error:
            _log.error("no TLS: cannot make a certificate: %s", error)
            wire.close()

    def feed(self, data: bytes) -> None:
        if self._tls is None:
            return
        self._arrived.write(data)
        try:
            self._read(self._tls)
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            _log.info("TLS: %s", error)
            self._flush()  # the alert that tells the client
            self._wire.close()

    def end(self) -> None:
        self._inner.end()

    def abandon(self) -> None:
        self._inner.abandon()

    def _read(self, tls: ssl.SSLObject) -> None:
        """Until SSLWantReadError, or the client's end."""
        if not self._is_established:
            tls.do_handshake()
            self._is_established = True
        while not self._wire.is_closing():
            data = tls.read(_CHUNK_BYTES)
            if not data:  # the client's goodbye
                self.end()
                return
            self._inner.feed(data)

    def _flush(self) -> None:
        if data := self._leaving.read():
            self._wire.write(data)

    # The wire of the conversation inside.

    def write(self, data: bytes) -> None:
        if self._tls is not None and data:
            self._tls.write(data)
            self._flush()

    def close(self) -> None:
        if self._tls is not None and self._is_established and not self._wire.is_closing():
            # unwrap() raises because it wants the client's own goodbye too, which is not waited for.
            with suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()
        self._wire.close()

    def is_closing(self) -> bool:
        return self._wire.is_closing()

    def pause_reading(self) -> None:
        self._wire.pause_reading()

    def resume_reading(self) -> None:
        self._wire.resume_reading()
