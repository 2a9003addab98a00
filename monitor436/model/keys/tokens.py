"""Tokens for the HTTP door: what one may, until when, and how it is known by its hash alone. Pure: no clock, no dice.

A token is "m436_" and 256 random bits in base64url. At rest is only its SHA-256: whoever reads the file cannot use it.
"""

import base64
import re
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from typing import Literal

from msgspec import Struct

from monitor436.agent.wire import HOST_NAME

PREFIX = "m436_"
BITS = 256
TOKEN = re.compile(r"m436_[A-Za-z0-9_-]{43}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
MOST = 10_000  # names in a file

Grant = Literal["read", "metrics", "admin"]


class Token(Struct, frozen=True, omit_defaults=True):
    """What is kept of a token: never the token.

    `expires` and `made` are seconds since the epoch; expires 0: never. With a `host` it speaks for that host only.
    `revoked` ends every token of that name that stands before it.
    """

    name: str
    hash: str = ""
    scopes: tuple[Grant, ...] = ()
    made: float = 0.0
    expires: float = 0.0
    host: str = ""
    revoked: bool = False

    def good(self, now: float) -> bool:
        """Whether it has not expired at `now` (wall clock)."""
        return not self.expires or now < self.expires


def spelt_token(random: bytes) -> str:
    """The token that stands for so many random bytes. Raises ValueError unless they are 256 bits."""
    if len(random) * 8 != BITS:
        raise ValueError(f"a token takes {BITS} bits")
    return PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def hashed(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Tokens:
    """The tokens of a site as this server knows them.

    A token is looked up by its hash, so how long that takes tells nothing about the token.
    """

    def __init__(self, kept: Iterable[Token] = ()) -> None:
        self._by_name: dict[str, Token] = {}
        self._by_hash: dict[str, Token] = {}
        for token in kept:
            self.take(token)

    def __len__(self) -> int:
        return len(self._by_name)

    def take(self, token: Token) -> None:
        """What was kept: a new token, which replaces one of its name, or that a name is revoked."""
        before = self._by_name.pop(token.name, None)
        if before is not None:
            self._by_hash.pop(before.hash, None)
        if not token.revoked and len(self._by_name) < MOST:
            self._by_name[token.name] = token
            self._by_hash[token.hash] = token

    def named(self, name: str) -> Token | None:
        """The token of a name, also one that has expired."""
        return self._by_name.get(name)

    def all(self) -> list[Token]:
        """Every token that is not revoked, by name."""
        return sorted(self._by_name.values(), key=lambda token: token.name)

    def find(self, shown: str) -> Token | None:
        """The token that somebody shows, also one that has expired; None for what is none."""
        if not TOKEN.fullmatch(shown):
            return None
        key = hashed(shown)
        found = self._by_hash.get(key)
        return found if found is not None and compare_digest(found.hash, key) else None


def name_problem(name: str) -> str:
    """Why this cannot be a token's name; empty if it can."""
    return "" if NAME.fullmatch(name) else "a token's name has letters, digits, . _ - and @ only, at most 64"


def host_problem(host: str) -> str:
    """Why this cannot be the host of a token; empty if it can."""
    return "" if not host or HOST_NAME.match(host) else f"not a host's name: {host!r}"
