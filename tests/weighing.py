"""What hosts cost a server in memory, weighed in a process of its own: `python -m tests.weighing HOSTS CHECKS`."""

import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import execute
from twisted.internet.task import Clock

from monitor436.agent import wire
from monitor436.bus import EventBus
from monitor436.journal import Journal
from monitor436.last_seen import LastSeen
from monitor436.model.hosts.datagrams import KEPT
from monitor436.model.hosts.roster import Roster
from monitor436.model.keys.enrolment import Enrolment
from monitor436.model.keys.sessions import Sessions
from monitor436.model.stream.ledger import Ledger
from monitor436.services.agents import AgentsProtocol
from monitor436.services.event_log import EventLog
from monitor436.services.plans import Plans
from tests.services.doorway import SITE, Agent, Port

WARM = 200  # hosts that are not weighed: what is made once is made with them
NO_SYNC = SimpleNamespace(write=os.write, pwrite=os.pwrite, statvfs=os.statvfs, fdatasync=lambda file: None)
ABOUT = {"server": "srv", "boot": "b" * 16, "port": 4360, "door": 4360, "degraded": False}
CHECK = "  check {}: {{reading: load1, warning: above 4}}\n"


class Scales:
    """A server without a network, and hosts that greet, beat, tell one event and then say that they are there."""

    def __init__(self, folder: Path, checks: int) -> None:
        plans = folder / "plans"
        plans.mkdir()
        (plans / "all.yaml").write_text("checks:\n" + "".join(CHECK.format(number) for number in range(checks)))
        self.plans = Plans(str(plans), 1.0, (5.0, 15.0), ((), 60.0), lambda events: None, Clock())  # type: ignore[arg-type]
        self.plans.startService()
        ledger = Ledger()
        journal = Journal(folder / "events.jsonl", 1 << 30, 1e9, 0, disk=NO_SYNC)
        log = EventLog(journal, ledger, EventBus(), ("srv", "b" * 16), execute, time.time)
        log.startService()
        self.roster = Roster(self.plans.late)
        sessions, enrolment = Sessions(SITE, os.urandom), Enrolment([])
        self.door = AgentsProtocol(
            lambda: dict(ABOUT), sessions, enrolment, lambda bound: None, self.roster, ledger, log, self.plans,
            time.monotonic,
        )  # fmt: skip
        self.door.transport = self.port = Port()

    def meet(self, number: int) -> None:
        """One host more, with a name of twelve letters; it is forgotten here when it has spoken."""
        agent = Agent(f"host-{number:07}", self.door, self.port, os.urandom(8))
        agent.address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 40000 + number % 9999
        spool = os.urandom(8).hex()
        agent.greet(os.urandom(16), boot=os.urandom(16).hex(), version="0.1.0", up=1, plan="", spools=[spool])
        agent.ask(wire.BEAT, b'{"up":1,"fill":0,"plan":"%s"}' % self.plans.digest(agent.name).encode())
        told = {"s": spool, "n": 1, "a": 0, "e": [{"at": 1.0, "severity": "info", "kind": "reported", "text": "x"}]}
        agent.ask(wire.EVENTS, wire.dump(told))
        for _ in range(KEPT):
            self.door.arrived([(agent.session.seal(wire.PONG, b"{}"), agent.address)])


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(hosts: int, checks: int) -> None:
    """Weigh, and print bytes a host: in memory, and in the file of last-seen times."""
    with tempfile.TemporaryDirectory() as folder:
        scales = Scales(Path(folder), checks)
        for number in range(WARM):
            scales.meet(number)
        before = resident()
        for number in range(WARM, WARM + hosts):
            scales.meet(number)
        weighed = (resident() - before) / hosts
        assert len(scales.roster) == WARM + hosts
        assert not scales.door.refused, scales.door.refused
        kept = Path(folder) / "roster.json"
        LastSeen(scales.roster, kept, "srv").keep(time.monotonic(), time.time(), 0.0)
        print(json.dumps({"memory": round(weighed), "kept": round(kept.stat().st_size / len(scales.roster))}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
