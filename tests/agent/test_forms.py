"""What matching lines come to: counts, windows, silences, and what of them outlives the agent."""

import json
import unittest
from typing import Any

from monitor436.agent import event as stated
from monitor436.agent.match.forms import Count, Over, Silence


def kept(form: Any) -> Any:
    """What is kept of a form, as it comes back from the disk."""
    return json.loads(json.dumps(form.kept()))


def texts(told: Any) -> "list[str]":
    """The words of some news."""
    return [each[2] for each in told]


class CountTests(unittest.TestCase):
    def test_a_count_is_told_once_a_period(self) -> None:
        """And begins at zero again."""
        form = Count(60.0, 0.0)
        form.found(3, 10.0, True)
        self.assertEqual(form.turn(59.0, True, True), [])
        form.found(2, 59.5, True)
        [(kind, severity, text, count, fields)] = form.turn(60.0, True, True)
        self.assertEqual((kind, severity, text), (stated.LOG_COUNT, "", "5 lines in 1m"))
        self.assertEqual((fields, count), ({"count": 5, "seconds": 60.0}, 5))
        form.found(1, 61.0, True)
        self.assertEqual(texts(form.turn(120.0, True, True)), ["1 line in 1m"])

    def test_a_period_without_lines_is_no_news(self) -> None:
        """A sample of nothing."""
        self.assertEqual(Count(60.0, 0.0).turn(60.0, True, True), [])

    def test_turns_that_were_missed_are_one_longer_period(self) -> None:
        """And the next one keeps in step."""
        form = Count(60.0, 0.0)
        form.found(4, 10.0, True)
        self.assertEqual(texts(form.turn(190.0, True, True)), ["4 lines in 3m"])
        form.found(1, 200.0, True)
        self.assertEqual(texts(form.turn(239.0, True, True)), [])
        self.assertEqual(texts(form.turn(240.0, True, True)), ["1 line in 1m"])

    def test_a_count_goes_on_after_a_restart(self) -> None:
        """With the time that its period has left, on a clock that begins anew."""
        form = Count(60.0, 1000.0)
        form.found(4, 1010.0, True)
        after = Count(60.0, 0.0)
        after.resume(kept(form), -1030.0)  # it was 1030 when this was kept, and is 0 now
        after.found(1, 5.0, True)
        self.assertEqual(after.turn(29.0, True, True), [])
        self.assertEqual(texts(after.turn(30.0, True, True)), ["5 lines in 1m"])


class OverTests(unittest.TestCase):
    def test_more_lines_than_allowed_in_the_window_are_news_once(self) -> None:
        """Exactly as many as allowed are not."""
        form = Over(3, 60.0)
        self.assertEqual([texts(form.found(1, at, True)) for at in (0.0, 20.0, 40.0)], [[], [], []])
        [(kind, severity, text, count, fields)] = form.found(1, 59.0, True)
        self.assertEqual((kind, severity, text), (stated.LOG_OVER, "", "more than 3 lines in 1m"))
        self.assertEqual((fields["count"], count), (4, 4))
        self.assertEqual(form.found(5, 59.5, True), [])

    def test_the_window_moves_along(self) -> None:
        """Lines that are far apart never come together, however many they are."""
        form = Over(3, 60.0)
        for at in range(0, 2000, 20):
            self.assertEqual(form.found(1, float(at), True) + form.turn(float(at), True, True), [], at)

    def test_that_it_is_over_is_news_too(self) -> None:
        """As soon as the window holds no more than allowed."""
        form = Over(3, 60.0)
        form.found(10, 0.0, True)
        self.assertEqual(form.turn(59.9, True, True), [])
        [(kind, severity, text, _, _)] = form.turn(60.0, True, True)
        self.assertEqual((kind, severity, text), (stated.LOG_OVER, "info", "no longer more than 3 lines in 1m"))
        self.assertEqual(form.turn(61.0, True, True), [])
        self.assertEqual(texts(form.found(4, 70.0, True)), ["more than 3 lines in 1m"])

    def test_it_remembers_no_more_than_it_needs(self) -> None:
        """A flood of lines is a few moments."""
        form = Over(10, 3600.0)
        for at in range(1000):
            form.found(7, at / 10, True)
        self.assertLessEqual(len(kept(form)["found"]), 3)

    def test_a_window_goes_on_after_a_restart(self) -> None:
        """What was in it still counts, and what was told is not told again."""
        form = Over(3, 60.0)
        form.found(3, 10.0, True)
        after = Over(3, 60.0)
        after.resume(kept(form), 0.0)
        self.assertEqual(texts(after.found(1, 30.0, True)), ["more than 3 lines in 1m"])
        third = Over(3, 60.0)
        third.resume(kept(after), 0.0)
        self.assertEqual(third.found(1, 31.0, True), [])
        self.assertEqual(texts(third.turn(100.0, True, True)), ["no longer more than 3 lines in 1m"])


class SilenceTests(unittest.TestCase):
    def test_no_line_for_the_period_is_news_once(self) -> None:
        """A line starts the time again."""
        form = Silence(60.0, 0.0, True)
        self.assertEqual(form.turn(59.0, True, True), [])
        form.found(1, 59.0, True)
        self.assertEqual(form.turn(118.0, True, True), [])
        [(kind, severity, text, count, fields)] = form.turn(119.0, True, True)
        self.assertEqual((kind, severity, text), (stated.LOG_SILENT, "", "no line for 1m"))
        self.assertEqual((fields, count), ({"seconds": 60.0}, 0))
        self.assertEqual(form.turn(500.0, True, True), [])

    def test_the_first_line_after_it_is_news(self) -> None:
        """With how long nothing came."""
        form = Silence(60.0, 0.0, True)
        form.turn(60.0, True, True)
        [(_, severity, text, _, fields)] = form.found(2, 90.0, True)
        self.assertEqual((severity, text, fields), ("info", "a line again after 90s", {"seconds": 90}))
        self.assertEqual(form.found(1, 91.0, True), [])

    def test_time_asleep_is_no_silence(self) -> None:
        """What was quiet before the night counts on in the morning."""
        form = Silence(60.0, 0.0, True)
        form.turn(30.0, True, True)
        form.turn(31.0, False, True)
        form.turn(30000.0, False, True)
        form.turn(30001.0, True, True)
        self.assertEqual(form.turn(30030.0, True, True), [])
        self.assertEqual(texts(form.turn(30032.0, True, True)), ["no line for 1m"])

    def test_nothing_is_decided_while_something_may_be_unread(self) -> None:
        """A full spool holds logs up: what stands in them was not looked at yet."""
        form = Silence(60.0, 0.0, True)
        self.assertEqual(form.turn(100.0, True, False), [])
        self.assertEqual(texts(form.turn(101.0, True, True)), ["no line for 1m"])

    def test_a_deadline_goes_on_after_a_restart(self) -> None:
        """The time between two runs of one boot was silent too, if the lines read since say nothing else."""
        form = Silence(60.0, 0.0, True)
        form.turn(20.0, True, True)
        after = Silence(60.0, 50.0, True)
        after.resume(kept(form), 0.0)
        self.assertEqual(after.turn(59.0, True, True), [])
        self.assertEqual(texts(after.turn(60.0, True, True)), ["no line for 1m"])

    def test_a_deadline_goes_on_after_a_boot_without_the_time_in_between(self) -> None:
        """A machine that was off wrote no lines."""
        form = Silence(60.0, 1000.0, True)
        form.turn(1020.0, True, True)
        after = Silence(60.0, 5.0, True)
        after.resume(kept(form), 5.0 - 1020.0)
        self.assertEqual(after.turn(44.0, True, True), [])
        self.assertEqual(texts(after.turn(45.0, True, True)), ["no line for 1m"])

    def test_a_silence_that_was_told_is_not_told_again_after_a_restart(self) -> None:
        """And its end still is."""
        form = Silence(60.0, 0.0, True)
        form.turn(60.0, True, True)
        after = Silence(60.0, 70.0, True)
        after.resume(kept(form), 0.0)
        self.assertEqual(after.turn(300.0, True, True), [])
        self.assertEqual(texts(after.found(1, 300.0, True)), ["a line again after 5m"])
