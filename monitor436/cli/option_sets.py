"""Options that several commands share."""

from collections.abc import Callable, Sequence
from typing import Any

Options = Sequence[Callable[[Any], Any]]
Adds = Callable[[Callable[..., None]], Callable[..., None]]


def adding(options: Options) -> Adds:
    """A decorator: a command that takes all of these, told in this order by its help."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
