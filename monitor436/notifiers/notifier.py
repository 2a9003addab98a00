"""What a notifier is: something that hands one notification over, or raises `NotSent`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from monitor436.model.notify.notice import Item, Notice

MOST_SECRET = 4096  # bytes of a file with a secret


class NotSent(Exception):
    """Why a notification was not handed over, a sentence. `for_good`: it would not be taken another time either."""

    def __init__(self, text: str, for_good: bool = False) -> None:
        super().__init__(text)
        self.for_good = for_good

    def at(self, place: str) -> "NotSent":
        """The same, with where it was."""
        return NotSent(f"{place}: {self}", self.for_good)


class Notifier(Protocol):
    """Hands over one notification at a time. It does not retry: whoever calls does, with the same key.

    `refresh`: how often, in seconds, it wants to be given all that is bad; 0 for never.
    """

    refresh: float

    async def send(self, notice: Notice) -> None:
        """Hand it over. Raises NotSent, and nothing else; bounded in time."""

    async def restate(self, items: Sequence[Item]) -> None:
        """Everything that is bad at present. Raises NotSent."""


def secret(path: str) -> bytes:
    """The first line of a file. Raises NotSent."""
    try:
        with open(path, "rb") as file:
            line = file.read(MOST_SECRET).partition(b"\n")[0].rstrip(b"\r")
    except OSError as problem:
        raise NotSent(f"{path}: {problem.strerror}") from None
    if not line:
        raise NotSent(f"{path}: is empty")
    return line


def content(path: str, most: int) -> bytes:
    """A small file. Raises NotSent."""
    try:
        with Path(path).open("rb") as file:
            return file.read(most)
    except OSError as problem:
        raise NotSent(f"{path}: {problem.strerror}") from None


def spelt(at: float) -> str:
    """A time as people of this place read it."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(at))
