"""The certificates and secrets of one testbed: made once, kept in its run directory, readable by its owner only.

Like kubeadm's (k8s.io/docs/setup/best-practices/certificates): one authority signs the server's certificate and the
administrator's. Keys are ECDSA P-256, so that all of it is made in milliseconds.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.model import Cluster

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ADMIN = "mininetes-admin"
ADMIN_GROUP = "system:masters"
_LIFETIME = timedelta(days=3650)
_CLOCK_SKEW = timedelta(minutes=5)
_TOKEN_BYTES = 32
_KEY_BYTES = 32

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Pki:
    """Where everything is. `admin_token` and `service_account_key` are secrets, not certificates."""

    directory: Path

    @property
    def ca_certificate(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def server_certificate(self) -> Path:
        return self.directory / "apiserver.crt"

    @property
    def server_key(self) -> Path:
        return self.directory / "apiserver.key"

    @property
    def admin_certificate(self) -> Path:
        return self.directory / "admin.crt"

    @property
    def admin_key(self) -> Path:
        return self.directory / "admin.key"

    @property
    def admin_token(self) -> Path:
        return self.directory / "admin.token"

    @property
    def service_account_key(self) -> Path:
        return self.directory / "sa.key"


def server_names(cluster: Cluster, host: str) -> Sequence[str | Address]:
    """What the server may be called: on the host, as a Service (first address of each range), as the nodes it is on."""
    service = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    control_plane = [node for node in cluster.nodes if node.role == "control-plane"]
    names: list[str | Address] = ["localhost", *service, *(node.name for node in control_plane)]
    names += [ip_address("127.0.0.1"), ip_address("::1"), ip_address(host)]
    names += [subnet.network_address + 1 for subnet in cluster.service_subnets]
    names += [address for node in control_plane for address in node.addresses]
    return list(dict.fromkeys(names))


def ensure(directory: Path, names: Iterable[str | Address]) -> Pki:
    """What is in `directory`, made first if it is not there: all of it or nothing, whoever dies meanwhile."""
    if not directory.exists():
        with open(directory.with_name(f"{directory.name}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not directory.exists():
                _make_at_once(directory, names)
    return Pki(directory)


def _make_at_once(directory: Path, names: Iterable[str | Address]) -> None:
    fresh = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)  # a process that was killed here left it
    fresh.mkdir(mode=0o700)
    _make(Pki(fresh), names)
    fresh.rename(directory)


def write_private(path: Path, content: bytes) -> None:
    """A file that only its owner can read, complete from the first moment on."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    fresh.rename(path)


def _make(pki: Pki, names: Iterable[str | Address]) -> None:
    # Imported here: a restarted server does not need it, and it takes longer to load than all of this to run.
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    ca_key, server_key, admin_key = _key(), _key(), _key()
    ca_name = _name("kubernetes")
    ca = _builder(ca_name, ca_name, ca_key, ca_key).add_extension(x509.BasicConstraints(True, None), True)
    alternatives = [x509.DNSName(name) if isinstance(name, str) else x509.IPAddress(name) for name in names]
    server = (
        _builder(_name("kube-apiserver"), ca_name, server_key, ca_key)
        .add_extension(x509.SubjectAlternativeName(alternatives), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    )
    admin = _builder(_name(ADMIN, ADMIN_GROUP), ca_name, admin_key, ca_key).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False
    )
    write_private(pki.ca_certificate, _signed(ca, ca_key))
    write_private(pki.server_certificate, _signed(server, ca_key))
    write_private(pki.server_key, _pem(server_key))
    write_private(pki.admin_certificate, _signed(admin, ca_key))
    write_private(pki.admin_key, _pem(admin_key))
    write_private(pki.admin_token, secrets.token_urlsafe(_TOKEN_BYTES).encode())
    write_private(pki.service_account_key, secrets.token_bytes(_KEY_BYTES))


def _key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str, organization: str | None = None) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, ca_key: EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    """With the extensions that strict verifiers want (RFC 5280, 4.2.1.1 to 4.2.1.3)."""
    from cryptography import x509

    now = datetime.now(timezone.utc)
    is_ca = subject == issuer
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=is_ca, crl_sign=is_ca, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = x509.CertificateBuilder(
        issuer_name=issuer, subject_name=subject, public_key=key.public_key(),
        serial_number=x509.random_serial_number(), not_valid_before=now - _CLOCK_SKEW, not_valid_after=now + _LIFETIME,
    )  # fmt: skip
    return (
        builder.add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False)
    )


def _signed(builder: x509.CertificateBuilder, ca_key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import hashes, serialization

    return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
