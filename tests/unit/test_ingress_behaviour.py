"""What the ingress controller does besides choosing a backend, asked of a running nginx."""

from __future__ import annotations

import base64
import datetime
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from ingress_site import Object, Site, backends, endpoint_slice, ingress, running, service

from topo.ingress.nginx import NginxError

H = "shop.example"
NGINX = "nginx.ingress.kubernetes.io"
A, B = "127.0.1.1", "127.0.1.2"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with backends() as found:
        yield found


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(Path(tmp_path_factory.mktemp("nginx"))) as site:
        yield site


def web(port: int, *addresses: str) -> list[Object]:
    return [service("web"), endpoint_slice("web", port, *(addresses or (A,)), ready=True)]


def on_web(**annotations: str) -> Object:
    given = {f"{NGINX}/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return ingress("i", (H, "Prefix", "/", "web"), annotations=given)


def secret(name: str, host: str) -> Object:
    """A certificate for this host, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    begin = datetime.datetime(2020, 1, 1)
    certificate = (
        x509.CertificateBuilder().subject_name(named).issuer_name(named).public_key(key.public_key())
        .serial_number(1).not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=20000))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM)
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(private).decode()}
    return {"kind": "Secret", "metadata": {"namespace": "default", "name": name}, "data": data}


def common_name(der: bytes) -> str:
    certificate = x509.load_pem_x509_certificate(ssl.DER_cert_to_PEM_cert(der).encode())
    return str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


def test_the_backend_hears_of_the_client(nginx: Site, port: int) -> None:
    nginx.serve(*web(port), on_web())
    headers = nginx.ask(H, "/x", **{"X-Forwarded-For": "6.6.6.6"}).seen["headers"]
    assert headers["X-Forwarded-For"] == headers["X-Real-IP"] == "127.0.0.1"
    assert headers["X-Original-Forwarded-For"] == "6.6.6.6"
    assert (headers["Host"], headers["X-Forwarded-Host"], headers["X-Forwarded-Proto"]) == (H, H, "http")


def test_paths_arrive_as_they_were_asked_for(nginx: Site, port: int) -> None:
    nginx.serve(*web(port), on_web())
    assert nginx.ask(H, "/a%2Fb/../c%20d?x=%26").seen["path"] == "/a%2Fb/../c%20d?x=%26"


def test_rewrite_target(nginx: Site, port: int) -> None:
    rewriting = {f"{NGINX}/rewrite-target": "/$2"}
    nginx.serve(*web(port), ingress("i", (H, "Prefix", "/api(/|$)(.*)", "web"), annotations=rewriting))
    asked = {path: nginx.ask(H, path).seen["path"] for path in ("/api", "/api/", "/api/items/1?q=2")}
    assert asked == {"/api": "/", "/api/": "/", "/api/items/1?q=2": "/items/1?q=2"}
    plain = ingress("i", (H, "Prefix", "/api", "web"), annotations={f"{NGINX}/rewrite-target": "/v2"})
    nginx.serve(*web(port), plain)
    assert nginx.ask(H, "/api/items").seen["path"] == "/v2"


def test_hosts_have_their_own_certificates(nginx: Site, port: int) -> None:
    hosts = [("one.example", "one"), ("x.two.example", "two")]
    tls = [{"hosts": ["one.example"], "secretName": "one"}, {"hosts": ["*.two.example"], "secretName": "two"}]
    made = ingress(
        "i", *((host, "Prefix", "/", "web") for host, _ in hosts), ("*.two.example", "Prefix", "/", "web"),
        ("plain.example", "Prefix", "/", "web"), tls=tls,
    )  # fmt: skip
    nginx.serve(*web(port), secret("one", "one"), secret("two", "two"), made)
    assert [common_name(nginx.certificate(host)) for host, _ in hosts] == ["one", "two"]
    assert common_name(nginx.certificate("other.two.example")) == "two"
    assert common_name(nginx.certificate("plain.example")) == "Kubernetes Ingress Controller Fake Certificate"
    answer = nginx.ask("one.example", "/x", tls=True)
    assert answer.seen["headers"]["X-Forwarded-Proto"] == "https"
    assert nginx.ask("plain.example", "/", tls=True).backend == A


def test_a_new_certificate_is_shown_at_once(nginx: Site, port: int) -> None:
    made = ingress("i", (H, "Prefix", "/", "web"), tls=[{"hosts": [H], "secretName": "s"}])
    nginx.serve(*web(port), secret("s", "before"), made)
    assert common_name(nginx.certificate(H)) == "before"
    nginx.serve(*web(port), secret("s", "after"), made)
    assert common_name(nginx.certificate(H)) == "after"


@pytest.mark.parametrize("wrong", ["missing", "broken", "of another key"])
def test_a_wrong_certificate_harms_nobody_else(nginx: Site, port: int, wrong: str) -> None:
    broken = secret("s", "s")
    other = secret("o", "o")["data"]["tls.key"]
    broken["data"] |= {"broken": {"tls.crt": "AAAA"}, "of another key": {"tls.key": other}}.get(wrong, {})
    made = ingress("i", (H, "Prefix", "/", "web"), tls=[{"hosts": [H], "secretName": "s"}])
    nginx.serve(*web(port), *([] if wrong == "missing" else [broken]), made)
    assert common_name(nginx.certificate(H)) == "Kubernetes Ingress Controller Fake Certificate"
    assert nginx.ask(H).backend == A
    assert len(nginx.warnings) == 1
    assert "Secret default/s" in nginx.warnings[0]


def test_plain_http_is_sent_to_https_where_there_is_a_certificate(nginx: Site, port: int) -> None:
    tls = [{"hosts": [H], "secretName": "s"}]
    objects = [*web(port), secret("s", H)]
    nginx.serve(*objects, {**on_web(), "spec": {**on_web()["spec"], "tls": tls}})
    answer = nginx.ask(H, "/a?b=c")
    assert (answer.status, answer.headers["Location"]) == (308, f"https://{H}/a?b=c")
    assert nginx.ask(H, "/a", tls=True).status == 200
    never = on_web(ssl_redirect="false")
    nginx.serve(*objects, {**never, "spec": {**never["spec"], "tls": tls}})
    assert nginx.ask(H, "/a").status == 200


def test_force_ssl_redirect_needs_no_certificate(nginx: Site, port: int) -> None:
    nginx.serve(*web(port), on_web(ssl_redirect="true"))
    assert nginx.ask(H).status == 200
    nginx.serve(*web(port), on_web(force_ssl_redirect="true"))
    assert nginx.ask(H).status == 308


def test_a_cookie_brings_clients_back(nginx: Site, port: int) -> None:
    addresses = [f"127.0.1.{number}" for number in range(1, 9)]
    kept = on_web(affinity="cookie", session_cookie_name="my-route", session_cookie_max_age="60")
    nginx.serve(*web(port, *addresses), kept)
    homes = {}
    for _ in range(40):
        answer = nginx.ask(H)
        cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
        assert cookie.startswith("my-route=")
        assert attributes == ["Path=/", "Max-Age=60", "HttpOnly"]
        homes[cookie] = answer.backend
    assert len(set(homes.values())) >= 4, homes
    for cookie, home in homes.items():
        again = nginx.ask(H, Cookie=f"a=b; {cookie}; c=d")
        assert (again.backend, again.headers.get("Set-Cookie")) == (home, None)
    gone = homes[next(iter(homes))]
    nginx.serve(*web(port, *(address for address in addresses if address != gone)), kept)
    moved = [cookie for cookie, home in homes.items() if nginx.ask(H, Cookie=cookie).backend != home]
    assert sorted(moved) == sorted(cookie for cookie, home in homes.items() if home == gone)


def test_requests_take_turns(nginx: Site, port: int) -> None:
    nginx.serve(*web(port, A, B), on_web())
    assert Counter(nginx.ask(H).backend for _ in range(20)) == {A: 10, B: 10}


def test_a_dead_endpoint_is_passed_over(nginx: Site, port: int) -> None:
    dead = endpoint_slice("web", 9, A, ready=True)
    nginx.serve(service("web"), dead, endpoint_slice("web", port, B, ready=True), on_web())
    assert {nginx.ask(H).backend for _ in range(10)} == {B}


def test_endpoints_that_are_leaving_serve_when_there_are_no_others(nginx: Site, port: int) -> None:
    leaving = endpoint_slice("web", port, A, ready=False, serving=True, terminating=True)
    nginx.serve(service("web"), leaving, endpoint_slice("web", port, B, ready=True), on_web())
    assert {nginx.ask(H).backend for _ in range(4)} == {B}
    nginx.serve(service("web"), leaving, endpoint_slice("web", port, B, ready=False, serving=False), on_web())
    assert {nginx.ask(H).backend for _ in range(4)} == {A}


def test_what_cannot_be_is_told_and_left_out(nginx: Site, port: int) -> None:
    wrong = ingress(
        "wrong", (H, "ImplementationSpecific", "/a(", "web"), (H, "Exact", "/b", "nobody"),
        annotations={
            f"{NGINX}/use-regex": "true", f"{NGINX}/ssl-redirect": "maybe", f"{NGINX}/affinity": "client",
            f"{NGINX}/rewrite-target": '/"; return 200', f"{NGINX}/canary": "true",
        },
    )  # fmt: skip
    resource = {"resource": {"kind": "Bucket", "name": "x"}}
    wrong["spec"]["rules"].append({"http": {"paths": [{"path": "/c", "pathType": "Exact", "backend": resource}]}})
    nginx.serve(*web(port), ingress("i", (H, "Prefix", "/", "web")), wrong)
    assert (nginx.ask(H, "/x").backend, nginx.ask(H, "/b").backend, nginx.ask("z.example", "/c").backend) == (
        A, "503", "404"
    )  # fmt: skip
    told = "\n".join(nginx.warnings)
    words = ("ssl-redirect: found 'maybe'", "affinity: found 'client'", "rewrite-target: found", "canary has no effect",
             "path '/a(' is left out", "Service default/nobody does not exist", "path /c is left out")  # fmt: skip
    assert [word for word in words if word not in told] == [], told


def test_a_configuration_that_nginx_refuses_changes_nothing(nginx: Site, port: int) -> None:
    before = nginx.serve(*web(port), on_web())
    # Python takes this expression, PCRE does not.
    odd = ingress("odd", (H, "ImplementationSpecific", "/a(?P<x>.)(?P=y)?", "web"), annotations={f"{NGINX}/use-regex": "true"})
    with pytest.raises(NginxError, match="refuses"):
        nginx.serve(*web(port), {**odd, "spec": {**odd["spec"], "rules": [{"host": 'a"b', "http": {"paths": []}}]}}, bad_host())
    assert nginx.nginx.generation() == before
    assert nginx.ask(H).backend == A


def bad_host() -> Object:
    """The API refuses such a host, so the controller has no rule for it."""
    return ingress("bad", ("a {", "Prefix", "/", "web"))


def test_no_request_is_lost_while_the_configuration_changes(nginx: Site, port: int) -> None:
    nginx.serve(*web(port, A, B), on_web())
    answers: Counter[str] = Counter()
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            try:
                answers[nginx.ask(H).backend] += 1
            except OSError as error:
                answers[repr(error)] += 1

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(8):
        nginx.serve(*web(port, *((A, B), (A,), (B,))[number % 3]), on_web(), ingress(f"more-{number}", default="web"))
    over.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {A, B}, answers
    assert answers.total() > 100
