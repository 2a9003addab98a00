"""What the rules of notification remember: who was told of what."""

from typing import TypeVar

from msgspec import Struct

from monitor436.model.event import Severity
from monitor436.model.notify.notice import Notice
from monitor436.model.status.change import Subject

FLAPPING, BEHIND = "flapping", "behind"

Kept = TypeVar("Kept")


class Alarm(Struct, omit_defaults=True):
    """Something that is bad, or was and not everybody knows yet that it is over (severity "info").

    `told`: by notifier, the severity that was told of last, or FLAPPING, or BEHIND where only that was told behind
    which it stands. `news`: the notifiers for which there may be something to say; `held`: those that would have been
    told but for a reason. `behind`: it stood behind something; `free`: since when that is well again, 0 until it is.
    """

    subject: Subject
    severity: Severity
    text: str
    since: float
    at: float
    flaps: bool = False
    tags: tuple[str, ...] = ()
    event: str = ""
    told: dict[str, str] = {}
    news: list[str] = []
    held: list[str] = []
    remind: float = 0.0  # when the next reminder is due; 0 for never
    reminds: list[str] = []  # who is to be reminded now
    behind: bool = False
    free: float = 0.0

    @property
    def state(self) -> str:
        """What would be told of it."""
        return FLAPPING if self.flaps else self.severity


class Happened(Struct, omit_defaults=True):
    """Something that is no state, and how often it happened since it was told last (`told`, 0: never)."""

    to: str
    subject: Subject
    severity: Severity
    text: str
    since: float
    at: float
    times: int = 0
    told: float = 0.0
    tags: tuple[str, ...] = ()
    event: str = ""


class Entry(Struct, omit_defaults=True):
    """What one step has changed, as the spool has it, a line each: alarms, what happened (None: gone), when groups are
    due; notices that are owed from now on, and the keys of those that are owed no more. `event`: the last one that was
    read by then, `seen` its time.
    """

    event: str = ""
    seen: float = 0.0
    alarms: dict[str, Alarm | None] = {}
    happened: dict[str, Happened | None] = {}
    groups: dict[str, float | None] = {}
    owed: list[Notice] = []
    done: list[str] = []


class Memory(Struct):
    """Everything that the lines of the spool come to."""

    event: str = ""
    seen: float = 0.0
    alarms: dict[str, Alarm] = {}
    happened: dict[str, Happened] = {}
    groups: dict[str, float] = {}
    owed: dict[str, Notice] = {}

    def add(self, entry: Entry) -> None:
        """The next line."""
        if entry.event:
            self.event, self.seen = entry.event, entry.seen
        _merge(self.alarms, entry.alarms)
        _merge(self.happened, entry.happened)
        _merge(self.groups, entry.groups)
        self.owed.update((notice.key, notice) for notice in entry.owed)
        for key in entry.done:
            self.owed.pop(key, None)

    def entry(self) -> Entry:
        """All of it as one line."""
        return Entry(
            self.event,
            self.seen,
            dict(self.alarms),
            dict(self.happened),
            dict(self.groups),
            list(self.owed.values()),
        )


def _merge(known: dict[str, Kept], changed: dict[str, Kept | None]) -> None:
    for key, value in changed.items():
        if value is None:
            known.pop(key, None)
        else:
            known[key] = value
