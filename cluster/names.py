"""Names that Kubernetes makes up at random, made from the spec instead: the same spec gives the same names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from typing import Any

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes, so that no name reads as a word (k8s.io/apimachinery/pkg/util/rand)."""

SUFFIX_LENGTH = 5
MAX_PREFIX_LENGTH = 63 - SUFFIX_LENGTH
"""A generated name is a DNS label, as `generateName` cuts its prefix (k8s.io/apiserver/pkg/storage/names)."""


def suffix(*parts: object) -> str:
    """Five letters of the alphabet that depend on `parts` only."""
    number = _digest(*parts)
    letters = []
    for _ in range(SUFFIX_LENGTH):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)


def generated(prefix: str, seed: object, taken: Container[str]) -> str:
    """`prefix` and a suffix, such that the name is not `taken`."""
    prefix, attempt = prefix[:MAX_PREFIX_LENGTH], 0
    while (name := prefix + suffix(prefix, seed, attempt)) in taken:
        attempt += 1
    return name


def template_hash(template: Any) -> str:
    """The `pod-template-hash` of a pod template: 32 bits in decimal, its digits mapped to the alphabet.

    As `ComputeHash` and `SafeEncodeString` write it, up to the hash function.
    """
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(_digest(text) % 2**32))


def _digest(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:8], "big")
