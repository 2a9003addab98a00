"""Lines of a log become events, and no pattern holds up the agent."""

import signal
import unittest
from typing import Any

from monitor436.agent.plan import LogCheck
from monitor436.agent.rules import MAX_OVERRUNS, Budget, LineRule, Overrun

AT = 1700000000.25
ENDLESS = b"a" * 64 + b"!"  # what (a+)+$ tries in 2^64 ways


def rule(*match: str, **more: Any) -> LineRule:
    """A rule with these patterns."""
    return LineRule(LogCheck("errors", "/var/log/syslog", match, "critical", ("os",)), **more)


class LineRuleTests(unittest.TestCase):
    def test_a_line_that_matches_is_an_event(self) -> None:
        """It names the check, the text is the line."""
        self.assertEqual(
            rule("fail(ed|ure)").events([b"all well", b"disk failure"], AT),
            [
                {
                    "at": AT,
                    "severity": "critical",
                    "kind": "log_line",
                    "text": "disk failure",
                    "check": "errors",
                    "tags": ["os"],
                }
            ],
        )

    def test_a_line_that_several_patterns_match_is_one_event(self) -> None:
        """The order is that of the lines."""
        events = rule("a", "b").events([b"ab", b"c", b"b", b"a"], AT)
        self.assertEqual([event["text"] for event in events], ["ab", "b", "a"])

    def test_patterns_and_lines_need_not_be_ascii(self) -> None:
        """Bytes that are no UTF-8 are shown."""
        events = rule("über").events(["drüber".encode() + b"\xff"], AT)
        self.assertEqual([event["text"] for event in events], ["drüber\\xff"])

    def test_no_line_is_no_event(self) -> None:
        """As it is most of the time."""
        self.assertEqual(rule(".").events([], AT), [])


class BudgetTests(unittest.TestCase):
    def test_a_line_over_which_a_pattern_takes_too_long_is_passed_over(self) -> None:
        """The lines around it are looked at; an event says what was not."""
        slow = rule("(a+)+$", budget=0.02)
        events = slow.events([b"aa", ENDLESS, b"ba"], AT)
        self.assertEqual([event["kind"] for event in events], ["log_line", "check_failed", "log_line"])
        self.assertIn("0.02 s; passed over: aaa", str(events[1]["text"]))
        self.assertFalse(slow.off)

    def test_a_rule_that_does_it_again_and_again_is_off(self) -> None:
        """The last event says so; lines are not looked at any more."""
        slow = rule("(a+)+$", budget=0.02)
        events = slow.events([ENDLESS] * (MAX_OVERRUNS + 1), AT)
        self.assertEqual(len(events), MAX_OVERRUNS)
        self.assertIn("errors: off until it changes", str(events[-1]["text"]))
        self.assertTrue(slow.off)
        self.assertEqual(slow.events([b"a"], AT), [])

    def test_time_that_is_not_used_up_interrupts_nothing_later(self) -> None:
        """The timer ends with the block."""
        with Budget(0.01):
            pass
        self.assertEqual(signal.getitimer(signal.ITIMER_VIRTUAL), (0.0, 0.0))
        with self.assertRaises(Overrun), Budget(0.01):
            while True:
                pass

    def test_a_rule_can_be_given_up(self) -> None:
        """By who meets a fault in it."""
        given_up = rule("a")
        self.assertEqual(given_up.give_up("broken", AT)["text"], "errors: off until it changes: broken")
        self.assertEqual(given_up.events([b"a"], AT), [])


if __name__ == "__main__":
    unittest.main()
