"""Sweeps as services: rounds in time, what is kept, hosts that went down, settings that cannot be used."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import structs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.demo.ssh_hosts import SshHost, known_line, new_key, proc_uptime
from monitor436.model.event import AGENT_DEAD, HOST_DOWN, HOST_REBOOTED, SWEEP_FAILED, SWEEP_REFUSED, Event
from monitor436.model.hosts.host import DOWN, UP
from monitor436.model.settings.sweeps import Sweep
from monitor436.model.source import Problem, SettingsError
from monitor436.model.sweep.remote import Said, write_said
from monitor436.model.sweep.sweeps import Agent, SweepKept
from monitor436.probes.probe import Failure
from monitor436.services.sweeps import Sweeps, SweepService
from monitor436.state_folder import read_kept
from tests.probes.ssh_net import Net
from tests.services.asked import AskedFleet

REFUSED = Failure("refused", "refuses connections")


class Fleet(AskedFleet):
    """Hosts that have been up for `up` seconds by the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.up = 1000.0
        self.refuses = ""

    def made(self, sweep: Sweep, names: object, reactor: object) -> "Fleet":
        """A new probe for each round: keys may have changed."""
        if self.refuses:
            raise SettingsError([Problem("", 0, 0, "", self.refuses)])
        return self

    def well(self) -> bytes:
        return write_said(Said(0, b"%.2f 1.00\n" % (self.up + self.clock.seconds()), b""))


class SweepTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock()
        self.fleet = Fleet(self.clock)
        self.events: list[Event] = []
        self.agents: dict[str, Agent] = {}
        self.inventory = self.folder / "fleet.txt"
        self.inventory.write_text("web1\nroot@web2\n")
        self.sweep = Sweep(inventory=str(self.inventory), targets=("web3",), keys=("k",), known_hosts=("h",),
                           every=10.0, jitter=0.0, timeout=5.0)  # fmt: skip
        self.service: SweepService | None = None

    def start(self, **changes: Any) -> SweepService:
        """It runs; its first round is done."""
        self.service = SweepService(
            "fleet", structs.replace(self.sweep, **changes), self.state, self.folder / "sweeps" / "fleet.json",
            self.agents.get, self.clock, self.fleet.made, self.clock.seconds,
            lambda: 1e9 + self.clock.seconds(), lambda: 0.5,
        )  # fmt: skip
        self.service.startService()
        self.clock.advance(0)
        self.addCleanup(self.stop)
        return self.service

    def stop(self) -> None:
        """It runs no more."""
        if self.service is not None:
            self.service.stopService()
            self.service = None

    def state(self, events: Sequence[Event]) -> None:
        """What is stated is durable at once."""
        self.events += events

    def rounds(self, count: int = 1) -> list[Event]:
        """What is stated in the next rounds."""
        del self.events[:]
        for _ in range(count):
            self.clock.pump([0.5] * 20)
        return list(self.events)

    def test_everybody_is_asked_in_every_round(self) -> None:
        """Those of the settings and those of the inventory; each probe is closed."""
        self.start()
        self.rounds(2)
        self.assertEqual(sorted(self.fleet.asked), sorted(["web3", "web1", "root@web2"] * 3))
        self.assertEqual(self.fleet.closed, 3)

    def test_rounds_never_overlap(self) -> None:
        """One that takes longer skips the next."""
        self.fleet.takes = 12.0
        self.start()
        self.rounds(4)
        self.assertLessEqual(len(self.fleet.asked), 9)

    def test_failures_and_reboots_are_told_and_kept_over_a_restart(self) -> None:
        """Once."""
        self.start()
        self.fleet.says = {"web1": REFUSED}
        (failed,) = self.rounds(3)
        self.assertEqual((failed.kind, failed.fields["failing"]), (SWEEP_FAILED, 1))
        self.stop()
        self.fleet.up = -self.clock.seconds() + 5.0
        del self.events[:]
        self.start()
        told = [*self.events, *self.rounds(2)]
        self.assertEqual(
            [(event.kind, event.host) for event in told], [(HOST_REBOOTED, "web3"), (HOST_REBOOTED, "web2")]
        )
        kept = read_kept(self.folder / "sweeps" / "fleet.json", SweepKept)
        assert kept is not None
        self.assertEqual(kept.polled.rounds[-1].reasons, {"refused": 1})

    def test_a_host_that_goes_down_is_asked_at_once(self) -> None:
        """Only that one; its agent is dead."""
        service = self.start(every=300.0)
        self.agents["web2"] = Agent("web2", UP)
        del self.fleet.asked[:]
        self.agents["web2"] = Agent("web2", DOWN)
        service.heard([Event(kind=HOST_DOWN, host="web2"), Event(kind=HOST_DOWN, host="elsewhere")])
        self.clock.advance(1.1)
        self.assertEqual(self.fleet.asked, ["root@web2"])
        self.assertEqual([(event.kind, event.host) for event in self.events], [(AGENT_DEAD, "web2")])

    def test_a_host_that_goes_down_in_a_round_does_not_make_it_forget_that_this_server_stood_still(self) -> None:
        """It says nothing of its hosts then: their time passed while nobody heard them."""
        self.agents["web2"] = Agent("web2", DOWN)
        self.fleet.takes = 4.8
        self.fleet.says = {name: Failure("connect", "does not answer") for name in ("web1", "web3", "root@web2")}
        service = self.start(fail_after=1, of=1)
        self.clock.advance(0.5)
        self.clock.advance(3.0)
        service.heard([Event(kind=HOST_DOWN, host="web2")])
        self.clock.pump([0.1] * 30)
        self.assertEqual(len(self.fleet.asked), 4)
        self.assertIn("stood still", service.swept.kept.polled.rounds[-1].untrusted)

    def test_an_inventory_with_mistakes_changes_nothing(self) -> None:
        """It is told once, with its place; the next edit is read."""
        self.start()
        self.inventory.write_text("web1\n-oProxyCommand=id\n")
        (refused,) = self.rounds(3)
        self.assertEqual(refused.kind, SWEEP_REFUSED)
        self.assertIn("fleet.txt:2:1", refused.text)
        self.assertEqual(len(self.fleet.asked), 12)
        self.inventory.write_text("web9\n")
        self.rounds()
        self.assertEqual(sorted(self.fleet.asked[-2:]), ["web3", "web9"])

    def test_keys_that_cannot_be_used_are_told_once(self) -> None:
        """And the sweep goes on when they can."""
        self.fleet.refuses = "no such key"
        self.start()
        self.assertEqual(self.events[0].text, "sweep fleet: no such key")
        self.assertEqual(self.rounds(3), [])
        self.fleet.refuses = ""
        self.rounds()
        self.assertEqual(len(self.fleet.asked), 3)

    def test_stopping_gives_up_what_is_under_way(self) -> None:
        """Nothing is left that waits."""
        self.fleet.takes = 4.0
        self.start()
        self.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.fleet.closed, 1)

    def test_other_settings_are_followed(self) -> None:
        """Sweeps that are gone stop, those that changed begin anew."""
        sweeps = Sweeps({"a": self.sweep, "b": self.sweep}, self.state, self.folder, self.agents.get, self.clock)
        changed = structs.replace(self.sweep, every=20.0)
        sweeps.follow({"b": changed, "c": self.sweep})
        self.assertEqual({name: service.sweep for name, service in sweeps._sweeps.items()},
                         {"b": changed, "c": self.sweep})  # fmt: skip
        self.assertEqual(sorted(sweeps.known()), ["b", "c"])


class WholeTests(SynchronousTestCase):
    def test_a_sweep_asks_hosts_with_the_keys_of_its_files(self) -> None:
        """From the settings to what is kept, over a network in memory."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        net, ours, theirs = Net(), new_key(), new_key()
        net.listen("10.0.0.1", SshHost(theirs, "op", [ours], proc_uptime(lambda: 77.0, ""), net))
        (folder / "key").write_bytes(ours.toString("openssh"))
        (folder / "key").chmod(0o600)
        (folder / "known").write_text(known_line("10.0.0.1", theirs))
        sweep = Sweep(targets=("op@10.0.0.1", "op@10.0.0.2"), keys=(str(folder / "key"),),
                      known_hosts=(str(folder / "known"),), jitter=0.0)  # fmt: skip
        service = SweepService("fleet", sweep, lambda events: None, folder / "fleet.json", lambda host: None, net)
        service.startService()
        net.settle(0.5)
        service.stopService()
        kept = service.swept.kept
        self.assertEqual(kept.hosts["op@10.0.0.1"].seconds, 77.0)
        self.assertEqual(kept.polled.rounds[-1].reasons, {"refused": 1})
