"""How this server itself is: what it drops, refuses and is late with becomes events when it matters."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from monitor436.agent.spool import LIMIT
from monitor436.model.event import Event
from monitor436.model.lag import Lag, Stopwatch
from monitor436.model.troubles import Troubles
from monitor436.periodic import Periodic

EVERY = 5.0  # seconds between looks
SHOWN = 5  # names of hosts, and reasons, in a text
NET_UDP = Path("/proc/net/udp")
Outcome = TypeVar("Outcome")


class Gauges(NamedTuple):
    """Where the values come from.

    `lag` holds delays, `syncs` measures how long the disk takes; `drops()` counts what the kernel dropped; `refused`
    and `heard` count datagrams by reason and by type; `spools()` gives hosts with the bytes that wait there.
    """

    lag: Lag
    syncs: Stopwatch
    drops: Callable[[], int]
    refused: Mapping[str, int]
    heard: Mapping[str, int]
    spools: Callable[[], Iterable[tuple[str, int]]]


class Health(Periodic):
    """States a `server_trouble` event when a trouble begins, and when it is over."""

    def __init__(
        self,
        gauges: Gauges,
        state: Callable[[list[Event]], None],
        monotonic: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        super().__init__("health", EVERY, self.look, clock)
        self.troubles = Troubles()
        self._gauges = gauges
        self._state = state
        self._monotonic = monotonic
        self._looked = monotonic()
        self._drops = 0
        self._refused: Counter[str] = Counter()
        self._heard = 0

    def startService(self) -> None:
        self._looked = self._monotonic()
        self._drops = self._gauges.drops()
        super().startService()

    def look(self) -> None:
        """Take every value, and state what follows."""
        now = self._monotonic()
        events = self._dropped(now) + self._turned_away(now) + self._waiting(now)
        events += self.troubles.measured("lag", self._gauges.lag.p99(), now)
        events += self.troubles.measured("sync", self._gauges.syncs.longest(now), now)
        self._looked = now
        if events:
            self._state(events)

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

    def _waiting(self, now: float) -> list[Event]:
        """The fullest spool of a host."""
        fills = sorted(((fill / LIMIT, name) for name, fill in self._gauges.spools()), reverse=True)
        fullest = fills[0][0] if fills else 0.0
        shown = ", ".join(f"{name} {part:.0%}" for part, name in fills[:SHOWN])
        return self.troubles.measured("spools", fullest, now, shown)


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
