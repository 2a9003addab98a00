"""Silence in a large fleet: what looking for it costs, and how soon after its deadline a verdict falls.

The roster of a server is told a minute of heartbeats and looked at twice a second, as the server does it; then some
hosts die. Beside it the simplest way: at each look, compare the clock with every host.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable

from table import show, verdict

from monitor436.model import event as kinds
from monitor436.model.hosts.roster import Roster
from monitor436.services.liveness import EVERY

BEAT, LATE, PINGS = 5.0, 15.0, 3.0  # seconds, as the settings come
MINUTE = 60.0
AFTER = 0.1  # seconds from a look to the beats that follow it
SOON = 1.0  # seconds after its deadline within which a verdict is to fall
DIGEST = "5e" * 32


class Fleet:
    """Hosts that beat, each at its own moment of five seconds, and the roster that hears them."""

    def __init__(self, count: int) -> None:
        self.names = [f"host{number:06}" for number in range(count)]
        self.roster = Roster(lambda name: LATE)
        self.turns = int(BEAT / EVERY)
        self.now = 0.0
        self.dead = 0  # the first so many
        self.beats: list[float] = []  # seconds for one heartbeat, by turn
        self.looks: list[float] = []  # seconds for one look
        self.down: list[float] = []  # seconds of silence at each verdict
        self.pings = 0

    def passes(self, seconds: float) -> None:
        """Time, in the steps in which a server looks."""
        for _ in range(int(seconds / EVERY)):
            turn = round(self.now / EVERY) % self.turns
            beating = self.names[turn :: self.turns][max(0, -(-(self.dead - turn) // self.turns)) :]
            begun = time.perf_counter()
            for name in beating:
                self.roster.beat(name, self.now + AFTER, 86400, 0, DIGEST)
            heard = time.perf_counter()
            self.now += EVERY
            looking = time.perf_counter()
            expired = self.roster.expire(self.now)
            self.looks.append(time.perf_counter() - looking)
            self.beats.append((heard - begun) / max(1, len(beating)))
            self.pings += len(expired.pings)
            self.down += [float(event.fields["seconds"]) for event in expired.events if event.kind == kinds.HOST_DOWN]

    def forget(self) -> None:
        """What was measured so far was to warm up."""
        self.beats, self.looks, self.down, self.pings = [], [], [], 0


def scan(count: int) -> float:
    """Seconds for one look that compares the clock with every host."""
    last = {f"host{number:06}": float(number % 50) for number in range(count)}
    return best(lambda: [name for name, heard in last.items() if 1000.0 - heard > 2000.0])


def best(call: Callable[[], object], times: int = 20) -> float:
    """The shortest of several runs, in seconds."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return min(found)


def row(name: str, fleet: Fleet) -> tuple[str, ...]:
    """What a fleet has cost since the last time."""
    looks = sorted(fleet.looks)
    return (
        name,
        f"{statistics.mean(looks) * 1e3:.2f}",
        f"{looks[-1] * 1e3:.2f}",
        f"{statistics.mean(looks) / EVERY * 100:.2f}",
        f"{statistics.median(fleet.beats) * 1e6:.2f}",
        f"{len(fleet.down):,}",
    )


def main() -> None:
    """A quiet minute, then one in which one host of a hundred dies; and what a full collection of garbage costs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hosts", type=int, default=100_000)
    options.add_argument("--dead", type=int, default=1000, help="how many die (default: %(default)s)")
    given = options.parse_args()
    gc.disable()
    scanned = scan(given.hosts)
    fleet = Fleet(given.hosts)
    fleet.passes(2 * LATE)
    fleet.forget()
    fleet.passes(MINUTE)
    rows = [
        (
            "every host at each look",
            f"{scanned * 1e3:.2f}",
            f"{scanned * 1e3:.2f}",
            f"{scanned / EVERY * 100:.2f}",
            "",
            "",
        ),
        row("monitor436, all beat", fleet),
    ]
    fleet.forget()
    fleet.dead = given.dead
    fleet.passes(MINUTE)
    rows.append(row(f"monitor436, {given.dead:,} die", fleet))
    columns = ("looking for silence", "ms a look", "ms at worst", "% of a core", "µs a beat", "verdicts")
    show(f"{given.hosts:,} hosts, one look each {EVERY:g} s", columns, rows)
    collected = best(gc.collect, 3)
    gc.freeze()
    frozen = best(gc.collect, 3)
    print(f"a full collection of garbage: {collected * 1e3:.1f} ms, after gc.freeze() {frozen * 1e3:.1f} ms")
    print(verdict("s from its deadline to a verdict, at most", max(fleet.down) - LATE - PINGS, SOON))
    print(verdict("of those who died, found", len(fleet.down), given.dead, at_least=True))


if __name__ == "__main__":
    main()
