"""What the annotations of an Ingress ask for. Of a value that cannot be, the annotation is left out, with a warning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cluster import ingress_annotations as names
from topo.ingress.site import Affinity, Redirect

_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#%&'*+.^_`|~-]+")
_COOKIE_PATH = re.compile(r"/[^\s;\"\\$]*")
_TARGET = re.compile(r"[^\s\"\\$]*(\$[1-9][^\s\"\\$]*)*")
_SAME_SITE = ("None", "Lax", "Strict")
_DEFAULT_COOKIE = "INGRESSCOOKIE"


@dataclass(frozen=True, slots=True)
class Wishes:
    """`rewrite` may hold $1 … of the path's groups. With `use_regex` paths are regular expressions."""

    rewrite: str | None = None
    use_regex: bool = False
    redirect: Redirect = "with-certificate"
    affinity: Affinity | None = None
    warnings: tuple[str, ...] = ()


def of(annotations: Mapping[str, str]) -> Wishes:
    reader = _Reader(annotations)
    rewrite = reader.text(names.REWRITE_TARGET, _TARGET, "must be a path, perhaps with $1 … $9") or None
    redirect: Redirect = "with-certificate" if reader.flag(names.SSL_REDIRECT, True) else "never"
    if reader.flag(names.FORCE_SSL_REDIRECT, False):
        redirect = "always"
    use_regex = reader.flag(names.USE_REGEX, False)
    affinity = _affinity(reader, rewrite is not None or use_regex)
    for name in sorted(annotations):
        if name.startswith(names.PREFIX) and name not in names.FOLLOWED:
            reader.warnings.append(f"annotation {name} has no effect")
    return Wishes(rewrite, use_regex, redirect, affinity, tuple(reader.warnings))


def _affinity(reader: _Reader, has_regex: bool) -> Affinity | None:
    kind = reader.given.get(names.AFFINITY)
    if kind is None:
        return None
    if kind != "cookie":
        reader.refuse(names.AFFINITY, "must be 'cookie'")
        return None
    cookie = reader.text(names.COOKIE_NAME, _COOKIE_NAME, "must be a cookie's name") or _DEFAULT_COOKIE
    path = reader.text(names.COOKIE_PATH, _COOKIE_PATH, "must be an absolute path")
    if path is None and has_regex and names.COOKIE_PATH not in reader.given:
        reader.warnings.append(f"paths are regular expressions and {names.COOKIE_PATH} is not set; the cookie is for /")
    attributes = [f"Path={path or '/'}"]
    age_s = reader.text(names.COOKIE_MAX_AGE, re.compile(r"\d{1,9}"), "must be a number of seconds")
    attributes += [f"Max-Age={age_s}"] if age_s else []
    attributes += ["Secure"] if reader.flag(names.COOKIE_SECURE, False) else []
    attributes.append("HttpOnly")
    same_site = reader.text(names.COOKIE_SAME_SITE, re.compile("|".join(_SAME_SITE)), "must be None, Lax or Strict")
    attributes += [f"SameSite={same_site}"] if same_site else []
    return Affinity(cookie, "; ".join(attributes))


class _Reader:
    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = given
        self.warnings: list[str] = []

    def refuse(self, name: str, rule: str) -> None:
        self.warnings.append(f"annotation {name}: found {self.given[name]!r}; {rule}")

    def text(self, name: str, form: re.Pattern[str], rule: str) -> str | None:
        value = self.given.get(name)
        if value is None or form.fullmatch(value):
            return value
        self.refuse(name, rule)
        return None

    def flag(self, name: str, default: bool) -> bool:
        """As Go's strconv.ParseBool."""
        value = self.given.get(name)
        if value is None:
            return default
        if value in ("1", "t", "T", "TRUE", "true", "True"):
            return True
        if value not in ("0", "f", "F", "FALSE", "false", "False"):
            self.refuse(name, "must be 'true' or 'false'")
            return default
        return False
