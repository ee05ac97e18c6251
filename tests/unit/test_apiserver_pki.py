"""Certificates and the kubeconfig of a testbed."""

from __future__ import annotations

import base64
import ssl
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import samples
from cryptography import x509

from cluster.apiserver import kubeconfig, pki
from cluster.apiserver.serving import tls_context
from cluster.reading.config import resolve


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pki.Pki:
    directory = tmp_path_factory.mktemp("run") / "pki"
    return pki.ensure(directory, pki.server_names(resolve(samples.cluster_document()), "127.0.0.1"))


def test_everything_is_its_owners_only(made: pki.Pki) -> None:
    assert stat.S_IMODE(made.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.directory.iterdir()} == {0o600}


def test_the_server_answers_to_every_name_that_it_is_reached_by(made: pki.Pki) -> None:
    certificate = x509.load_pem_x509_certificate(made.server_certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "kubernetes", "kubernetes.default.svc.cluster.local", "control-plane"} <= set(
        names.get_values_for_type(x509.DNSName)
    )
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert {"127.0.0.1", "10.96.0.1", "172.18.0.2"} <= addresses


def test_client_and_server_trust_each_other(made: pki.Pki) -> None:
    server = tls_context(made)
    client = ssl.create_default_context(cafile=str(made.ca_certificate))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # Python 3.13's default
    client.load_cert_chain(made.admin_certificate, made.admin_key)
    peer = handshake(client, server)
    assert peer == {(("organizationName", "system:masters"),), (("commonName", "mininetes-admin"),)}


def test_the_servers_own_certificate_makes_nobody_a_client(made: pki.Pki) -> None:
    client = ssl.create_default_context(cafile=str(made.ca_certificate))
    client.load_cert_chain(made.server_certificate, made.server_key)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(client, tls_context(made))


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> set[object]:
    """The subject that the server sees."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="kubernetes.default.svc"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = list(ends)
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    return set((ends[1].getpeercert() or {})["subject"])


def test_what_is_there_is_kept(made: pki.Pki) -> None:
    before = made.ca_certificate.read_bytes()
    assert pki.ensure(made.directory, ["other"]).ca_certificate.read_bytes() == before


def test_what_a_killed_server_left_half_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "pki.new").mkdir()
    (tmp_path / "pki.new" / "ca.crt").write_text("half")
    assert b"BEGIN CERTIFICATE" in pki.ensure(tmp_path / "pki", ["localhost"]).ca_certificate.read_bytes()
    assert not (tmp_path / "pki.new").exists()


def test_two_who_make_it_at_once_make_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = pki._make

    def slowly(fresh: pki.Pki, names: Iterable[str | pki.Address]) -> None:
        made.append(fresh)
        make(fresh, names)

    monkeypatch.setattr(pki, "_make", slowly)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: pki.ensure(tmp_path / "pki", ["localhost"]), range(4)))
    assert len(made) == 1
    assert {each.directory for each in found} == {tmp_path / "pki"}


@pytest.mark.parametrize(("host", "server"), [("127.0.0.1", "https://127.0.0.1:6443"), ("::1", "https://[::1]:6443")])
def test_the_kubeconfig_names_one_context_after_the_testbed(made: pki.Pki, host: str, server: str) -> None:
    document = kubeconfig.document("lab", host, 6443, made)
    assert document["current-context"] == document["contexts"][0]["name"] == "mininetes-lab"
    cluster = document["clusters"][0]["cluster"]
    assert cluster["server"] == server
    assert base64.b64decode(cluster["certificate-authority-data"]) == made.ca_certificate.read_bytes()
    assert document["users"][0]["user"]["token"] == made.admin_token.read_text()
