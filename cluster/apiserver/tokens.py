"""Tokens of service accounts: JSON Web Tokens (RFC 7519) with the claims of Kubernetes, signed by HMAC-SHA256.

The real server signs with RSA, so that others can verify; here only the API server does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ISSUER = "https://kubernetes.default.svc.cluster.local"
_HEADER = {"alg": "HS256", "typ": "JWT"}


class TokenError(Exception):
    """The token is not one of this cluster's, or has expired."""


@dataclass(frozen=True, slots=True)
class ServiceAccountToken:
    """Whose it is and how long. `bound` names what it ends with: {"pod": {"name", "uid"}}."""

    namespace: str
    name: str
    uid: str
    audiences: Sequence[str]
    issued_at_s: int
    expires_at_s: int
    bound: Mapping[str, Any]


def sign(token: ServiceAccountToken, key: bytes) -> str:
    account = {"name": token.name, "uid": token.uid}
    claims = {
        "aud": list(token.audiences),
        "exp": token.expires_at_s,
        "iat": token.issued_at_s,
        "nbf": token.issued_at_s,
        "iss": ISSUER,
        "sub": f"system:serviceaccount:{token.namespace}:{token.name}",
        "kubernetes.io": {"namespace": token.namespace, "serviceaccount": account, **token.bound},
    }
    signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (_HEADER, claims))
    return f"{signed}.{_encode(_signature(signed, key))}"


def verify(text: str, key: bytes, now_s: float) -> ServiceAccountToken:
    """Raises TokenError."""
    signed, _, signature = text.rpartition(".")
    try:
        genuine = hmac.compare_digest(_decode(signature), _signature(signed, key))
        # What is genuine was made by `sign`, so it has every claim.
        claims = json.loads(_decode(signed.partition(".")[2])) if genuine else None
    except ValueError as error:
        raise TokenError("the token is malformed") from error
    if claims is None:
        raise TokenError("the token was not signed by this cluster")
    if not claims["nbf"] <= now_s < claims["exp"]:
        raise TokenError("the token has expired")
    private = dict(claims["kubernetes.io"])
    account, namespace = private.pop("serviceaccount"), private.pop("namespace")
    return ServiceAccountToken(
        namespace, account["name"], account["uid"], claims["aud"], claims["iat"], claims["exp"], private
    )


def _signature(signed: str, key: bytes) -> bytes:
    return hmac.digest(key, signed.encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
