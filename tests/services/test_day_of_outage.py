"""Twenty-four hours in which no server answers, and what the server makes of them afterwards.

Real checks, a real spool on a disk and the real doorway; only the clock is made up.
"""

import math
import os
import selectors
import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

from monitor436.agent import event as stated
from monitor436.agent import plan, wire
from monitor436.agent.checks import Checks, Host
from monitor436.agent.link.outbox import Outbox
from monitor436.agent.probe.readings import READINGS, Reading
from monitor436.agent.store import segment
from monitor436.agent.store.spool import Spool
from monitor436.model.audit.proof import Proof
from monitor436.model.event import Event
from tests.services.doorway import Agent, DoorwayCase

MEMORY = "/dev/shm"  # a day has many syncs, which cost nothing there
KIB = 1024
LIMIT = 1536 * KIB  # bytes of a spool that is too small for this day
MINUTE, HOUR, DAY = 60, 3600, 86400
SAMPLED, UNSTEADY = (
    5,
    4,
)  # checks: those that send their value each minute, and those that change their state each minute
LINES = 2  # a minute, in the log
KILLS = (5 * HOUR, 17 * HOUR)
ROTATED = 12 * HOUR
CUT = 21  # datagrams after which the agent is killed while it drains
QUIET = 10  # turns of a second each without anything to send: everything has gone


METRICS, INFO = 0, 1  # ranks: what matters least


class Emitted(NamedTuple):
    """An event as a check stated it: how much it matters, and what it says."""

    rank: int
    text: str


class Machine:
    """One host: its log, its checks and its spool, over several runs of the agent. It is told the time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "app.log"
        self.log.touch()
        self.written: list[str] = []
        self.emitted: dict[str, list[Emitted]] = {}  # by spool, in the order of its numbers
        self.largest = 0  # bytes that the spool has had on the disk
        self.now = 0.0
        self._selector = selectors.DefaultSelector()
        self.start()

    def start(self) -> None:
        """The next run of the agent."""
        self.spool = Spool(str(self.folder / "spool"), f"{len(self.emitted) + 1:016x}", LIMIT)
        self.emitted[self.spool.id] = []
        host = Host(lambda argv: "", lambda path: "", lambda: 1.7e9 + self.now)
        self.checks = Checks(self.emit, host, self._selector, self.spool.kept)
        self.checks.adopt(self._plan(), self.now)

    def kill(self) -> None:
        """End it without a goodbye."""
        os.close(self.spool._file)
        self.spool._reader.close()

    def close(self) -> None:
        """Let go of everything."""
        self.spool.close()
        self._selector.close()

    def emit(self, events: list[dict[str, object]], kept: dict[str, object]) -> None:
        """What checks state becomes durable."""
        self.spool.append(events, kept)
        told = (Emitted(segment.rank(event), str(event["text"])) for event in events)
        self.emitted[self.spool.id].extend(told)

    def on_disk(self) -> int:
        """Bytes of the spool's files."""
        return sum(path.stat().st_size for path in (self.folder / "spool").glob("*.jsonl"))

    def turn(self) -> None:
        """A turn of the agent's loop: logs wait while the spool is full."""
        self.checks.run(self.now, logs=not self.spool.full)
        self.largest = max(self.largest, self.on_disk())

    def write(self) -> None:
        """An application goes on."""
        lines = [f"line {len(self.written) + number} {'x' * 100}" for number in range(LINES)]
        self.written += lines
        with open(self.log, "a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def rotate(self) -> None:
        """As logrotate does it."""
        self.log.rename(self.log.with_name("app.log.1"))
        self.log.touch()

    def _plan(self) -> plan.Plan:
        each: dict[str, object] = {"reading": "load1", "every": MINUTE}
        log: dict[str, object] = {"name": "app", "log": str(self.log), "match": ["line"], "severity": "warning"}
        checks = [log] + [{**each, "name": f"sampled {n}", "metric": f"m{n}"} for n in range(SAMPLED)]
        limits = {"warning": "above 0.5", "critical": "above 1.5"}
        checks += [{**each, "name": f"unsteady {n}", **limits} for n in range(UNSTEADY)]
        found = plan.read({"checks": checks})
        return found._replace(checks=tuple(self._made_up(check) for check in found.checks))

    def _made_up(self, check: Any) -> Any:
        """Readings of this test in place of the load."""
        if not hasattr(check, "reading"):
            return check
        return check._replace(reading="made up, steady" if check.metric else "made up, unsteady")


class DayOfOutageTests(DoorwayCase):
    """A host that has greeted nobody since it started."""

    rotate_at = 1 << 30
    within = MEMORY if os.access(MEMORY, os.W_OK) else None

    def setUp(self) -> None:
        super().setUp()
        folder = Path(tempfile.mkdtemp(dir=self.within))
        self.addCleanup(rmtree, folder)
        readings: dict[str, Callable[[str, str], float]] = {
            "made up, steady": lambda of, root: math.sin(self.machine.now),
            "made up, unsteady": lambda of, root: float(self.machine.now // MINUTE % 3),
        }
        for name, value in readings.items():
            READINGS[name] = Reading(value, "")
            self.addCleanup(READINGS.pop, name)
        self.machine = Machine(folder)
        self.addCleanup(lambda: self.machine.close())

    def live(self, seconds: int) -> None:
        """So much time passes on the host."""
        machine = self.machine
        for second in range(int(machine.now) + MINUTE, int(machine.now) + seconds + 1, MINUTE):
            machine.now = float(second)
            machine.write()
            if second == ROTATED:
                machine.rotate()
            if second in KILLS:
                machine.kill()
                machine.start()
            if second % HOUR == 0:
                machine.spool.age(HOUR)
            machine.turn()

    def drain(self, most: int = 1_000_000) -> None:
        """The server is there again: the agent ships, and reads on in its logs as soon as it has room.

        It ends when there is nothing more, or `most` datagrams have gone.
        """
        machine, sent, quiet, end = self.machine, 0, 0, self.machine.now + HOUR
        outbox = Outbox(machine.spool)
        agent = Agent("web1", self.door, self.port)
        have = agent.greet(str(machine.now).encode().ljust(16), spools=machine.spool.live())["have"]
        outbox.restart(have, machine.now)  # type: ignore[arg-type]
        while quiet < QUIET:
            self.assertLess(machine.now, end, "it does not come to an end")
            machine.now += 1.0
            machine.turn()
            quiet += 1
            while bodies := outbox.send(machine.now):
                quiet = 0
                for body in bodies:
                    sent += 1
                    for kind, message in agent.ask(wire.EVENTS, body):
                        self.assertEqual(kind, wire.ACK)
                        outbox.acknowledge(message["s"], message["n"], machine.now, message["w"])  # type: ignore[arg-type]
                    if sent == most:
                        return

    def missing(self, told: list[Event]) -> dict[str, list[int]]:
        """The numbers of each spool that are not there as lines. Asserts that what is there is what was stated."""
        found = {spool: dict.fromkeys(range(1, len(stated) + 1)) for spool, stated in self.machine.emitted.items()}
        for event in told:
            spool, number = place(event)
            if event.kind != stated.LOST:
                self.assertEqual(event.text, self.machine.emitted[spool][number - 1].text)
                del found[spool][number]  # a second one would raise
        return {spool: list(numbers) for spool, numbers in found.items()}

    def lost(self, told: list[Event]) -> dict[str, list[int]]:
        """The numbers that are told to be lost, as often as they are told."""
        found: dict[str, list[int]] = {spool: [] for spool in self.machine.emitted}
        for event in told:
            spool, number = place(event)
            if event.kind == stated.LOST:
                self.assertEqual(event.fields["count"], event.lost + 1)
                found[spool] += range(number - event.lost, number + 1)
        return found

    def test_a_spool_too_small_for_the_day(self) -> None:
        """Bounds hold, logs wait, what matters least goes first and the oldest of it, and each gap is told once.

        The server had got something before the outage, and its answer was lost; the agent is killed twice meanwhile
        and once while it drains.
        """
        machine = self.machine
        self.live(MINUTE)
        agent = Agent("web1", self.door, self.port)
        agent.greet()
        for body in Outbox(machine.spool).send(machine.now):
            agent.ask(wire.EVENTS, body)
        spool = machine.spool.id
        self.assertGreater(self.ledger.last("web1", spool), 0)
        self.live(DAY)
        self.assertLess(LIMIT * 0.9, machine.largest)
        self.assertLess(machine.largest, LIMIT * 1.01)
        self.drain(most=CUT)
        had = self.ledger.last("web1", spool)
        machine.kill()
        machine.start()
        self.drain()
        told = [event for event in self.lines() if event.id.startswith("web1/")]
        missing = self.missing(told)
        self.assertEqual(self.lost(told), missing)
        proof = Proof().read(self.path.read_bytes().splitlines())
        self.assertEqual((proof.flaws, proof.lost), ([], sum(map(len, missing.values()))))
        self.assertEqual([event.text for event in told if event.kind == stated.LOG_LINE], machine.written)
        self.assert_dropped_in_order(missing, had)

    def assert_dropped_in_order(self, missing: dict[str, list[int]], had: int) -> None:
        """What is gone, of what comes after the first `had`, are the oldest metrics and the oldest news."""
        emitted = self.machine.emitted
        whole = [(spool, number) for spool, all in emitted.items() for number in range(1, len(all) + 1)][had:]
        gone = {(spool, number) for spool, numbers in missing.items() for number in numbers}
        rank = {place: emitted[place[0]][place[1] - 1].rank for place in whole}
        for least in (METRICS, INFO):
            of_this = [place for place in whole if rank[place] == least]
            lost = [place for place in of_this if place in gone]
            self.assertGreater(len(lost), 0)
            self.assertEqual(lost, of_this[: len(lost)])
        self.assertEqual({rank[place] for place in whole if place in gone}, {METRICS, INFO})


def place(event: Event) -> tuple[str, int]:
    """The spool of an event, and its number in it."""
    _, spool, number = event.id.split("/")
    return spool, int(number)
