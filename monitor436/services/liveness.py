"""Who is alive: looks at the roster as time passes, asks late hosts, states verdicts, keeps last-seen over restarts."""

import time
from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.last_seen import LastSeen
from monitor436.last_seen import Snapshot as Snapshot
from monitor436.last_seen import read_snapshot as read_snapshot
from monitor436.model.hosts.host import Seen, as_told
from monitor436.model.hosts.roster import Roster
from monitor436.model.server.lag import Lag
from monitor436.model.settings.hosts import Heartbeat
from monitor436.periodic import Periodic
from monitor436.pulse import PULSE
from monitor436.services.event_log import EventLog

EVERY = 0.5  # seconds between looks: a verdict falls within this of its deadline
STALL = 1.0  # seconds a look may be late before this server's own absence is taken off everybody's silence
SAMPLES = 600  # that are kept: those of a minute
KEEP_EVERY = 5.0  # seconds between snapshots
KEEP_NEWS_EVERY = 1.0  # seconds between snapshots while hosts appear or change their state


class Liveness(Periodic):
    """Turns silence into events. `ping(host)` asks a host whether it is there; `lag` is that of the reactor.

    `told(host)`: the state in which the events file leaves a host, and since when (epoch seconds); "" if it does not
    say. It is asked at the start.
    """

    log = Logger()

    def __init__(
        self,
        roster: Roster,
        event_log: EventLog,
        ping: Callable[[str], None],
        keeps: Path,
        server: str,
        monotonic: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        super().__init__("liveness", EVERY, self.look, clock)
        self.lag = Lag(SAMPLES)
        self._pulse = Periodic("pulse", PULSE, self._beat, clock)
        self._roster = roster
        self._event_log = event_log
        self._ping = ping
        self._last_seen = LastSeen(roster, keeps, server)
        self._path = keeps
        self.told: Callable[[str], tuple[str, float]] = lambda host: ("", 0.0)
        self._monotonic = monotonic
        self._looked = self._pulsed = monotonic()
        self._kept = float("-inf")  # the first look keeps one: whoever asks then sees that the server runs
        self._kept_changes = 0

    def startService(self) -> None:
        snapshot = self._last_seen.read()
        self._looked = self._pulsed = self._monotonic()
        if snapshot is not None:
            hosts = [self._as_told(seen, snapshot.wall) for seen in snapshot.hosts]
            self._roster.restore(hosts, self._looked, max(0.0, time.time() - snapshot.wall))
        super().startService()
        self._pulse.startService()

    def _as_told(self, seen: Seen, wall: float) -> Seen:
        state, since = self.told(seen.name)
        return as_told(seen, state, wall - since)

    def stopService(self) -> None:
        self._pulse.stopService()
        super().stopService()
        self._keep(lambda: self._last_seen.keep(self._monotonic(), time.time(), self.lag.p99()))

    def follow(self, patience: Heartbeat) -> None:
        """Other settings, from now on."""
        self._roster.follow(patience)

    def look(self) -> None:
        """Look at the hosts whose deadline has passed. Own absence is excused first: the deaf hear nobody."""
        now = self._monotonic()
        gap = now - self._looked - EVERY
        self._looked = now
        if gap > STALL:
            self.log.warn("this server stood still for {gap:.1f} s; every deadline moves by that", gap=gap)
            self._roster.excuse(gap)
        expired = self._roster.expire(now)
        for host in expired.pings:
            self._ping(host)
        if expired.events:
            self._event_log.state(expired.events)
        changed = self._roster.changes != self._kept_changes
        if not self._last_seen.busy and now - self._kept >= (KEEP_NEWS_EVERY if changed else KEEP_EVERY):
            self._kept, self._kept_changes = now, self._roster.changes
            self._last_seen.begin(now, time.time(), self.lag.p99())
        self._keep(self._last_seen.turn)

    def _beat(self) -> None:
        """One sample, and one for each that could not be taken meanwhile: whoever came then would have waited, too."""
        now = self._monotonic()
        late, self._pulsed = now - self._pulsed - PULSE, now
        for missed in range(min(int(late / PULSE) + 1, SAMPLES) if late > 0 else 1):
            self.lag.took(max(0.0, late - missed * PULSE))

    def _keep(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as problem:
            self.log.warn("{path}: {why}", path=self._path, why=problem.strerror)
