"""Doubts after a start: what was told before and is not told anew in time is over. Pure: told the time."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from monitor436.model.event import SERVER_STARTED, Event
from monitor436.model.status.change import Subject
from monitor436.model.status.standing import HostNow, Standings

HOST_WITHIN = 30.0  # seconds: an agent looks at its logs in its first turn, unless those are very many
SERVER_WITHIN = 180.0  # its troubles, its store of metrics, its notifiers and its neighbours each take their time
NOT_AGAIN = Event(kind=SERVER_STARTED, text="nothing was said of it since the last start")


class Doubt(NamedTuple):
    """What the ids of events begin with since a start, and until when (epoch seconds) all is told anew."""

    run: str
    until: float


class Doubts:
    """Hosts that were started and may not have told everything anew yet; "" is the server itself.

    What is bad stays so meanwhile: an agent that is started again makes nobody think that all is well. A start costs
    the same however much is bad: it may be told again and again.
    """

    def __init__(self, known: Mapping[str, Doubt] | None = None) -> None:
        self.known = dict(known or {})
        self._next = self._first()

    def started(self, host: HostNow | None, event: str, now: float) -> None:
        """It was, now, and `event` is the id of the event that tells it."""
        if host is not None and host.anew:
            self.known[host.name] = Doubt(_run(event), now + (HOST_WITHIN if host.name else SERVER_WITHIN))
            self._next = min(self._next, self.known[host.name].until)

    def over(self, standings: Standings, now: float) -> list[Subject]:
        """What was not told anew, of those whose time is over."""
        if now < self._next:
            return []
        ended = {name: doubt for name, doubt in self.known.items() if doubt.until <= now}
        for name in ended:
            del self.known[name]
        self._next = self._first()
        hosts = [(host, doubt.run) for name, doubt in ended.items() if (host := standings.hosts.get(name))]
        return [subject for host, run in hosts for subject in _not_of(run, host)]

    def _first(self) -> float:
        return min((doubt.until for doubt in self.known.values()), default=inf)


def _run(event: str) -> str:
    """Every start draws a new spool, and ids begin with it."""
    return event.rpartition("/")[0]


def _not_of(run: str, host: HostNow) -> list[Subject]:
    parts = ((check, of, (host.checks.get(check) or {}).get(of)) for check, of in host.anew or ())
    return [Subject(host.name, check, of) for check, of, part in parts if part and _run(part.event) != run]
