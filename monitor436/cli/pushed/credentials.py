"""How a host shows a receiver that it may post: a token out of a file, or one that its certificate is given."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from msgspec import MsgspecError, Struct, json

from monitor436.cli.pushed.posting import Post, Unreached

MOST = 4096  # bytes of a file with a token


class Credentials(Protocol):
    """The header fields that go with a post."""

    async def fields(self) -> Mapping[str, str]:
        """Those to use now. Raises Unreached if there are none."""

    def refused(self) -> bool:
        """The receiver did not take them; whether the next ones may be others."""


class Nobody:
    """Nothing is shown."""

    async def fields(self) -> Mapping[str, str]:
        """None."""
        return {}

    def refused(self) -> bool:
        """There are no others."""
        return False


class TokenFile:
    """A token as a line of a file, which is read again when it was replaced. Raises ValueError for what is no token."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._stamp: tuple[int, int, int] | None = None
        self._token = ""
        self._read()

    async def fields(self) -> Mapping[str, str]:
        """The token that the file holds now. Raises Unreached if it holds none."""
        try:
            self._read()
        except (OSError, ValueError) as problem:
            raise Unreached(getattr(problem, "strerror", None) or str(problem)) from None
        return _bearer(self._token)

    def refused(self) -> bool:
        """The file is looked at before each post in any case."""
        return False

    def _read(self) -> None:
        found = os.stat(self._path)
        stamp = found.st_mtime_ns, found.st_size, found.st_ino
        if stamp == self._stamp:
            return
        with open(self._path, "rb") as file:
            self._token = _good(file.read(MOST).decode("ascii", "replace").strip(), f"{self._path} holds no token")
        self._stamp = stamp


class Given(Struct):
    """What a receiver gives to whoever shows a certificate that it trusts."""

    token: str


class Certificate:
    """A token that the receiver at `root` gives to the certificate that `post` shows; asked for again when refused."""

    def __init__(self, root: str, post: Post) -> None:
        self._url = f"{root}/api/token"
        self._post = post
        self._token = ""

    async def fields(self) -> Mapping[str, str]:
        """The token it was given, or is given now. Raises Unreached if it gets none."""
        if not self._token:
            reply = await self._post(self._url, {}, b"{}")
            if not reply.well:
                raise Unreached(f"no token from {self._url}: {reply.reason}")
            try:
                given = json.decode(reply.body, type=Given).token
                self._token = _good(given, f"{self._url} gave no token")
            except (MsgspecError, ValueError):
                raise Unreached(f"{self._url} gave no token") from None
        return _bearer(self._token)

    def refused(self) -> bool:
        """Another one may be had, if this one was good before."""
        had, self._token = bool(self._token), ""
        return had


def _bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _good(token: str, otherwise: str) -> str:
    """A token that can be sent. Raises ValueError with a sentence."""
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise ValueError(otherwise)
    return token
