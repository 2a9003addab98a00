"""Lines of a log become events, in the form and the words of the plan."""

import unittest
from typing import Any

from monitor436.agent import event as stated
from monitor436.agent.match.block import Block
from monitor436.agent.match.rules import LogRule
from tests.agent.written import check

AT = 1700000000.25
LOG = "/var/log/app.log"
ENDLESS = "a" * 64 + "!"  # what (a+)+$ tries in 2^64 ways


class RuleCase(unittest.TestCase):
    """Shared: one rule, and what it makes of lines at a time that the test sets."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.rule = self.made(match="error")

    def made(self, kept: object = None, boot: str = "boot", **fields: object) -> LogRule:
        """The rule of a check with these fields."""
        fields = {"log": LOG, "severity": "critical", "tags": ["os"], **fields}
        return LogRule(check("errors", **fields), self.now, boot, kept)

    def lines(self, *lines: str, awake: bool = True) -> "list[Any]":
        """The events of some lines, and then of the time."""
        block = Block("".join(line + "\n" for line in lines).encode())
        events = self.rule.lines(LOG, block, self.now, AT, awake)
        return events + self.rule.turn(self.now, AT, awake, True)

    def texts(self, *lines: str, after: float = 0.0) -> "list[str]":
        """Their texts, some seconds later."""
        self.now += after
        return [event["text"] for event in self.lines(*lines)]


class LineTests(RuleCase):
    def test_a_line_that_matches_is_an_event(self) -> None:
        """It names the check, the text is the line."""
        self.rule = self.made(match="fail(ed|ure)")
        event = {"at": AT, "severity": "critical", "kind": "log_line", "text": "disk failure"}
        self.assertEqual(self.lines("all well", "disk failure"), [dict(event, check="errors", tags=["os"])])

    def test_a_line_that_several_patterns_match_is_one_event(self) -> None:
        """The order is that of the lines."""
        self.rule = self.made(match=["a", "b"])
        self.assertEqual(self.texts("ab", "c", "b", "a"), ["ab", "b", "a"])

    def test_lines_that_are_excluded_do_not_count(self) -> None:
        """Whichever pattern found them."""
        self.rule = self.made(match="error", exclude=["harmless", "^debug"])
        self.assertEqual(self.texts("debug error", "error", "a harmless error"), ["error"])

    def test_patterns_and_lines_need_not_be_ascii(self) -> None:
        """Bytes that are no UTF-8 are shown."""
        self.rule = self.made(match="über")
        [event] = self.rule.lines(LOG, Block("drüber".encode() + b"\xff\n"), self.now, AT, True)
        self.assertEqual(event["text"], "drüber\\xff")

    def test_named_groups_are_fields(self) -> None:
        """Those that took part in the match."""
        self.rule = self.made(match=r"error (?P<code>\d+)( by (?P<user>\w+))?")
        self.assertEqual(
            [event.get("fields") for event in self.lines("error 7", "error 8 by me")],
            [{"code": "7"}, {"code": "8", "user": "me"}],
        )

    def test_a_text_says_it_in_the_words_of_the_plan(self) -> None:
        """A group that took no part is empty; doubled braces are braces."""
        self.rule = self.made(match=["error (?P<code>.*)", "^oops"], text="{{{code}}} in {path}: {line}")
        self.assertEqual(
            self.texts("error 7", "oops"), ["{7} in /var/log/app.log: error 7", "{} in /var/log/app.log: oops"]
        )

    def test_what_a_line_holds_is_never_taken_for_a_template(self) -> None:
        """Braces come from outside too."""
        self.rule = self.made(match="error (?P<code>.*)", text="<{code}>")
        self.assertEqual(self.texts("error {line} {{"), ["<{line} {{>"])

    def test_of_several_files_the_event_names_the_one(self) -> None:
        """A pattern stands for many."""
        self.rule = self.made(log="/var/log/*.log", match="error")
        self.assertEqual(self.lines("error")[0]["fields"], {"path": LOG})

    def test_outside_its_hours_a_rule_passes_lines_over(self) -> None:
        """They are not told later."""
        self.assertEqual(self.lines("error", awake=False), [])
        self.assertEqual(self.lines("all well"), [])


class FormTests(RuleCase):
    def test_a_count_a_period(self) -> None:
        """In the plan's words, if it has any."""
        self.rule = self.made(match="error", count="1m")
        self.assertEqual(self.texts("error", "error", "fine") + self.texts(after=60.0), ["errors: 2 lines in 1m"])
        self.rule = self.made(match="error (?P<code>.)", count="1m", text="{count} errors, last {code}")
        self.assertEqual(self.texts("error 1", "error 2") + self.texts(after=60.0), ["2 errors, last 2"])

    def test_more_than_so_many_in_a_window(self) -> None:
        """Bad news in the plan's words and severity, good news in ours."""
        self.rule = self.made(match="error", over="2 in 1m", text="{count}: {line}")
        self.assertEqual(self.texts("error 1", "error 2"), [])
        [event] = self.lines("error 3")
        self.assertEqual((event["kind"], event["severity"], event["text"]), (stated.LOG_OVER, "critical", "3: error 3"))
        self.now += 60
        [event] = self.lines()
        self.assertEqual((event["severity"], event["text"]), ("info", "errors: no longer more than 2 lines in 1m"))

    def test_none_for_a_period(self) -> None:
        """And the first one after it."""
        self.rule = self.made(match="tick", absent="1m")
        self.assertEqual(self.texts("tick"), [])
        self.assertEqual(self.texts("tock", after=59.0), [])
        self.assertEqual(self.texts(after=1.0), ["errors: no line for 1m"])
        self.assertEqual(self.texts("tick", after=10.0), ["errors: a line again after 70s"])


class KeptTests(RuleCase):
    def test_counts_outlive_the_agent(self) -> None:
        """With the same check, in the same boot."""
        self.rule = self.made(match="error", count="1m")
        self.lines("error", "error")
        kept = self.rule.kept(self.now)
        self.now += 30
        self.rule = self.made(kept, match="error", count="1m")
        self.assertEqual(self.texts("error", after=30.0), ["errors: 3 lines in 1m"])

    def test_after_a_boot_the_clock_begins_anew(self) -> None:
        """And what was left of the period is still left."""
        self.rule = self.made(match="error", count="1m")
        self.now += 20
        self.lines("error")
        kept = self.rule.kept(self.now)
        self.now = 5.0
        self.rule = self.made(kept, "other boot", match="error", count="1m")
        self.assertEqual(self.texts(after=39.0), [])
        self.assertEqual(self.texts(after=1.0), ["errors: 1 line in 1m"])

    def test_another_check_of_the_same_name_begins_at_zero(self) -> None:
        """What was counted was something else."""
        self.rule = self.made(match="error", count="1m")
        self.lines("error")
        self.rule = self.made(self.rule.kept(self.now), match="errors?", count="1m")
        self.assertEqual(self.texts(after=60.0), [])

    def test_what_was_kept_by_another_version_is_not_used(self) -> None:
        """Nor does it stop the agent."""
        self.rule = self.made(match="error", count="1m")
        kept = dict(self.rule.kept(self.now) or {}, form={"since": None})
        self.rule = self.made(kept, match="error", count="1m")
        self.assertEqual(self.texts("error") + self.texts(after=60.0), ["errors: 1 line in 1m"])

    def test_a_rule_that_tells_each_line_keeps_nothing(self) -> None:
        """The position of its file is enough."""
        self.lines("error")
        self.assertIsNone(self.rule.kept(self.now))


class BudgetTests(RuleCase):
    def test_a_line_over_which_a_pattern_takes_too_long_is_passed_over(self) -> None:
        """The lines around it are looked at; an event says what was not."""
        self.rule = self.made(match="(a+)+$")
        events = self.lines("aa", ENDLESS, "ba")
        self.assertEqual(sorted(event["kind"] for event in events), ["check_failed", "log_line", "log_line"])
        [failed] = [event for event in events if event["kind"] == "check_failed"]
        self.assertIn("passed over: aaa", failed["text"])

    def test_a_rule_that_does_it_again_and_again_is_off(self) -> None:
        """The last event says so; lines are not looked at any more."""
        self.rule = self.made(match="(a+)+$")
        events = self.lines(*[ENDLESS] * 5)
        self.assertIn("errors: off until it changes", events[-1]["text"])
        self.assertEqual(self.lines("a"), [])
