"""Silences: what an operator does not want to be told of, until when. Pure: told the time of day."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec import MsgspecError, Struct, convert

from monitor436.model.event import Event
from monitor436.model.status.change import RANKS, Subject

MOST = 1000  # silences in force at once


class Silence(Struct, frozen=True):
    """Patterns of what is silenced, empty for any; `severity`: this one and what is less; `until`: epoch seconds."""

    id: str
    until: float
    host: str = ""
    check: str = ""
    tag: str = ""
    severity: str = ""
    by: str = ""
    why: str = ""

    def holds(self, subject: Subject, severity: str, tags: Iterable[str]) -> bool:
        """Whether it is about this."""
        return (
            (not self.host or fnmatchcase(subject.host, self.host))
            and (not self.check or fnmatchcase(subject.check, self.check))
            and (not self.tag or any(fnmatchcase(tag, self.tag) for tag in tags))
            and (not self.severity or RANKS[severity] <= RANKS.get(self.severity, 2))
        )


class Silences:
    """Those in force, by id. They stop alarms, and never checks or recoveries."""

    def __init__(self) -> None:
        self.known: dict[str, Silence] = {}

    def added(self, event: Event) -> None:
        """An event says so; one that makes no sense, or one too many, is passed over."""
        try:
            silence = convert({**event.fields, "id": event.fields.get("silence"), "why": event.text}, Silence)
        except MsgspecError:
            return
        if len(self.known) < MOST or silence.id in self.known:
            self.known[silence.id] = silence

    def removed(self, event: Event) -> None:
        """An event says so."""
        self.known.pop(str(event.fields.get("silence", "")), None)

    def expire(self, wall: float) -> None:
        """Forget those whose time is over."""
        for silence in [each for each in self.known.values() if each.until <= wall]:
            del self.known[silence.id]

    def holding(self, subject: Subject, severity: str, tags: Iterable[str], wall: float) -> str:
        """The id of a silence that is about this and in force; "" if none is."""
        for silence in self.known.values():
            if silence.until > wall and silence.holds(subject, severity, tags):
                return silence.id
        return ""
