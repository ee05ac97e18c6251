"""Certificates from Secrets (tls.crt, tls.key), checked before nginx sees them: of one wrong certificate it would refuse
the whole configuration. Hosts without a usable one get a certificate that nobody trusts, as with ingress-nginx."""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from topo.ingress.site import Certificate
from topo.ingress.world import Object, full_name

FAKE_NAME = "Kubernetes Ingress Controller Fake Certificate"


class CertificateError(Exception):
    """The Secret holds no certificate with its key."""


def certificate(secret: Object) -> Certificate:
    """Raises CertificateError."""
    data = secret.get("data") or {}
    missing = [key for key in ("tls.crt", "tls.key") if not data.get(key)]
    if missing:
        raise CertificateError(f"Secret {full_name(secret)} has no {' and no '.join(missing)}")
    try:
        chain, key = (base64.b64decode(data[name], validate=True) for name in ("tls.crt", "tls.key"))
    except binascii.Error as error:
        raise CertificateError(f"Secret {full_name(secret)}: {error}") from None
    found = Certificate(full_name(secret), chain, key)
    if said := _problem(pem(found)):
        raise CertificateError(f"Secret {full_name(secret)}: {said}")
    return found


def pem(found: Certificate) -> bytes:
    """Both in one file."""
    return found.chain.rstrip() + b"\n" + found.key


def file_name(found: Certificate) -> str:
    """By the content, so that another certificate is another configuration."""
    return hashlib.sha256(pem(found)).hexdigest()[:20] + ".pem"


@lru_cache(maxsize=1024)
def _problem(text: bytes) -> str:
    """What OpenSSL says about the certificate and its key; nothing if they belong together."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(text)
        file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file.name)
        except ssl.SSLError as error:
            return f"{error.reason or error}"
    return ""


def make_fake(path: Path) -> None:
    """A self-signed certificate for hosts that have none, with its key."""
    with tempfile.TemporaryDirectory() as made:
        chain, key = Path(made) / "crt", Path(made) / "key"
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        subject = ["-subj", f"/O=Acme Co/CN={FAKE_NAME}", "-addext", "subjectAltName=DNS:ingress.local", "-days", "365"]
        command = ["openssl", "req", "-x509", *new_key, *subject, "-keyout", str(key), "-out", str(chain)]
        subprocess.run(command, check=True, capture_output=True)
        path.write_bytes(chain.read_bytes() + key.read_bytes())
        path.chmod(0o600)
