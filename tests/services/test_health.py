"""How the server itself is."""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.agent.store.spool import LIMIT
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.server.crowd import Crowd
from monitor436.model.server.lag import Lag, Stopwatch
from monitor436.model.server.troubles import LIMITS
from monitor436.model.server.vitals import Vitals
from monitor436.services.health import EVERY, Gauges, Health, kernel_drops, timed
from monitor436.state_folder import read_kept

TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  345: 00000000:1108 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 27130 2 0000000000000000 17
  346: 0100007F:1109 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 27131 2 0000000000000000 99
  347: 0200007F:1108 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 27132 2 0000000000000000 3
"""


class HealthTests(SynchronousTestCase):
    """A server whose values are made up."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[Event] = []
        self.lag, self.syncs = Lag(), Stopwatch()
        self.drops = 1000
        self.refused: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self.spools: dict[str, int] = {}
        self.unwritten = ""
        self.held: list[str] = []
        self.kept = Path(tempfile.mkdtemp()) / "vitals.json"
        self.addCleanup(lambda: shutil.rmtree(self.kept.parent, ignore_errors=True))
        waiting, unwritten = lambda: list(self.spools.items()), lambda: self.unwritten
        gauges = Gauges(
            self.lag, self.syncs, lambda: self.drops, self.refused, self.heard, waiting, unwritten, Crowd(1, 1),
            lambda: self.held,
        )  # fmt: skip
        self.health = Health(gauges, self.told.extend, self.kept, "srv", self.clock.seconds, self.clock)
        self.health.startService()
        self.addCleanup(self.health.stopService)

    def passes(self, seconds: float) -> list[tuple[object, object]]:
        """Which troubles begin and end meanwhile."""
        self.told.clear()
        self.clock.pump([EVERY] * int(seconds / EVERY))
        self.assertLessEqual({event.kind for event in self.told}, {kinds.SERVER_TROUBLE})
        return [(event.fields["trouble"], event.fields["state"]) for event in self.told]

    def test_a_server_that_is_well_tells_nothing(self) -> None:
        """Whatever it dropped before it started."""
        self.assertEqual(self.passes(3600), [])

    def test_dropped_datagrams_are_told_once_and_when_it_is_over(self) -> None:
        """A minute without any."""
        self.drops += 7
        self.assertEqual(self.passes(EVERY), [("kernel_drops", "begun")])
        self.assertIn("7 datagrams", self.told[0].text)
        for _ in range(5):
            self.drops += 1
            self.assertEqual(self.passes(30), [])
        self.assertEqual(self.passes(60), [("kernel_drops", "over")])

    def test_hosts_that_send_too_much_are_named(self) -> None:
        """Until none has for a minute."""
        self.held = ["web1", "web2"]
        self.assertEqual(self.passes(EVERY), [("pace", "begun")])
        self.assertIn("2 of the hosts", self.told[0].text)
        self.assertIn("(web1, web2)", self.told[0].text)
        self.held = []
        self.assertEqual(self.passes(90), [("pace", "over")])

    def test_lag_has_to_fall_well_below_its_limit(self) -> None:
        """Around the limit there is no news."""
        for value, told in ((0.9, []), (1.1, [("lag", "begun")]), (0.9, []), (1.1, []), (0.4, [("lag", "over")])):
            for _ in range(600):
                self.lag.took(value)
            self.assertEqual(self.passes(90), told, value)

    def test_a_disk_that_does_not_come_back_is_told_while_it_does_not(self) -> None:
        """Its sync is not over yet."""
        waiting: Deferred[None] = Deferred()
        timed(lambda call: waiting, self.syncs, self.clock.seconds)(lambda: None)
        self.assertEqual(self.passes(EVERY), [("sync", "begun")])
        self.assertEqual(self.passes(120), [])
        waiting.callback(None)
        self.assertEqual(self.passes(120), [("sync", "over")])

    def test_refusals_matter_if_they_last_and_are_more_than_what_is_taken(self) -> None:
        """A fleet that greets a restarted server is no trouble, nor is one neighbour with a wrong key."""

        def refuse(a_second: int, taken: int, seconds: float) -> list[tuple[object, object]]:
            told = []
            for _ in range(int(seconds / EVERY)):
                self.refused["session"] += int(a_second * EVERY)
                self.heard["BEAT"] += int(taken * EVERY)
                told += self.passes(EVERY)
            return told

        self.assertEqual(refuse(2000, 0, 20.0), [])
        self.assertEqual(refuse(2000, 3000, 60.0), [])
        self.assertEqual(refuse(20, 0, 60.0), [])
        self.assertEqual(refuse(2000, 100, 60.0), [("refused", "begun")])
        self.assertEqual(refuse(2000, 100, 600.0), [])
        self.assertEqual(refuse(0, 100, 70.0), [("refused", "over")])

    def test_reasons_are_told(self) -> None:
        """The most frequent first."""
        for _ in range(8):
            self.refused.update({"tag": 500, "size": 600})
            self.passes(EVERY)
            if self.health.troubles.present():
                break
        self.assertIn("(size 600, tag 500)", self.told[0].text)

    def test_a_spool_that_fills_is_told_with_its_host(self) -> None:
        """And when there is room again."""
        self.spools.update(web1=LIMIT * 8 // 10, web2=100)
        self.assertEqual(self.passes(EVERY), [("spools", "begun")])
        self.assertIn("web1 80%", self.told[0].text)
        self.spools.update(web1=LIMIT * 6 // 10)
        self.assertEqual(self.passes(300), [])
        self.spools.clear()
        self.assertEqual(self.passes(90), [("spools", "over")])

    def test_a_disk_that_fails_is_told_with_the_reason(self) -> None:
        """Once, though it is tried again every few seconds; over after a minute in which it worked."""
        self.unwritten = "No space left on device"
        self.assertEqual(self.passes(EVERY), [("disk", "begun")])
        self.assertEqual((self.told[0].severity, "No space left" in self.told[0].text), ("critical", True))
        for unwritten in ("", "No space left on device") * 5:
            self.unwritten = unwritten
            self.assertEqual(self.passes(30), [])
        self.unwritten = ""
        self.assertEqual(self.passes(65), [("disk", "over")])

    def test_every_trouble_can_begin_and_end(self) -> None:
        """Each as one event; together they are all that there are limits for."""
        for _ in range(600):
            self.lag.took(2.0)
        self.syncs.starts(self.clock.seconds())
        self.spools["web1"] = LIMIT
        self.unwritten = "Input/output error"
        self.held = ["web1"]
        told = []
        for _ in range(8):
            self.drops += 1
            self.refused["tag"] += 1000
            told += self.passes(EVERY)
        self.assertEqual(sorted(told), sorted((name, "begun") for name in LIMITS))
        self.assertEqual(self.health.troubles.present().keys(), LIMITS.keys())
        self.syncs.stops(self.clock.seconds())
        self.spools.clear()
        self.unwritten, self.held = "", []
        for _ in range(600):
            self.lag.took(0.0)
        self.assertEqual(sorted(self.passes(90)), sorted((name, "over") for name in LIMITS))
        self.assertEqual(self.passes(600), [])

    def test_what_is_measured_is_kept_for_whoever_asks(self) -> None:
        """Counts since the start of this server, though the kernel counts for longer; troubles in their words."""
        self.heard["BEAT"] += 5
        self.refused["tag"] += 2
        self.drops += 3
        self.spools["web1"] = LIMIT // 2
        self.passes(EVERY)
        kept = read_kept(self.kept, Vitals)
        assert kept is not None
        self.assertEqual((kept.server, kept.process, kept.up), ("srv", os.getpid(), EVERY))
        self.assertEqual((kept.heard["BEAT"], kept.refused, kept.dropped), (5, {"tag": 2}, 3))
        self.assertEqual(kept.fullest, {"web1": 0.5})
        self.assertEqual(kept.troubles, {"kernel_drops": "the kernel dropped 3 datagrams that were not read in time"})
        self.passes(90)
        kept = read_kept(self.kept, Vitals)
        assert kept is not None
        self.assertEqual((kept.dropped, kept.troubles), (3, {}))

    def test_a_file_that_cannot_be_kept_is_in_nobodys_way(self) -> None:
        """Troubles are told all the same."""
        shutil.rmtree(self.kept.parent)
        self.drops += 1
        self.assertEqual(self.passes(EVERY), [("kernel_drops", "begun")])
        self.assertIsNone(read_kept(self.kept, Vitals))


class GaugeTests(SynchronousTestCase):
    """Where values come from."""

    def test_drops_are_those_of_our_port(self) -> None:
        """On all addresses; none where the kernel has no such table."""
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder, "udp")
            self.assertEqual(kernel_drops(4360, table), 0)
            table.write_text(TABLE)
            self.assertEqual([kernel_drops(port, table) for port in (4360, 4361, 1)], [20, 99, 0])

    def test_the_stopwatch_tells_the_longest_since_it_was_asked(self) -> None:
        """And what is under way."""
        watch = Stopwatch()
        for begins, ends in ((0.0, 2.0), (2.0, 2.5), (3.0, 4.0)):
            watch.starts(begins)
            watch.stops(ends)
        self.assertEqual((watch.count, watch.total), (3, 3.5))
        self.assertEqual(watch.longest(5.0), 2.0)
        self.assertEqual(watch.longest(5.0), 0.0)
        watch.starts(6.0)
        self.assertEqual([watch.longest(now) for now in (7.0, 9.0)], [1.0, 3.0])

    def test_one_in_a_hundred_may_be_later(self) -> None:
        """Of the last ones."""
        lag = Lag(200)
        self.assertEqual(lag.p99(), 0.0)
        for delay in [9.0] * 50 + [0.1] * 199 + [3.0]:
            lag.took(delay)
        self.assertEqual((lag.p99(), lag.worst()), (0.1, 3.0))
