"""Who is alive: looks at the roster as time passes, asks late hosts, states verdicts, keeps last-seen over restarts."""

import time
from collections.abc import Callable
from pathlib import Path

from msgspec import MsgspecError, Struct, json
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.model.roster import Roster, Seen
from monitor436.periodic import Periodic
from monitor436.services.event_log import EventLog
from monitor436.site import write_private

EVERY = 0.5  # seconds between looks: a verdict falls within this of its deadline
STALL = 1.0  # seconds a look may be late before this server's own absence is taken off everybody's silence
KEEP_EVERY = 5.0  # seconds between snapshots
KEEP_NEWS_EVERY = 1.0  # seconds between snapshots while hosts appear or change their state


class Snapshot(Struct, frozen=True):
    """What is kept of the roster and shown by `monitor436 hosts`: when (wall clock), by whom, and the hosts."""

    wall: float
    server: str
    hosts: list[Seen]


class Liveness(Periodic):
    """Turns silence into events. `ping(host)` asks a host whether it is there."""

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
        self._roster = roster
        self._event_log = event_log
        self._ping = ping
        self._keeps = keeps
        self._server = server
        self._monotonic = monotonic
        self._looked = monotonic()
        self._kept = float("-inf")  # the first look keeps one: whoever asks then sees that the server runs
        self._kept_changes = 0

    def startService(self) -> None:
        snapshot = read_snapshot(self._keeps)
        self._looked = self._monotonic()
        if snapshot is not None:
            self._roster.restore(snapshot.hosts, self._looked)
        super().startService()

    def stopService(self) -> None:
        super().stopService()
        self._keep()

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
        if now - self._kept >= (KEEP_NEWS_EVERY if changed else KEEP_EVERY):
            self._kept, self._kept_changes = now, self._roster.changes
            self._keep()

    def _keep(self) -> None:
        snapshot = Snapshot(time.time(), self._server, self._roster.seen(self._monotonic()))
        try:
            write_private(self._keeps, json.encode(snapshot), sync=False)
        except OSError as problem:
            self.log.warn("{path}: {why}", path=self._keeps, why=problem.strerror)


def read_snapshot(path: Path) -> Snapshot | None:
    """What the last run knew; None where there is nothing, or nothing that can be read."""
    try:
        return json.decode(path.read_bytes(), type=Snapshot)
    except (OSError, MsgspecError):
        return None
