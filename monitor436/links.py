"""The file of sign-in links that are good once: a JSON line for each that was made or used, 0600; hashes alone.

Commands make links, the server uses them up; a lock keeps the two apart.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from msgspec import MsgspecError, Struct, json

from monitor436 import json_lines

LIFE = 600.0  # seconds for which a link is good
MOST_BYTES = 1 << 20  # of the file: some thousand links in ten minutes, which nobody makes by hand


class LinkError(Exception):
    """A link that is not good, or none that could be made; in a sentence."""


class Link(Struct, frozen=True, omit_defaults=True):
    """A link by its hash: what it gives, until when (epoch seconds), or that it was `used`."""

    hash: str
    scopes: tuple[str, ...] = ()
    name: str = ""
    expires: float = 0.0
    used: bool = False


class Links:
    """`links.jsonl` in the state folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self, secret: str, name: str, scopes: tuple[str, ...], now: float) -> None:
        """Let `secret` sign in once as `name`. Raises LinkError, OSError."""
        with self._held(create=True) as file:
            lines = [link for link in _read(file) if link.used or link.expires > now]
            if all(link.used for link in lines):
                os.ftruncate(file, 0)  # whatever was used up has expired, or will by its own clock
            if os.fstat(file).st_size > MOST_BYTES:
                raise LinkError(f"{self._path} holds too many links: remove it")
            json_lines.add(file, json.encode(Link(_hash(secret), scopes, name, now + LIFE)))

    def use(self, secret: str, now: float) -> Link:
        """The link, which is good no more from now on. Raises LinkError; OSError if that cannot be made durable."""
        wanted = _hash(secret)
        with self._held(create=False) as file:
            same = [link for link in _read(file) if link.hash == wanted]
            if not same:
                raise LinkError("this link is not known here; make another: monitor436 dashboard")
            if any(link.used for link in same):
                raise LinkError("this link was used before; make another: monitor436 dashboard")
            if same[0].expires <= now or same[0].expires > now + LIFE + 60:  # a clock that was set back renews none
                raise LinkError("this link has expired; make another: monitor436 dashboard")
            json_lines.add(file, json.encode(Link(wanted, used=True)))
            return same[0]

    @contextmanager
    def _held(self, create: bool) -> Iterator[int]:
        flags = json_lines.FLAGS | (os.O_CREAT if create else 0)
        try:
            file = os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            raise LinkError("this link is not known here; make another: monitor436 dashboard") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
        except BlockingIOError:
            raise LinkError("another link is being made or used at this moment; try again") from None
        finally:
            os.close(file)


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _read(file: int) -> list[Link]:
    links = []
    for line in os.pread(file, 2 * MOST_BYTES, 0).split(b"\n"):
        try:
            links.append(json.decode(line, type=Link))
        except MsgspecError:
            continue  # half a line, left by a power cut
    return links
