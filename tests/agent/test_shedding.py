"""A spool that is too full or too old: what goes, in which order, and that every gap is told exactly."""

import os
import random
import shutil
import tempfile
import unittest
from typing import Any

from monitor436.agent import event as stated
from monitor436.agent.store import segment as records
from monitor436.agent.store.spool import Spool

MIB = 1024 * 1024


class SheddingCase(unittest.TestCase):
    """Shared: a spool of 4 MiB, and what a server would see of it."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.runs = 0
        self.written = {}  # type: dict[str, int]
        self.spool = self.open()
        self.addCleanup(lambda: self.spool.close())

    def open(self) -> Spool:
        """The next run of the agent."""
        self.runs += 1
        return Spool(self.folder, "{:016x}".format(self.runs), 4 * MIB)

    def write(self, *severities: str, kind: str = stated.LOG_LINE) -> None:
        """Append events of these severities ("metric" is one too), a hundred at a time."""
        for at in range(0, len(severities), 100):
            some = [self.made(severity, kind) for severity in severities[at : at + 100]]
            self.spool.append(some, {"/log": self.written[self.spool.id]})
            self.assertLess(self.spool.size, 4.1 * MIB)

    def made(self, severity: str, kind: str) -> "dict[str, object]":
        """The next event, which says its own number."""
        number = self.written[self.spool.id] = self.written.get(self.spool.id, 0) + 1
        severity, kind = ("info", stated.METRIC) if severity == stated.METRIC else (severity, kind)
        return stated.event(kind, severity, "{} {}".format(number, "x" * 400), 1.0)

    def restart(self) -> None:
        """As after a kill."""
        os.close(self.spool._file)
        self.spool._reader.close()
        self.spool = self.open()

    def drain(self) -> "list[tuple[str, int, int, Any]]":
        """Everything a server gets after a restart: (spool, first number, number, event)."""
        self.restart()
        taken = []
        while True:
            some = self.spool.take(1000)
            if not some:
                return [(spool, first, last, records.json.loads(raw.decode())) for spool, first, last, raw in taken]
            taken += some

    def assert_whole(self, drained: "list[tuple[str, int, int, Any]]") -> None:
        """The numbers of each spool are there once each, as an event or inside a loss; events have their number."""
        reached = {}  # type: dict[str, int]
        for spool, first, last, each in drained:
            self.assertEqual(first, reached.get(spool, 0) + 1)
            reached[spool] = last
            if each["kind"] == stated.LOST:
                self.assertEqual(each["fields"]["count"], last - first + 1)
            else:
                self.assertEqual((first, each["text"].split()[0]), (last, str(last)))
        self.assertEqual(reached, self.written)


class SheddingTests(SheddingCase):
    def test_the_least_important_goes_first_and_the_oldest_of_it(self) -> None:
        """Metrics, then info, then warnings; critical events stay as long as there is anything else."""
        self.write(*["metric", "info", "warning", "critical"] * 6000)
        drained = self.drain()
        self.assert_whole(drained)
        left = [
            [last for _, _, last, each in drained if each["kind"] != stated.LOST and records.rank(each) == n]
            for n in range(4)
        ]
        self.assertEqual(len(left[3]), 6000)
        counts = [len(each) for each in left]
        self.assertEqual(sorted(counts), counts)
        self.assertLess(counts[2], 6000)
        self.assertEqual(left[2], list(range(left[2][0], 24000, 4)), "the oldest warnings went")

    def test_bounds_hold_when_everything_is_critical(self) -> None:
        """Then the oldest go."""
        self.write(*["critical"] * 20000)
        drained = self.drain()
        self.assert_whole(drained)
        lost = [each["kind"] == stated.LOST for _, _, _, each in drained]
        self.assertEqual(sorted(lost, reverse=True), lost)
        self.assertEqual(drained[-1][2], 20000)

    def test_logs_wait_before_anything_goes(self) -> None:
        """The log is the better buffer."""
        while not self.spool.full:
            self.write("info")
        self.assertLess(self.spool.size, 3.1 * MIB)
        self.assertNotIn(stated.LOST, [each["kind"] for _, _, _, each in self.drain()])

    def test_what_is_kept_outlives_what_goes(self) -> None:
        """Positions stand in the newest segment."""
        self.write(*["info"] * 15000)
        self.restart()
        self.assertEqual(self.spool.kept["/log"], 15000)

    def test_what_a_server_has_is_no_loss(self) -> None:
        """Only numbers after the last acknowledged one are told."""
        self.write(*["info"] * 4000)
        self.spool.acknowledge(self.spool.id, 3500)
        self.write(*["info"] * 16000)
        _, first, last, event = self.drain()[0]
        self.assertEqual((first, event["kind"], event["fields"]["count"]), (3501, stated.LOST, last - 3500))

    def test_a_server_that_has_more_than_it_could_say_is_told_of_the_rest(self) -> None:
        """Its answer was lost, then the events were, and the agent was started anew: the range begins after them."""
        self.write(*["info"] * 20000)
        before = self.spool.id
        self.restart()
        self.spool.acknowledge(before, 500)
        spool, first, last, raw = self.spool.take(1)[0]
        event = records.json.loads(raw.decode())
        self.assertEqual((spool, first, event["kind"]), (before, 501, stated.LOST))
        self.assertEqual((event["lost"], event["fields"]["count"]), (last - 501, last - 500))
        self.assertIn("{} events were lost".format(last - 500), event["text"])

    def test_a_random_life_leaves_no_number_out(self) -> None:
        """Restarts and floods, as the dice say: whatever comes out, every number is in it once."""
        dice = random.Random(436)
        for _ in range(12):
            self.write(*dice.choices(("metric", "info", "warning", "critical"), k=dice.randrange(4000)))
            if dice.random() < 0.5:
                self.restart()
        self.assert_whole(self.drain())


class AgeTests(SheddingCase):
    def age(self, days: int) -> None:
        """So many days pass, hour by hour."""
        for _ in range(days * 24):
            self.spool.age(3600.0)

    def test_after_seven_days_nobody_wants_to_know(self) -> None:
        """Counted while the agent runs: nothing here looks at a clock that somebody may set."""
        self.write(*["critical"] * 3000)
        self.age(9)
        self.write("critical")
        drained = self.drain()
        self.assert_whole(drained)
        self.assertEqual([each["kind"] for _, _, _, each in drained].count(stated.LOST), len(drained) - 1)

    def test_what_is_younger_stays(self) -> None:
        """To the hour."""
        self.write("info")
        self.age(6)
        self.assertEqual(self.drain()[0][3]["kind"], stated.LOG_LINE)

    def test_the_clock_goes_on_after_a_restart(self) -> None:
        """An event of an earlier run has its age."""
        self.write("info")
        for _ in range(8):
            self.restart()
            self.age(1)
        self.assertEqual(self.drain()[0][3]["kind"], stated.LOST)

    def test_a_simulated_day_without_a_server(self) -> None:
        """Metrics all the time, and bursts of everything else: bounds hold, and the ranges are exact."""
        dice = random.Random(24)
        for _ in range(24):
            self.write(*["metric"] * 360)
            for _ in range(dice.randrange(6)):
                self.write(*dice.choices(("info", "warning", "critical"), weights=(6, 3, 1), k=dice.randrange(300)))
            self.spool.age(3600.0)
        drained = self.drain()
        self.assert_whole(drained)
        kinds = {each["kind"] if each["kind"] == stated.METRIC else each["severity"] for _, _, _, each in drained}
        self.assertIn("warning", kinds)
