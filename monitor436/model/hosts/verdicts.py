"""What follows from silence, and from its end, if this server may trust itself. Pure: told the time."""

from typing import NamedTuple

from monitor436.model.event import Event
from monitor436.model.hosts import news
from monitor436.model.hosts.census import Census
from monitor436.model.hosts.flapping import Flapping
from monitor436.model.hosts.host import DOWN, LATE, SEGMENT_LOST, SILENT, STOPPED, UP, Host
from monitor436.model.hosts.isolation import Isolation
from monitor436.model.settings.hosts import Heartbeat

PING_EVERY = 1.0  # seconds between the questions before a verdict


class Expired(NamedTuple):
    """What follows from silence: events to state, hosts to ask whether they are there."""

    events: list[Event]
    pings: list[str]


class Verdicts:
    """Gives verdicts on hosts of a census: late, down, back. Those on hosts that flap are given and not told, those
    on many at once wait.
    """

    def __init__(self, census: Census, patience: Heartbeat) -> None:
        self._census = census
        self.flapping = Flapping(patience.flapping_changes, patience.flapping_within)
        self.isolation = Isolation(patience.every, patience.isolated_hold)
        self.follow(patience)

    def follow(self, patience: Heartbeat) -> None:
        """Other settings, from now on."""
        self._pings = patience.pings
        self.flapping.changes, self.flapping.within = patience.flapping_changes, patience.flapping_within
        self.isolation.beat, self.isolation.hold = patience.every, patience.isolated_hold

    def late(self, hosts: list[Host], expired: Expired, now: float) -> None:
        """These have become late at the same look."""
        alive = self._alive()
        for host in hosts:
            self._census.turn(host, LATE, now)
            host.asked = 0
            self.isolation.late(host.name, now)
        if self.isolation.begins(now, alive):
            expired.events.append(news.isolated(list(self.isolation.held), alive, self.isolation.hold))
        for host in hosts:
            self.flapping.stirred(host.name, now)
            if self.isolation.began is None and host.name not in self.flapping:
                expired.events.append(news.late(host, now))
            self._ask(host, expired, now)

    def decide(self, host: Host, expired: Expired, now: float) -> None:
        """A late host has not answered the last question: ask again, wait, or call it down."""
        if host.asked < self._pings:
            self._ask(host, expired, now)
        elif host.name in self.isolation.held:
            if self.isolation.until <= now:
                self.down(host, SEGMENT_LOST, expired, now)
            else:
                self._census.look(host, self.isolation.until)
        elif self._greets(host, now) or self.isolation.waits(host.name, now, self._alive()):
            expired.pings.append(host.name)
            self._census.look(host, now + PING_EVERY)
        else:
            self.down(host, SILENT, expired, now)

    def down(self, host: Host, reason: str, expired: Expired, now: float) -> None:
        """A host is down."""
        self._census.turn(host, DOWN, now)
        self.isolation.down(host.name)
        told = [news.down(host, reason, now)]
        expired.events.extend(self._turned(host, told, now) if host.heard else told)

    def back(self, host: Host, was: str, quiet: float, now: float) -> list[Event]:
        """A host is heard again after so many seconds."""
        if was == LATE and self.isolation.heard(host.name):
            return self.rejoined(now)
        told = [news.up_again(host.name, was, quiet)]
        if was != STOPPED:
            return self._turned(host, told, now)
        self.flapping.stirred(host.name, now)
        return [] if host.name in self.flapping else told

    def stopped(self, host: Host, now: float) -> list[Event]:
        """An agent said goodbye."""
        self._census.turn(host, STOPPED, now)
        self.isolation.heard(host.name)
        return self._restarted(host, news.stopped(host.name), now)

    def rebooted(self, host: Host, now: float) -> list[Event]:
        """A host, which was just heard, came back with another boot id."""
        return self._restarted(host, news.rebooted(host.name), now)

    def rejoined(self, now: float) -> list[Event]:
        """Nothing is held any more, if so."""
        lasted = self.isolation.ends(now)
        return [] if lasted is None else [news.rejoined(self.isolation.back, self.isolation.gone, lasted)]

    def steady(self, now: float) -> list[Event]:
        """Who flaps no more."""
        still = self.flapping.steady(now)
        return [news.steady(self._census.hosts[name], changes, self.flapping.within) for name, changes in still]

    def excuse(self, gap: float) -> None:
        """Nobody was watched for `gap` seconds."""
        self.flapping.excuse(gap)
        self.isolation.excuse(gap)

    def forget(self, name: str) -> None:
        """A host is none of ours any more."""
        self.isolation.heard(name)
        self.flapping.forget(name)

    def _alive(self) -> int:
        return self._census.states[UP] + self._census.states[LATE]

    def _greets(self, host: Host, now: float) -> bool:
        """Whether a late host tries to greet. Whoever replays greetings puts a verdict off by a time-out, not more."""
        return now < min(host.knocked, host.since) + host.allowed

    def _ask(self, host: Host, expired: Expired, now: float) -> None:
        """The next question is due from when the host became late, not from a look that came after that."""
        host.asked += 1
        expired.pings.append(host.name)
        self._census.look(host, max(host.due + host.asked * PING_EVERY, now + PING_EVERY / 2))

    def _turned(self, host: Host, told: list[Event], now: float) -> list[Event]:
        """A host went down or came back: what is told of it."""
        if host.name in self.flapping:
            told = []
        took = self.flapping.turned(host.name, now)
        if took is not None:
            told.append(news.flapping(host, self.flapping.changes, took, self.flapping.within))
        return told

    def _restarted(self, host: Host, event: Event, now: float) -> list[Event]:
        """A host was stopped or rebooted: what is told of it."""
        told = [] if host.name in self.flapping else [event]
        begun = self.flapping.restarted(host.name, now)
        if begun is not None:
            told.append(news.flapping(host, *begun, self.flapping.within))
        return told
