"""When checks are due."""

import unittest

from monitor436.agent.schedule import SOON, Schedule


class ScheduleTests(unittest.TestCase):
    def test_the_first_turn_is_soon(self) -> None:
        """However seldom the others are, and never after one interval."""
        for every in (0.5, 60.0, 86400.0):
            for name in ("a", "b", "c", "d"):
                due = Schedule(name, every, 100.0).due - 100.0
                self.assertTrue(0 <= due < min(every, SOON), (name, every))

    def test_checks_spread(self) -> None:
        """A hundred of them leave no second of the first ten empty, nor fill one."""
        seconds = [int(Schedule("check {}".format(number), 60.0, 0.0).due) for number in range(100)]
        counts = [seconds.count(second) for second in range(10)]
        self.assertTrue(all(3 <= count <= 20 for count in counts), counts)

    def test_the_moment_of_a_check_is_the_same_after_each_start(self) -> None:
        """It depends on the name only."""
        self.assertEqual(Schedule("a", 60.0, 0.0).due, Schedule("a", 60.0, 500.0).due - 500.0)

    def test_turns_keep_their_step(self) -> None:
        """A turn taken late does not move the next one."""
        schedule = Schedule("a", 60.0, 0.0)
        first = schedule.due
        schedule.turn(first + 7.0)
        self.assertAlmostEqual(schedule.due, first + 60.0)

    def test_missed_turns_are_skipped(self) -> None:
        """The next one is always still to come, by less than a step."""
        schedule = Schedule("a", 60.0, 0.0)
        first = schedule.due
        schedule.turn(first + 600.5)
        self.assertAlmostEqual(schedule.due, first + 660.0)
        schedule.turn(schedule.due)
        self.assertAlmostEqual(schedule.due, first + 720.0)


if __name__ == "__main__":
    unittest.main()
