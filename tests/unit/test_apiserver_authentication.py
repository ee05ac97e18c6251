"""Who asks: certificates, bearer tokens, tokens of service accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.apiserver import tokens
from cluster.apiserver.authentication import ADMINISTRATOR, Authenticator
from cluster.apiserver.tokens import ServiceAccountToken, TokenError

KEY = b"k" * 32
POD = {"pod": {"name": "web-1", "uid": "p1"}}
TOKEN = ServiceAccountToken("shop", "web", "u1", [tokens.ISSUER], 1000, 2000, POD)


def authenticator(uid: str | None = "u1", now_s: float = 1500) -> Authenticator:
    return Authenticator("secret", KEY, lambda namespace, name: uid, lambda: now_s)


def bearer(token: ServiceAccountToken, key: bytes = KEY) -> str:
    return f"Bearer {tokens.sign(token, key)}"


def test_the_administrators_token() -> None:
    assert authenticator().user(None, "Bearer secret") == ADMINISTRATOR


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Bearer a.b.c", "Bearer é", "Basic secret"])
def test_nobody(header: str | None) -> None:
    assert authenticator().user(None, header) is None


def test_a_certificate_names_user_and_groups() -> None:
    subject = ((("commonName", "ann"),), (("organizationName", "dev"),), (("organizationName", "ops"),))
    user = authenticator().user({"subject": subject}, None)
    assert user is not None
    assert user.to_json() == {"username": "ann", "groups": ["dev", "ops", "system:authenticated"]}


def test_a_service_account_is_known_by_its_token() -> None:
    user = authenticator().user(None, bearer(TOKEN))
    assert user is not None
    assert user.to_json() == {
        "username": "system:serviceaccount:shop:web",
        "uid": "u1",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
        "extra": {
            "authentication.kubernetes.io/pod-name": ["web-1"],
            "authentication.kubernetes.io/pod-uid": ["p1"],
        },
    }


@pytest.mark.parametrize("uid", [None, "u2"])
def test_a_token_ends_with_its_account(uid: str | None) -> None:
    assert authenticator(uid).user(None, bearer(TOKEN)) is None


def test_a_token_says_again_what_was_signed() -> None:
    assert tokens.verify(tokens.sign(TOKEN, KEY), KEY, 1000) == TOKEN


@pytest.mark.parametrize("now_s", [999, 2000])
def test_a_token_has_its_time(now_s: float) -> None:
    with pytest.raises(TokenError, match="expired"):
        tokens.verify(tokens.sign(TOKEN, KEY), KEY, now_s)


def test_a_token_of_another_cluster_or_one_that_was_changed_is_none_of_ours() -> None:
    with pytest.raises(TokenError, match="not signed"):
        tokens.verify(tokens.sign(TOKEN, b"x" * 32), KEY, 1500)
    head, _, signature = tokens.sign(TOKEN, KEY).split(".")
    _, claims, _ = tokens.sign(replace(TOKEN, name="root"), KEY).split(".")
    with pytest.raises(TokenError, match="not signed"):
        tokens.verify(f"{head}.{claims}.{signature}", KEY, 1500)
