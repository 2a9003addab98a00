"""Doubts after a start: what was told before and is not told anew in time is over. Pure: told the time."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from monitor436.agent import event as agent
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.status.change import Subject
from monitor436.model.status.reading import ISOLATION
from monitor436.model.status.standing import HostNow, Standings

HOST_WITHIN = 30.0  # seconds: an agent looks at its logs in its first turn, unless those are very many
QUIET = 90.0  # seconds in which a host that is heard has nothing to send; one that is held to its pace has in 64 s
LONGEST = 3600.0  # seconds of being heard: a clock that was set back, and readings every minute, would do it for ever
SERVER_WITHIN = 180.0  # its troubles, its store of metrics, its notifiers and its neighbours each take their time
TOLD = 0.0  # that is how long a doubt lasts once everything is told
AWAY = 10.0  # seconds without a look: this server was away or stood still, and heard nobody
UNHEARD = {"late", "down", "stopped", "flapping"}  # states of hosts in which nothing follows from their silence
BACK = {kinds.HOST_FOUND, kinds.HOST_UP, kinds.HOST_STEADY}  # a host is heard, from now on
ALL_BACK = {kinds.SERVER_STARTED, kinds.ISOLATION_OVER}  # every host is
NOT_AGAIN = Event(kind=kinds.SERVER_STARTED, text="nothing was said of it since the last start")


class Doubt(NamedTuple):
    """What the ids of events begin with since a start, and until when all is told anew if nothing more comes.

    `since` is from when on it was heard, both epoch seconds; `began` is its start by its own clock.
    """

    run: str
    until: float
    since: float = 0.0
    began: float = 0.0

    @property
    def ends(self) -> float:
        """When to look at it, whatever comes."""
        return min(self.until, self.since + LONGEST)


class Doubts:
    """Hosts that were started and may not have told everything anew yet; "" is the server itself.

    What is bad stays so meanwhile: an agent that is started again makes nobody think that all is well. A start costs
    the same however much is bad: it may be told again and again.

    Events of a run come in their order, and may come late: they wait on the host while it is cut off, held to its pace
    or this server away. So all is told once something comes that happened HOST_WITHIN after the start, or after a plan
    that came into force since, or once nothing comes for QUIET from a host that is heard.
    """

    def __init__(self, known: Mapping[str, Doubt] | None = None) -> None:
        self.known = dict(known or {})
        self._looked = -inf
        self._next = self._first()

    def started(self, host: HostNow | None, event: Event, now: float) -> None:
        """It was, now, as `event` tells."""
        if host is not None and host.anew:
            self._know(host.name, Doubt(_run(event.id), now, now, _at(event)), now)

    def heard(self, event: Event, now: float) -> None:
        """An event, whatever it tells: it may show that its host has told everything, or that more is to come."""
        if event.kind in ALL_BACK:
            self._renew(now)
        doubt = self.known.get(event.host)
        if doubt is None or not event.host or doubt.until == TOLD:
            return
        if event.kind in BACK:
            self._know(event.host, doubt, now)
        elif _run(event.id) != doubt.run:
            return
        elif event.kind == agent.PLAN_IN_FORCE:
            self._know(event.host, doubt._replace(began=_at(event)), now)
        else:
            self._wait(event.host, doubt._replace(until=TOLD if _told(doubt, event, now) else now + QUIET))

    def over(self, standings: Standings, now: float) -> list[Subject]:
        """What was not told anew, of those whose time is over."""
        if abs(now - self._looked) > AWAY:
            self._renew(now)
        self._looked = now
        if now < self._next:
            return []
        isolated = _isolated(standings)
        ended = {name: doubt for name, doubt in self.known.items() if doubt.ends <= now}
        found: list[Subject] = []
        for name, doubt in ended.items():
            host = standings.hosts.get(name)
            if host is not None and name and doubt.until != TOLD and (isolated or host.state in UNHEARD):
                self._know(name, doubt, now)
                continue
            del self.known[name]
            found.extend(_not_of(doubt.run, host) if host else ())
        self._next = self._first()
        return found

    def _renew(self, now: float) -> None:
        """Nobody was heard until now."""
        for name, doubt in list(self.known.items()):
            self._know(name, doubt, now)

    def _know(self, name: str, doubt: Doubt, now: float) -> None:
        """It has the whole time, from now on."""
        self._wait(name, doubt._replace(until=now + (QUIET if name else SERVER_WITHIN), since=now))

    def _wait(self, name: str, doubt: Doubt) -> None:
        self.known[name] = doubt
        self._next = min(self._next, doubt.ends)

    def _first(self) -> float:
        return min((doubt.ends for doubt in self.known.values()), default=inf)


def _isolated(standings: Standings) -> bool:
    """Whether silence says nothing, as verdicts wait."""
    part = standings.part(Subject("", ISOLATION))
    return part is not None and not part.over


def _told(doubt: Doubt, event: Event, now: float) -> bool:
    """Whether this happened so long after the start that all was told before it. Scripts say any time they like."""
    return event.kind != agent.REPORTED and min(now - doubt.since, _at(event) - doubt.began) >= HOST_WITHIN


def _at(event: Event) -> float:
    return event.time.timestamp() if event.time else 0.0


def _run(event: str) -> str:
    """Every start draws a new spool, and ids begin with it."""
    return event.rpartition("/")[0]


def _not_of(run: str, host: HostNow) -> list[Subject]:
    parts = ((check, of, (host.checks.get(check) or {}).get(of)) for check, of in host.anew or ())
    return [Subject(host.name, check, of) for check, of, part in parts if part and _run(part.event) != run]
