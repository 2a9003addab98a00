"""What is told, to whom: a notification and its items."""

from typing import Literal

from msgspec import Struct

from monitor436.model.event import Severity
from monitor436.model.status.change import Subject

What = Literal["alarm", "recovery", "reminder", "flapping", "happened", "test"]


class Item(Struct, frozen=True, omit_defaults=True):
    """One thing that is told. `since` and `at`: epoch seconds; `was`: what was told of it last; `times`: how often it
    happened; `behind`: hosts that nothing else is told of, because they stand behind it.
    """

    what: What
    severity: Severity
    text: str
    at: float
    host: str = ""
    check: str = ""
    of: str = ""
    since: float = 0.0
    was: str = ""
    times: int = 1
    behind: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    event: str = ""

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return Subject(self.host, self.check, self.of)


class Notice(Struct, frozen=True, omit_defaults=True):
    """A notification for the notifier `to`. `key` is the same however often it is sent, and no other's."""

    key: str
    to: str
    at: float
    server: str
    items: tuple[Item, ...]
