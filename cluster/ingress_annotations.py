"""The annotations of Ingresses that the ingress controller follows, by ingress-nginx's names."""

from __future__ import annotations

PREFIX = "nginx.ingress.kubernetes.io/"
CLASS = "kubernetes.io/ingress.class"
"""What came before spec.ingressClassName."""
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
"""On an IngressClass: new Ingresses without a class get this one."""

AFFINITY = f"{PREFIX}affinity"
COOKIE_NAME = f"{PREFIX}session-cookie-name"
COOKIE_PATH = f"{PREFIX}session-cookie-path"
COOKIE_MAX_AGE = f"{PREFIX}session-cookie-max-age"
COOKIE_SAME_SITE = f"{PREFIX}session-cookie-samesite"
COOKIE_SECURE = f"{PREFIX}session-cookie-secure"
FORCE_SSL_REDIRECT = f"{PREFIX}force-ssl-redirect"
REWRITE_TARGET = f"{PREFIX}rewrite-target"
SSL_REDIRECT = f"{PREFIX}ssl-redirect"
USE_REGEX = f"{PREFIX}use-regex"

FOLLOWED = frozenset(
    (
        *(AFFINITY, COOKIE_NAME, COOKIE_PATH, COOKIE_MAX_AGE, COOKIE_SAME_SITE, COOKIE_SECURE),
        *(FORCE_SSL_REDIRECT, REWRITE_TARGET, SSL_REDIRECT, USE_REGEX),
    )
)
"""All others with PREFIX have no effect."""
