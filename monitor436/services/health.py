"""How this server itself is: what it drops, refuses and is late with becomes events when it matters."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.agent.store.spool import LIMIT
from monitor436.model.event import Event
from monitor436.model.server.crowd import Crowd
from monitor436.model.server.lag import Lag, Stopwatch
from monitor436.model.server.troubles import Troubles
from monitor436.model.server.vitals import Vitals
from monitor436.periodic import Periodic
from monitor436.state_folder import replace_kept

EVERY = 5.0  # seconds between looks
SHOWN = 5  # names of hosts, and reasons, in a text
NET_UDP = Path("/proc/net/udp")
Outcome = TypeVar("Outcome")


class Gauges(NamedTuple):
    """Where the values come from.

    `lag` holds delays, `syncs` measures how long the disk takes; `drops()` counts what the kernel dropped; `refused`
    and `heard` count datagrams by reason and by type; `spools()` gives hosts with the bytes that wait there;
    `unwritten()` says why events cannot be made durable, "" if they can; `crowd` is whoever stands at the TLS door;
    `held()` gives the hosts that send more events than are taken of one.
    """

    lag: Lag
    syncs: Stopwatch
    drops: Callable[[], int]
    refused: Mapping[str, int]
    heard: Mapping[str, int]
    spools: Callable[[], Iterable[tuple[str, int]]]
    unwritten: Callable[[], str]
    crowd: Crowd
    held: Callable[[], Sequence[str]]


class Health(Periodic):
    """States a `server_trouble` event when a trouble begins, and when it is over.

    Every value is also kept in the file `keeps`, for `monitor436 doctor`; `server` is this server's name.
    """

    log = Logger()

    def __init__(
        self,
        gauges: Gauges,
        state: Callable[[list[Event]], None],
        keeps: Path,
        server: str,
        monotonic: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        super().__init__("health", EVERY, self.look, clock)
        self.troubles = Troubles()
        self._gauges = gauges
        self._state = state
        self._keeps = keeps
        self._server = server
        self._monotonic = monotonic
        self._began = self._looked = monotonic()
        self._drops = self._drops_before = 0
        self._refused: Counter[str] = Counter()
        self._heard = 0
        self._complained = False

    def startService(self) -> None:
        self._began = self._looked = self._monotonic()
        self._drops = self._drops_before = self._gauges.drops()
        super().startService()

    def look(self) -> None:
        """Take every value, and state what follows."""
        now = self._monotonic()
        lag, sync, unwritten = self._gauges.lag.p99(), self._gauges.syncs.longest(now), self._gauges.unwritten()
        fills = sorted(((fill / LIMIT, name) for name, fill in self._gauges.spools()), reverse=True)[:SHOWN]
        events = self._dropped(now) + self._turned_away(now) + self._waiting(fills, now)
        held = self._gauges.held()
        events += self.troubles.measured("pace", len(held), now, ", ".join(held[:SHOWN]))
        events += self.troubles.measured("lag", lag, now)
        events += self.troubles.measured("disk", float(bool(unwritten)), now, unwritten)
        events += self.troubles.measured("sync", sync, now)
        self._looked = now
        if events:
            self._state(events)
        self._keep(
            Vitals(
                self._server,
                os.getpid(),
                round(now - self._began, 1),
                {kind: count for kind, count in self._gauges.heard.items() if count},
                dict(self._gauges.refused),
                max(0, self._drops - self._drops_before),
                round(lag, 3),
                round(sync, 3),
                unwritten,
                {name: round(part, 3) for part, name in fills},
                self.troubles.present(),
            )
        )

    def _dropped(self, now: float) -> list[Event]:
        before, self._drops = self._drops, self._gauges.drops()
        return self.troubles.measured("kernel_drops", max(0, self._drops - before), now)

    def _turned_away(self, now: float) -> list[Event]:
        """Datagrams refused a second, if they are more than those taken."""
        took = max(now - self._looked, EVERY / 2)
        refused, heard = Counter(self._gauges.refused), sum(self._gauges.heard.values())
        new, self._refused = refused - self._refused, refused
        taken, self._heard = heard - self._heard, heard
        reasons = ", ".join(f"{reason} {count}" for reason, count in new.most_common(SHOWN))
        value = new.total() / took if new.total() > taken else 0.0
        return self.troubles.measured("refused", round(value, 1), now, reasons)

    def _waiting(self, fills: list[tuple[float, str]], now: float) -> list[Event]:
        """The fullest spool of a host."""
        fullest = fills[0][0] if fills else 0.0
        shown = ", ".join(f"{name} {part:.0%}" for part, name in fills)
        return self.troubles.measured("spools", fullest, now, shown)

    def _keep(self, vitals: Vitals) -> None:
        try:
            replace_kept(self._keeps, vitals)
            self._complained = False
        except OSError as problem:
            if not self._complained:
                self._complained = True
                self.log.warn("{path}: {why}", path=self._keeps, why=problem.strerror)


def kernel_drops(port: int, table: Path = NET_UDP) -> int:
    """How many datagrams to a UDP port of this machine the kernel has dropped because nobody read them.

    The last column of /proc/net/udp, see proc(5) and net/ipv4/udp.c. 0 where there is no such table.
    """
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return 0
    ends = f":{port:04X}"
    rows = [line.split() for line in lines]
    return sum(int(row[-1]) for row in rows if len(row) > 12 and row[1].endswith(ends) and row[-1].isdigit())


def timed(
    in_thread: Callable[[Callable[[], Outcome]], "Deferred[Outcome]"], took: Stopwatch, monotonic: Callable[[], float]
) -> Callable[[Callable[[], Outcome]], "Deferred[Outcome]"]:
    """`in_thread`, which runs one call at a time, with a stopwatch beside it."""

    def run(call: Callable[[], Outcome]) -> "Deferred[Outcome]":
        took.starts(monotonic())
        done = in_thread(call)

        def note(outcome: Outcome) -> Outcome:
            took.stops(monotonic())
            return outcome

        return done.addBoth(note)

    return run
