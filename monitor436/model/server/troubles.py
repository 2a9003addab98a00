"""Troubles of the server itself: told when they begin and when they are over. Pure: told the time."""

from typing import NamedTuple

from monitor436.model import event as kinds
from monitor436.model.event import Event, Field, Severity
from monitor436.model.words import span


class Limit(NamedTuple):
    """A trouble begins when a value has been over `begins` for `lasting` seconds, and ends when it has been at or
    under `ends` for `calm` seconds.
    """

    what: str  # as it is told, with the value in it
    begins: float
    ends: float
    lasting: float = 0.0
    calm: float = 60.0
    severity: Severity = "warning"


LIMITS = {
    "kernel_drops": Limit("the kernel dropped {value:g} datagrams that were not read in time", 0, 0),
    "refused": Limit("{value:g} datagrams a second are refused, more than are taken", 50, 10, 30.0),
    "pace": Limit("{value:g} of the hosts send more events than are taken of one (agents.events_each)", 0, 0),
    "lag": Limit("this server is {value:.1f} s late with one thing in a hundred", 1.0, 0.5),
    "disk": Limit("events cannot be made durable, hosts keep theirs", 0, 0, severity="critical"),
    "sync": Limit("the disk takes {value:.1f} s to make events durable", 1.0, 0.5),
    "spools": Limit("a host's spool is {value:.0%} full", 0.75, 0.5),
}


class Trouble:
    """One trouble: whether it is there, in which words that was told, and since when it looks otherwise."""

    __slots__ = ("began", "text", "turning")

    def __init__(self) -> None:
        self.began: float | None = None
        self.text = ""
        self.turning: float | None = None


class Troubles:
    """The troubles that this server has."""

    def __init__(self, limits: dict[str, Limit] = LIMITS) -> None:
        self._limits = limits
        self._troubles = {name: Trouble() for name in limits}

    def present(self) -> dict[str, str]:
        """Those that are there, each with the text that was told."""
        return {name: trouble.text for name, trouble in self._troubles.items() if trouble.began is not None}

    def measured(self, name: str, value: float, now: float, more: str = "") -> list[Event]:
        """What follows from a value; `more` is told with it."""
        limit, trouble = self._limits[name], self._troubles[name]
        turns = value > limit.begins if trouble.began is None else value <= limit.ends
        if not turns:
            trouble.turning = None
            return []
        if trouble.turning is None:
            trouble.turning = now
        if now - trouble.turning < (limit.lasting if trouble.began is None else limit.calm):
            return []
        trouble.turning = None
        if trouble.began is None:
            trouble.began = now
            trouble.text = limit.what.format(value=value) + (f" ({more})" if more else "")
            return [_event(name, "begun", value, limit.severity, trouble.text)]
        lasted, trouble.began = now - trouble.began, None
        return [_event(name, "over", value, "info", f"{name.replace('_', ' ')}: well again after {span(lasted)}")]


def _event(name: str, state: str, value: float, severity: Severity, text: str) -> Event:
    fields: dict[str, Field] = {"trouble": name, "state": state, "value": round(value, 3)}
    return Event(kind=kinds.SERVER_TROUBLE, severity=severity, text=text, fields=fields)
