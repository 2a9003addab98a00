"""Services that act as time passes: plans, liveness, beacons."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.agent import wire
from monitor436.agent.link.joining import read_beacon
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.roster import Roster
from monitor436.model.keys.site_keys import SiteKeys
from monitor436.model.settings.hosts import Beacon
from monitor436.services.beacon import FIRST, SOON, BeaconService, networks
from monitor436.services.liveness import EVERY, PULSE, Liveness, read_snapshot
from monitor436.services.plans import Plans

GOOD = 'hosts: ["*"]\nchecks:\n  load:\n    reading: load1\n    warning: above {}\n'


class Stated:
    """Takes events, as the event log does."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def state(self, events: list[Event]) -> None:
        self.events += events

    def kinds(self) -> list[str]:
        """What was stated since the last call."""
        kinds, self.events = [event.kind for event in self.events], []
        return kinds


class PlansTests(SynchronousTestCase):
    """A folder that is edited."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock, self.stated, self.changed = Clock(), Stated(), []  # type: ignore[var-annotated]
        self.edits = 0
        self.write(GOOD.format(5))

    def start(self, every: float = 1.0) -> None:
        """Read the folder and look at it every so many seconds."""
        self.plans = Plans(str(self.folder), every, (5.0, 15.0), ((), 60.0), self.stated.state, self.clock)  # type: ignore[arg-type]
        self.plans.changed = lambda hosts: self.changed.extend(hosts)
        self.plans.startService()
        self.addCleanup(self.plans.stopService)

    def write(self, text: str) -> None:
        """An edit at another time than the one before: many kernels tell no times apart within some milliseconds."""
        file = self.folder / "all.yaml"
        file.write_text(text)
        self.edits += 1
        os.utime(file, (self.edits, self.edits))

    def test_an_edit_is_read_when_it_has_stood_still(self) -> None:
        """Hosts that were told another digest are named; an edit that changes no plan names none."""
        self.start()
        before = self.plans.digest("web1")
        self.write(GOOD.format(6))
        self.clock.advance(1.0)
        self.assertEqual(self.plans.digest("web1"), before)
        self.clock.advance(1.0)
        self.assertNotEqual(self.plans.digest("web1"), before)
        self.assertEqual(self.changed, ["web1"])
        self.write("# a comment\n" + GOOD.format(6))
        self.clock.pump([1.0, 1.0])
        self.assertEqual(self.changed, ["web1"])

    def test_a_change_that_was_seen_is_read_soon(self) -> None:
        """However rarely the folder is looked at; but not before it stood still for half a second."""
        self.start(60.3)
        before = self.plans.digest("web1")
        self.write(GOOD.format(6))
        self.clock.advance(60.3)
        self.clock.advance(0.4)
        self.assertEqual(self.plans.digest("web1"), before)
        self.clock.pump([0.1] * 5)
        self.assertNotEqual(self.plans.digest("web1"), before)
        self.assertEqual(self.plans.every, 60.3)

    def test_a_file_that_keeps_changing_waits(self) -> None:
        """Half of it is never read."""
        self.start()
        before = self.plans.digest("web1")
        for number in range(6, 20):
            self.write(GOOD.format(number) + "#" * number)
            self.clock.advance(1.0)
            self.assertEqual(self.plans.digest("web1"), before)

    def test_a_mistake_changes_nothing_and_is_told_once_with_its_place(self) -> None:
        """The old plan stays, until the file is good again."""
        self.start()
        before = self.plans.digest("web1")
        self.stated.kinds()
        self.write(GOOD.format("many"))
        self.clock.pump([1.0] * 5)
        (refused,) = self.stated.events
        self.assertEqual(refused.kind, kinds.PLANS_REFUSED)
        self.assertIn("all.yaml:5:14", refused.text)
        self.assertEqual((self.plans.digest("web1"), self.changed), (before, []))
        self.write(GOOD.format(7))
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.changed, ["web1"])

    def test_a_server_that_starts_with_a_mistake_asks_no_host_to_drop_its_plan(self) -> None:
        """It wants none, until it knows what it wants."""
        self.write("nonsense")
        self.start()
        self.assertEqual(self.plans.digest("web1"), "")


class LivenessTests(SynchronousTestCase):
    """The roster, looked at as time passes."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock, self.stated, self.pings = Clock(), Stated(), []  # type: ignore[var-annotated]
        self.told: dict[str, tuple[str, float]] = {}
        self.start()

    def start(self) -> None:
        """The next run of the server."""
        self.roster = Roster(lambda name: 15.0)
        keeps, clock = self.folder / "roster.json", self.clock
        self.liveness = Liveness(self.roster, self.stated, self.pings.append, keeps, "demo", clock.seconds, clock)  # type: ignore[arg-type]
        self.liveness.told = lambda host: self.told.get(host, ("", 0.0))
        self.liveness.startService()

    def passes(self, seconds: float) -> None:
        """Time, in steps as the service takes them."""
        self.clock.pump([EVERY] * int(seconds / EVERY))

    def test_a_silent_host_is_late_asked_and_down(self) -> None:
        """Within one look of each deadline."""
        self.roster.heard("web1", self.clock.seconds())
        self.passes(14.5)
        self.assertEqual(self.stated.kinds(), [])
        self.pings.clear()
        self.passes(0.5)
        self.assertEqual((self.stated.kinds(), self.pings), ([kinds.HOST_LATE], ["web1"]))
        self.passes(3.0)
        self.assertEqual((self.stated.kinds(), len(self.pings)), ([kinds.HOST_DOWN], 3))

    def test_a_server_that_stood_still_blames_nobody(self) -> None:
        """Twenty seconds in which it could hear nothing."""
        self.roster.heard("web1", self.clock.seconds())
        self.passes(2.0)
        self.clock.advance(20.0)
        self.passes(12.0)
        self.assertEqual(self.stated.kinds(), [])
        self.assertEqual(len(self.flushWarnings()), 0)
        self.passes(3.0)
        self.assertEqual(self.stated.kinds(), [kinds.HOST_LATE])

    def test_a_stand_still_is_as_many_late_samples_as_it_was_long(self) -> None:
        """Six seconds are a tenth of the last minute, however few samples could be taken in them."""
        self.clock.pump([PULSE] * 600)
        self.assertLess(self.liveness.lag.p99(), 0.001)
        self.clock.advance(0.5 + PULSE)
        self.assertLess(self.liveness.lag.p99(), 0.001)  # five of 600
        self.clock.advance(6.0 + PULSE)
        self.assertGreater(self.liveness.lag.p99(), 5.0)
        self.assertAlmostEqual(self.liveness.lag.worst(), 6.0)
        self.clock.pump([PULSE] * 600)
        self.assertLess(self.liveness.lag.p99(), 0.001)
        self.clock.advance(1e6)
        self.assertGreater(self.liveness.lag.p99(), 1e5)

    def test_a_restart_repeats_no_verdict(self) -> None:
        """What is kept is what `monitor436 hosts` shows."""
        self.roster.heard("web1", self.clock.seconds())
        self.passes(20.0)
        self.stated.kinds()
        self.liveness.stopService()
        snapshot = read_snapshot(self.folder / "roster.json")
        self.assertEqual([(seen.name, seen.state) for seen in snapshot.hosts], [("web1", "down")])  # type: ignore[union-attr]
        self.start()
        self.passes(60.0)
        self.assertEqual(self.stated.kinds(), [])

    def test_what_was_told_and_not_kept_any_more_is_known_from_the_events(self) -> None:
        """A server that is killed right after a verdict; without that the return would be none."""
        for host in ("web1", "web2", "web3"):
            self.roster.heard(host, self.clock.seconds())
        self.passes(5.0)
        self.liveness.stopService()
        self.stated.kinds()
        self.told = {"web1": ("down", time.time()), "web2": ("late", time.time())}
        self.start()
        events = [*self.roster.heard("web1", self.clock.seconds()), *self.roster.heard("web2", self.clock.seconds())]
        self.assertEqual([(event.kind, event.host) for event in events], [(kinds.HOST_UP, "web1")])
        self.assertLess(float(events[0].fields["seconds"]), 30.0)

    def test_a_return_that_was_told_is_not_told_again(self) -> None:
        """Though what was kept says that the host is down."""
        self.roster.heard("web1", self.clock.seconds())
        self.passes(20.0)
        self.liveness.stopService()
        self.told = {"web1": ("up", time.time())}
        self.start()
        self.assertEqual(list(self.roster.heard("web1", self.clock.seconds())), [])

    def test_a_damaged_snapshot_counts_as_none(self) -> None:
        """The server starts all the same."""
        for content in (b"", b"{}", b"\xff\x00", b'{"wall":1,"server":"x","hosts":[{}]}'):
            (self.folder / "roster.json").write_bytes(content)
            self.assertIsNone(read_snapshot(self.folder / "roster.json"))


class Socket:
    """Remembers what is sent, and fails for some addresses."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def sendto(self, datagram: bytes, address: tuple[str, int]) -> None:
        if address[0] == "10.9.9.255":
            raise OSError(101, "Network is unreachable")
        self.sent.append((datagram, address))


class BeaconTests(SynchronousTestCase):
    """I am here."""

    def test_beacons_come_quickly_at_first_and_one_failing_network_stops_no_other(self) -> None:
        """Each is one that an agent of the site reads; the failure is told once."""
        clock, keys = Clock(), SiteKeys(b"s" * 32)
        settings = Beacon(port=4361, every=5.0, to=("10.9.9.255", "10.0.0.255"))
        service = BeaconService(settings, keys, lambda: {"server": "demo", "boot": "b", "port": 1, "door": 2}, clock)  # type: ignore[arg-type]
        service.startService()
        service._socket.close()  # type: ignore[union-attr]
        service._socket = Socket()  # type: ignore[assignment]
        for _ in range(FIRST):
            clock.advance(SOON)
        early = len(service._socket.sent)  # type: ignore[attr-defined, union-attr]
        clock.pump([5.0] * 4)
        sent = service._socket.sent  # type: ignore[attr-defined, union-attr]
        self.assertGreaterEqual(early, FIRST - 1)
        self.assertEqual(len(sent) - early, 4)
        for datagram, address in sent:
            self.assertEqual(address, ("10.0.0.255", 4361))
            self.assertEqual(read_beacon(datagram, keys.for_beacons()[0])["server"], "demo")
            with self.assertRaises(wire.WireError):
                read_beacon(datagram, wire.Key(b"another site's key" * 2))
        service._loop.stop()

    def test_this_machine_has_at_least_one_network(self) -> None:
        """Loopback, with a broadcast address."""
        self.assertIn(("127.0.0.1", "127.255.255.255"), networks())
