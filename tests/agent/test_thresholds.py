"""Values against limits, and how many runs it takes."""

import unittest

from monitor436.agent.notation import After, Limit
from monitor436.agent.probe.thresholds import CRITICAL, OK, WARNING, Steady, judge


def above(value: float, until: "float | None" = None) -> Limit:
    """Such a limit."""
    return Limit("above", value, value if until is None else until)


def below(value: float, until: "float | None" = None) -> Limit:
    """Such a limit."""
    return Limit("below", value, value if until is None else until)


class JudgeTests(unittest.TestCase):
    def test_a_value_is_judged_by_the_worse_limit_it_crosses(self) -> None:
        """The limit itself is not crossed."""
        for value, state in ((5.0, OK), (5.1, WARNING), (10.0, WARNING), (10.1, CRITICAL)):
            self.assertEqual(judge(value, above(5.0), above(10.0)), state, value)
        for value, state in ((10.0, OK), (9.9, WARNING), (5.0, WARNING), (4.9, CRITICAL)):
            self.assertEqual(judge(value, below(10.0), below(5.0)), state, value)

    def test_limits_may_be_absent(self) -> None:
        """One of them, or both."""
        self.assertEqual(judge(99.0, None, None), OK)
        self.assertEqual(judge(99.0, above(5.0), None), WARNING)
        self.assertEqual(judge(99.0, None, above(5.0)), CRITICAL)

    def test_limits_may_look_in_both_directions(self) -> None:
        """Too much and too little."""
        self.assertEqual(judge(1.0, above(5.0), below(2.0)), CRITICAL)
        self.assertEqual(judge(6.0, above(5.0), below(2.0)), WARNING)

    def test_a_limit_that_was_crossed_is_crossed_until_the_value_has_come_back(self) -> None:
        """To where the plan says that it is over, or beyond."""
        for value, before, state in (
            (85.0, OK, OK),
            (81.0, WARNING, WARNING),
            (80.0, WARNING, OK),
            (91.0, WARNING, WARNING),
            (91.0, CRITICAL, CRITICAL),
            (90.0, CRITICAL, WARNING),
            (81.0, CRITICAL, WARNING),
            (79.0, CRITICAL, OK),
        ):
            self.assertEqual(judge(value, above(85.0, 80.0), above(95.0, 90.0), before), state, (value, before))
        for value, before, state in ((9.0, OK, WARNING), (14.0, WARNING, WARNING), (15.0, WARNING, OK), (11.0, OK, OK)):
            self.assertEqual(judge(value, below(10.0, 15.0), None, before), state, (value, before))


class SteadyTests(unittest.TestCase):
    def changes(self, steady: Steady, *levels: str) -> "list[str]":
        """What each run changes, as "before>after"."""
        told = []
        for level in levels:
            was = steady.add(level)
            told.append("{}>{}".format(was, steady.state) if was else "")
        return told

    def test_only_a_change_is_told(self) -> None:
        """By what was before it."""
        told = self.changes(Steady(After(1, 1)), OK, WARNING, WARNING, CRITICAL, OK)
        self.assertEqual(told, ["", "ok>warning", "", "warning>critical", "critical>ok"])

    def test_so_many_runs_in_a_row(self) -> None:
        """And over with the first good one."""
        told = self.changes(Steady(After(2, 2)), WARNING, OK, WARNING, WARNING, OK)
        self.assertEqual(told, ["", "", "", "ok>warning", "warning>ok"])

    def test_so_many_of_the_last_runs(self) -> None:
        """Over as soon as fewer are bad."""
        told = self.changes(Steady(After(2, 3)), WARNING, OK, WARNING, WARNING, OK, OK, WARNING)
        self.assertEqual(told, ["", "", "ok>warning", "", "", "warning>ok", ""])

    def test_a_worse_run_counts_for_the_lesser_level_too(self) -> None:
        """Critical and warning are twice a warning, and not yet critical."""
        told = self.changes(Steady(After(2, 3)), CRITICAL, WARNING, CRITICAL)
        self.assertEqual(told, ["", "ok>warning", "warning>critical"])

    def test_it_is_quiet_when_nothing_bad_is_remembered(self) -> None:
        """One bad run that did not count yet is remembered."""
        steady = Steady(After(2, 2))
        self.assertTrue(steady.quiet)
        steady.add(WARNING)
        self.assertFalse(steady.quiet)
        self.changes(steady, OK, OK)
        self.assertTrue(steady.quiet)


if __name__ == "__main__":
    unittest.main()
