"""Who asks: by client certificate, by bearer token, or nobody.

Everybody who is somebody may do everything: there is no authorisation here (docs/architecture.md).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.apiserver import tokens
from cluster.apiserver.pki import ADMIN, ADMIN_GROUP

AUTHENTICATED = "system:authenticated"

PeerCertificate = Mapping[str, Any]
"""As ssl.SSLObject.getpeercert() tells it: {"subject": ((("commonName", "x"),), …)}."""


@dataclass(frozen=True, slots=True)
class User:
    """authentication.k8s.io/v1 UserInfo."""

    name: str
    uid: str = ""
    groups: Sequence[str] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        uid = {"uid": self.uid} if self.uid else {}
        extra = {"extra": {key: list(values) for key, values in self.extra.items()}} if self.extra else {}
        return {"username": self.name, **uid, "groups": list(self.groups), **extra}


ADMINISTRATOR = User(ADMIN, groups=(ADMIN_GROUP, AUTHENTICATED))

AccountUid = Callable[[str, str], "str | None"]
"""(namespace, name) -> uid of the ServiceAccount, None when there is none."""


@dataclass(frozen=True, slots=True)
class Authenticator:
    """`account_uid` and `now_s` are asked at every request: an account that is deleted takes its tokens along."""

    admin_token: str
    service_account_key: bytes
    account_uid: AccountUid
    now_s: Callable[[], float]

    def user(self, certificate: PeerCertificate | None, authorization: str | None) -> User | None:
        """Who sent a request with this certificate and this header; None: nobody that is known here."""
        if certificate:
            return by_certificate(certificate)
        scheme, _, token = (authorization or "").partition(" ")
        return self.by_token(token.strip()) if scheme.lower() == "bearer" else None

    def by_token(self, token: str) -> User | None:
        if hmac.compare_digest(token.encode(), self.admin_token.encode()):
            return ADMINISTRATOR
        try:
            account = tokens.verify(token, self.service_account_key, self.now_s())
        except tokens.TokenError:
            return None
        if self.account_uid(account.namespace, account.name) != account.uid:
            return None
        pod = account.bound.get("pod", {})
        extra = {f"authentication.kubernetes.io/pod-{key}": [value] for key, value in sorted(pod.items())}
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{account.namespace}", AUTHENTICATED)
        return User(f"system:serviceaccount:{account.namespace}:{account.name}", account.uid, groups, extra)


def by_certificate(certificate: PeerCertificate) -> User:
    """The user that a certificate signed by the cluster's authority names: CN is the name, each O a group."""
    attributes = [attribute for part in certificate.get("subject", ()) for attribute in part]
    name = next(iter(_values(attributes, "commonName")), "")
    return User(name, groups=(*_values(attributes, "organizationName"), AUTHENTICATED))


def _values(attributes: Iterable[tuple[str, str]], wanted: str) -> Sequence[str]:
    return [value for key, value in attributes if key == wanted]
