"""The file of last-seen times, and what settles."""

import stat
import tempfile
import unittest
from pathlib import Path

from twisted.internet.task import Clock

from monitor436.last_seen import AT_ONCE, LastSeen, read_snapshot
from monitor436.model.hosts.roster import Roster
from monitor436.settling import AFTER, Settling


class LastSeenTests(unittest.TestCase):
    """A fleet of two and a half turns."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "roster.json")
        self.roster = Roster(lambda name: 15.0)
        self.names = [f"h{number:04}" for number in range(AT_ONCE * 5 // 2)]
        for number, name in enumerate(reversed(self.names)):
            self.roster.heard(name, number / 1000)
        self.kept = LastSeen(self.roster, self.path, "srv")

    def test_a_round_takes_some_turns_and_tells_of_its_beginning(self) -> None:
        """What is heard meanwhile has the age 0, what appears or goes is told of with the next round."""
        self.kept.begin(10.0, 1e9, 0.25)
        self.kept.turn()
        self.assertIsNone(read_snapshot(self.path))
        self.roster.heard(self.names[0], 11.0)
        self.roster.heard("new", 11.0)
        self.roster.forget(self.names[1])
        self.kept.turn()
        self.kept.turn()
        self.assertFalse(self.kept.busy)
        snapshot = read_snapshot(self.path)
        assert snapshot is not None
        self.assertEqual((snapshot.wall, snapshot.server, snapshot.lag), (1e9, "srv", 0.25))
        ages = {seen.name: seen.age for seen in snapshot.hosts}
        self.assertEqual(list(ages), [name for name in self.names if name != self.names[1]])
        self.assertEqual((ages[self.names[0]], ages[self.names[-1]]), (0.0, 10.0))

    def test_until_a_round_is_done_the_one_before_is_there(self) -> None:
        """A server that is killed in the middle has it, and one that is stopped begins anew."""
        self.kept.keep(10.0, 1.0, 0.0)
        self.kept.begin(20.0, 2.0, 0.0)
        self.kept.turn()
        self.assertEqual(read_snapshot(self.path).wall, 1.0)  # type: ignore[union-attr]
        self.kept.keep(30.0, 3.0, 0.0)
        self.assertEqual(read_snapshot(self.path).wall, 3.0)  # type: ignore[union-attr]

    def test_nobody_else_reads_it_and_nothing_is_left_beside_it(self) -> None:
        """Names and addresses of a site."""
        self.path.with_name("roster.json.new").write_text("left by a power cut")
        self.kept.keep(10.0, 1.0, 0.0)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual([path.name for path in self.path.parent.iterdir()], ["roster.json"])

    def test_a_fleet_without_hosts_is_kept_too(self) -> None:
        """As a list that is empty."""
        LastSeen(Roster(lambda name: 15.0), self.path, "srv").keep(1.0, 1.0, 0.0)
        self.assertEqual(read_snapshot(self.path).hosts, [])  # type: ignore[union-attr]

    def test_a_disk_that_fails_does_not_end_it(self) -> None:
        """The next round may succeed."""
        gone = LastSeen(self.roster, self.path.parent / "gone" / "roster.json", "srv")
        gone.begin(1.0, 1.0, 0.0)
        with self.assertRaises(OSError):
            gone.turn()
        gone.turn()
        self.assertFalse(gone.busy)


class SettlingTests(unittest.TestCase):
    """Once, and only while it runs."""

    def test_it_settles_once(self) -> None:
        """When the fleet is there."""
        clock, settled = Clock(), []
        service = Settling(clock, lambda: settled.append(clock.seconds()))
        service.startService()
        clock.pump([AFTER / 10] * 100)
        service.stopService()
        self.assertEqual(len(settled), 1)
        self.assertAlmostEqual(settled[0], AFTER)

    def test_a_server_that_is_stopped_earlier_leaves_nothing(self) -> None:
        """No call remains."""
        clock = Clock()
        service = Settling(clock)
        service.startService()
        service.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])
