"""Values against limits, and one event a change."""

import unittest

from monitor436.agent import event as stated
from monitor436.agent.plan import Limit, ReadingCheck
from monitor436.agent.thresholds import CRITICAL, OK, WARNING, Flip, Verdict, judge

AT = 1700000000.0
ABOVE = ReadingCheck("load", "load1", "", 60.0, Limit("above", 5.0), Limit("above", 10.0), ("os",))


class JudgeTests(unittest.TestCase):
    def test_a_value_is_judged_by_the_worse_limit_it_crosses(self) -> None:
        """The limit itself is not crossed."""
        for value, state in ((5.0, OK), (5.1, WARNING), (10.0, WARNING), (10.1, CRITICAL)):
            self.assertEqual(judge(value, Limit("above", 5.0), Limit("above", 10.0)), state, value)
        for value, state in ((10.0, OK), (9.9, WARNING), (5.0, WARNING), (4.9, CRITICAL)):
            self.assertEqual(judge(value, Limit("below", 10.0), Limit("below", 5.0)), state, value)

    def test_limits_may_be_absent(self) -> None:
        """One of them, or both."""
        self.assertEqual(judge(99.0, None, None), OK)
        self.assertEqual(judge(99.0, Limit("above", 5.0), None), WARNING)
        self.assertEqual(judge(99.0, None, Limit("above", 5.0)), CRITICAL)

    def test_limits_may_look_in_both_directions(self) -> None:
        """Too much and too little."""
        self.assertEqual(judge(1.0, Limit("above", 5.0), Limit("below", 2.0)), CRITICAL)
        self.assertEqual(judge(6.0, Limit("above", 5.0), Limit("below", 2.0)), WARNING)


class FlipTests(unittest.TestCase):
    def test_only_a_change_is_told(self) -> None:
        """By what was before it."""
        flip = Flip(OK)
        self.assertEqual([flip.to(state) for state in (OK, WARNING, WARNING, OK)], ["", OK, "", WARNING])


class VerdictTests(unittest.TestCase):
    def states(self, verdict: Verdict, *values: float) -> "list[tuple[object, object]]":
        """Severity and text of the events of these values."""
        events = [event for value in values for event in verdict.value(value, AT)]
        return [(event["severity"], event["text"]) for event in events]

    def test_news_is_a_change_never_a_sample(self) -> None:
        """Each way up and down, with the all-clear."""
        self.assertEqual(
            self.states(Verdict(ABOVE), 1.0, 6.0, 7.0, 11.0, 6.5, 2.0, 1.0),
            [
                ("warning", "load is 6: warning (above 5)"),
                ("critical", "load is 11: critical (above 10)"),
                ("warning", "load is 6.5: warning (above 5)"),
                ("info", "load is 2: ok"),
            ],
        )

    def test_an_event_has_state_value_and_tags(self) -> None:
        """Flat fields, for whoever counts."""
        [event] = Verdict(ABOVE).value(6.12345678, AT)
        self.assertEqual(event["fields"], {"state": "warning", "was": "ok", "value": 6.123457})
        self.assertEqual((event["kind"], event["check"], event["tags"]), (stated.CHECK_STATE, "load", ["os"]))

    def test_a_failure_is_told_once_and_so_is_its_end(self) -> None:
        """The state of the value is not touched by it."""
        verdict = Verdict(ABOVE)
        self.states(verdict, 6.0)
        [event] = verdict.failed("no such disk", AT)
        self.assertEqual((event["kind"], event["text"]), (stated.CHECK_FAILED, "load: no such disk"))
        self.assertEqual(event["fields"], {"state": "failed", "was": "works"})
        self.assertEqual(verdict.failed("no such disk", AT), [])
        self.assertEqual(self.states(verdict, 6.0), [("info", "load works again")])
        self.assertEqual(verdict.worked(AT), [])

    def test_what_is_not_finite_is_no_value(self) -> None:
        """It could not be compared, nor written as JSON."""
        for value in (float("nan"), float("inf"), float("-inf")):
            [event] = Verdict(ABOVE).value(value, AT)
            self.assertEqual(event["kind"], stated.CHECK_FAILED)

    def test_an_edited_check_knows_its_state(self) -> None:
        """The all-clear comes although the limit is another one."""
        verdict = Verdict(ABOVE)
        self.states(verdict, 11.0)
        edited = Verdict(ABOVE._replace(critical=Limit("above", 20.0), warning=None), verdict)
        self.assertEqual(self.states(edited, 11.0), [("info", "load is 11: ok")])


if __name__ == "__main__":
    unittest.main()
