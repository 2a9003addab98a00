"""A whole fleet against one real server: M436_AGENTS=5000 makes it large, with the times as they come."""

import os
import signal
import sys
import time
from typing import Any

import pytest
from msgspec import json, structs

from monitor436.last_seen import read_snapshot
from monitor436.model.settings.hosts import Heartbeat
from tests.e2e.fleet import DYING, Told
from tests.e2e.patience import eventually, pause
from tests.e2e.processes import ROOT, Process
from tests.e2e.servers import Server, on_loopback
from tests.e2e.stage import Stage
from tests.e2e.witness import Witness

AGENTS = int(os.environ.get("M436_AGENTS", "300"))
LARGE = AGENTS >= 1000
RHYTHM = Heartbeat() if LARGE else Heartbeat(every=1.0, late=4.0)  # nobody who lives may be late, on any machine
FROZEN = 20.0 if LARGE else 8.0  # seconds for which the server stands still
AWAY = 60.0 if LARGE else 5.0  # seconds for which there is none
BACK = 15.0  # seconds within which all hosts beat again
LAG = 0.25  # seconds that 99 of 100 turns of the server may be late
STARTS = 60.0  # seconds until all have been answered for the first time
QUIET = 2 * RHYTHM.late  # seconds in which every verdict has fallen


@pytest.mark.alone
class ManyAgentsTests(Stage):
    """Every host is a session of its own, made and kept by the agent's code; they share a process and some sockets."""

    def setUp(self) -> None:
        super().setUp()
        settings = on_loopback()
        beacon = structs.replace(settings.beacon, every=5.0 if LARGE else 0.5)
        self.site: Server = self.server(structs.replace(settings, heartbeat=RHYTHM, beacon=beacon)).start()
        self.told = self.folder / "fleet.json"
        words = [self.site.var / "site", settings.agents.port, settings.beacon.port, AGENTS, RHYTHM.every, self.told]
        self.fleet = Process(
            [sys.executable, ROOT / "tests" / "e2e" / "fleet.py", *map(str, words)], self.folder / "fleet.log"
        )
        self.addCleanup(self.fleet.kill)
        self.witness = self.watched()
        eventually(lambda: self.answered() == AGENTS, STARTS, "all hosts are answered")

    def tearDown(self) -> None:
        """What it came to, for whoever looks at the output."""
        snapshot = read_snapshot(self.site.var / "roster.json")
        lag = snapshot.lag if snapshot else 0.0
        waited = f"at worst kept waiting by this machine for {self.witness.worst * 1e3:.0f} ms of a second"
        text = f"{AGENTS} agents, reactor lag p99 {lag * 1e3:.0f} ms, {waited}"
        print(f"\n{self._testMethodName}: {text}", file=sys.stderr)

    def watched(self) -> Witness:
        """The run of the server that has begun, watched to its end."""
        assert self.site.process is not None
        witness = Witness(self.site.process.pid).start()
        self.addCleanup(witness.stop)
        return witness

    def state(self) -> Told:
        """What the fleet told last."""
        return json.decode(self.told.read_bytes(), type=Told)

    def answered(self) -> int:
        """How many hosts have a session."""
        assert self.fleet.runs, self.fleet.output
        return self.state().answered if self.told.exists() else 0

    def all_beat(self, since: float) -> float:
        """Wait until every host has been answered since a moment; how long after that."""
        eventually(lambda: self.state().oldest > since, BACK, f"all hosts beat again; {self.state()}")
        return time.monotonic() - since

    def verdicts(self) -> list[dict[str, Any]]:
        """Who was called down."""
        return [event for event in self.site.events() if event["kind"] == "host_down"]

    def in_time(self) -> None:
        """The server is not late with what it does, but for what this machine keeps it from."""
        snapshot = read_snapshot(self.site.var / "roster.json")
        assert snapshot is not None
        self.assertLess(snapshot.lag, LAG + self.witness.worst)

    def test_those_who_die_are_found_and_nobody_else(self) -> None:
        """Ten of them, each within a second of its deadline."""
        self.fleet.send(signal.SIGUSR1)
        down = eventually(lambda: len(self.verdicts()) >= DYING and self.verdicts(), QUIET + 20, "those who died")
        pause(QUIET)
        self.assertEqual(len(self.verdicts()), DYING)
        self.assertEqual({event["host"] for event in down}, {f"h{number:05}" for number in range(DYING)})
        for event in down:
            silent = event["fields"]["seconds"]
            self.assertEqual(event["fields"]["reason"], "silent")
            self.assertLess(silent, RHYTHM.late + RHYTHM.pings + 1.0 + self.witness.worst)
        states = [host["state"] for host in self.site.hosts().values()]
        self.assertEqual((states.count("down"), states.count("up")), (DYING, AGENTS - DYING))
        self.in_time()

    def test_a_fleet_that_falls_silent_at_once_is_one_doubt_and_no_verdict(self) -> None:
        """All hosts together are rather the network: one event when it is seen, one when they are back."""
        self.fleet.send(signal.SIGSTOP)
        (isolated,) = eventually(lambda: self.site.events(kind="isolated"), QUIET + 20, "it is seen")
        self.assertGreater(3 * isolated["fields"]["hosts"], isolated["fields"]["of"])
        pause(RHYTHM.every + RHYTHM.pings + 1.0)  # by now all would have been called down
        self.fleet.send(signal.SIGCONT)
        (over,) = eventually(lambda: self.site.events(kind="isolation_over"), BACK, "it is over")
        self.assertEqual((over["fields"]["back"], over["fields"]["down"]), (AGENTS, 0))
        self.assertEqual(self.verdicts(), [])
        self.in_time()

    def test_a_server_that_stands_still_blames_nobody(self) -> None:
        """Longer than every time-out; what was sent to it meanwhile overflows, and all are there again soon."""
        assert self.site.process is not None
        self.site.process.send(signal.SIGSTOP)
        pause(FROZEN)
        self.site.process.send(signal.SIGCONT)
        thawed = time.monotonic()
        took = self.all_beat(thawed)
        pause(QUIET)
        self.assertEqual(self.verdicts(), [])
        print(f"\nall beat again after {took:.1f} s", file=sys.stderr)

    def test_a_server_that_was_away_blames_nobody(self) -> None:
        """Killed, and started again later: the hosts greet it when they hear its beacon."""
        self.site.kill()
        pause(AWAY)
        self.site.start()
        self.witness = self.watched()
        took = self.all_beat(time.monotonic())
        pause(QUIET)
        self.assertEqual(self.verdicts(), [])
        self.assertEqual([event["host"] for event in self.site.events(kind="host_late")], [])
        print(f"\nall beat again after {took:.1f} s", file=sys.stderr)
        self.in_time()
