"""What goes wrong: every half second another fault, drawn with seeded dice, each for a time and on one machine."""

import errno
import random
import time
from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

from tests.e2e.patience import pause
from tests.faults.disk import FSYNC, HALF, OPEN, RENAME, WRITE
from tests.faults.machines import HostMachine, Machine, ServerMachine
from tests.faults.segment import Segment

EVERY = 0.5  # seconds between two faults
TURN = 0.05  # seconds between two looks at what is due, and between two bursts of the applications
MOST = 8  # lines that an application writes at once
ROTATE_APART = 4.0  # seconds between two rotations of a log, at least
TRIES = 20  # to find somebody for whom the fault drawn is possible

Undo = Callable[[], None]


class Kind(NamedTuple):
    """A kind of fault: on whom, how long (least and most seconds), and what does it; that gives what ends it."""

    name: str
    on: type[Machine]
    least: float
    most: float
    begin: Callable[["Chaos", Machine], Undo]


class Chaos:
    """Harms machines and the segment between them, while applications write. `faults` counts by kind."""

    def __init__(
        self, segment: Segment, servers: list[ServerMachine], hosts: list[HostMachine], seed: int, shim: bool
    ) -> None:
        self.faults: Counter[str] = Counter()
        self.story: list[str] = []  # what was done when, for whoever has to find out why
        self.forgotten = 0  # bytes and names that power cuts took back
        self.segment = segment
        self.dice = random.Random(seed)
        self._pace = random.Random(f"{seed} lines")
        self._servers, self._hosts = servers, hosts
        self._machines: list[Machine] = [*servers, *hosts]
        self._kinds = [kind for kind in KINDS if shim or kind not in NEED_SHIM]
        self._ends: list[tuple[float, int, Undo]] = []
        self._cut = False
        self._rotated: dict[str, float] = {}

    def run(self, seconds: float) -> None:
        """Go on for so long, then end all faults."""
        now = time.monotonic()
        end, fault_at = now + seconds, now
        while now < end:
            for host in self._hosts:
                host.write(self._pace.randrange(MOST))
            while self._ends and self._ends[0][0] <= now:
                heappop(self._ends)[2]()
            if now >= fault_at:
                fault_at += EVERY
                self._harm(now)
                self._look()
            pause(TURN)
            now = time.monotonic()
        while self._ends:
            heappop(self._ends)[2]()
        self._look()

    def _look(self) -> None:
        for machine in self._machines:
            machine.disk.tidy()
            machine.look()

    def _harm(self, now: float) -> None:
        for _ in range(TRIES):
            kind = self.dice.choice(self._kinds)
            machine = self.dice.choice([each for each in self._machines if isinstance(each, kind.on)])
            lasts = self.dice.uniform(kind.least, kind.most)
            if self._can(kind, machine, now):
                break
        else:
            return
        self.faults[kind.name] += 1
        self.story.append(f"{time.strftime('%H:%M:%S', time.gmtime())} {machine.name}: {kind.name} for {lasts:.1f} s")
        undo = kind.begin(self, machine)
        heappush(self._ends, (now + lasts, self.faults.total(), undo))

    def _can(self, kind: Kind, machine: Machine, now: float) -> bool:
        if kind in ON_SEGMENT:
            return not self._cut
        if kind is ROTATED:
            return now - self._rotated.get(machine.name, 0.0) >= ROTATE_APART
        bears = DISK_FAULTS if kind.name in ENDS else frozenset[str]()
        return machine.faults <= bears and machine.runs.process is not None and machine.runs.process.runs

    # What the kinds do.

    def begin_fault(self, machine: Machine, fault: str, undo: Undo) -> Undo:
        """Nothing else goes wrong on a machine meanwhile, but it may be killed or lose power while its disk fails."""
        machine.faults.add(fault)

        def end() -> None:
            machine.faults.remove(fault)
            undo()

        return end

    def killed(self, machine: Machine) -> Undo:
        """kill -9."""
        machine.kill()
        return self.begin_fault(machine, "killed", machine.start)

    def powerless(self, machine: Machine) -> Undo:
        """kill -9, and what was not synced is gone."""
        self.forgotten += machine.cut_power(self.dice)
        return self.begin_fault(machine, "powerless", machine.start)

    def frozen(self, machine: Machine) -> Undo:
        """SIGSTOP."""
        machine.freeze()
        return self.begin_fault(machine, "frozen", machine.thaw)

    def full(self, machine: Machine) -> Undo:
        """No room."""
        machine.disk.fill()
        return self.begin_fault(machine, "full", machine.disk.clear)

    def failing(self, machine: Machine) -> Undo:
        """Writing, syncing, opening or renaming fails, or half of a write is done."""
        what = self.dice.choice([WRITE, WRITE | HALF, FSYNC, OPEN, RENAME, WRITE | FSYNC | OPEN | RENAME])
        machine.disk.fail(what, self.dice.choice([0.3, 1.0]), self.dice.choice([errno.EIO, errno.EROFS]))
        return self.begin_fault(machine, "failing", machine.disk.heal)

    def rotated(self, machine: Machine) -> Undo:
        """The application's log."""
        assert isinstance(machine, HostMachine)
        self._rotated[machine.name] = time.monotonic()
        machine.rotate()
        return lambda: None

    def cut_off(self, machine: Machine) -> Undo:
        """Nobody else can be reached."""
        return self._parted([machine.name])

    def split(self, machine: Machine) -> Undo:
        """One half cannot reach the other, with a server in each."""
        others = [each.name for each in self._machines if each is not machine and not isinstance(each, ServerMachine)]
        return self._parted([machine.name, *self.dice.sample(others, self.dice.randrange(len(others) + 1))])

    def _parted(self, here: list[str]) -> Undo:
        there = [each.name for each in self._machines if each.name not in here]
        self._cut = True
        self.segment.cut([(one, other) for one in here for other in there])

        def join() -> None:
            self._cut = False
            self.segment.cut([])

        return join


DISK_FAULTS = frozenset(("full", "failing"))
ENDS = ("agent killed", "server killed", "power cut, agent", "power cut, server")  # the kinds that end a process
ROTATED = Kind("log rotated", HostMachine, 0.0, 0.0, Chaos.rotated)
ON_SEGMENT = (
    Kind("host cut off", HostMachine, 1.0, 4.0, Chaos.cut_off),
    Kind("server cut off", ServerMachine, 1.0, 4.0, Chaos.cut_off),
    Kind("segment split", ServerMachine, 1.0, 4.0, Chaos.split),
)
NEED_SHIM = (
    Kind("power cut, agent", HostMachine, 0.1, 1.5, Chaos.powerless),
    Kind("power cut, server", ServerMachine, 0.1, 1.5, Chaos.powerless),
    Kind("disk fails, agent", HostMachine, 0.5, 3.0, Chaos.failing),
    Kind("disk fails, server", ServerMachine, 0.5, 3.0, Chaos.failing),
)
KINDS = (
    Kind("agent killed", HostMachine, 0.1, 1.5, Chaos.killed),
    Kind("server killed", ServerMachine, 0.1, 1.5, Chaos.killed),
    Kind("agent frozen", HostMachine, 1.0, 5.0, Chaos.frozen),
    Kind("server frozen", ServerMachine, 1.0, 5.0, Chaos.frozen),
    Kind("disk full, agent", HostMachine, 1.0, 4.0, Chaos.full),
    Kind("disk full, server", ServerMachine, 1.0, 4.0, Chaos.full),
    *NEED_SHIM,
    *ON_SEGMENT,
    ROTATED,
)
