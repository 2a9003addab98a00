"""What the runs of a check come to: one event a change, whatever happens in between."""

import json
import random
import unittest
from typing import Any

from monitor436.agent import event as stated
from monitor436.agent.probe.verdict import MOST, Verdict, shown
from monitor436.agent.wire import MAX_BODY
from tests.agent.written import check

AT = 1700000000.0
NAN, INFINITE = float("nan"), float("inf")


def load(**more: object) -> Any:
    """A reading with both limits."""
    return _check("load", {"reading": "load1", "tags": ["os"], "warning": "above 5", "critical": "above 10"}, more)


def disks(**more: object) -> Any:
    """A command with a value of each disk."""
    return _check("disks", {"command": ["df"], "value": r"(\d+)% (?P<of>\S+)", "warning": "above 85"}, more)


def _check(name: str, usual: "dict[str, object]", more: "dict[str, object]") -> Any:
    """With fields that are None left out."""
    fields = dict(usual, **more)
    return check(name, **{field: value for field, value in fields.items() if value is not None})


def restarted(verdict: Verdict, edited: object = None) -> Verdict:
    """The verdict of the next run of the agent, on the check as it is then."""
    return Verdict(edited or verdict.check, json.loads(json.dumps(verdict.kept())))  # type: ignore[arg-type]


class VerdictCase(unittest.TestCase):
    """Shared: what values say."""

    def said(self, verdict: Verdict, *values: object) -> "list[tuple[object, object]]":
        """Severity and text of the events of these runs: values, values by what they are of, or "" for a failure."""
        return [(event["severity"], event["text"]) for value in values for event in self.events(verdict, value)]

    def events(self, verdict: Verdict, value: Any) -> "list[Any]":
        """The events of one run."""
        if isinstance(value, str):
            return verdict.failed(value or "no such disk", AT)
        return verdict.values(value, AT) if isinstance(value, dict) else verdict.value(value, AT)


class ValueTests(VerdictCase):
    def test_news_is_a_change_never_a_sample(self) -> None:
        """Each way up and down, with the all-clear."""
        self.assertEqual(
            self.said(Verdict(load()), 1.0, 6.0, 7.0, 11.0, 6.5, 2.0, 1.0),
            [
                ("warning", "load is 6: warning (above 5)"),
                ("critical", "load is 11: critical (above 10)"),
                ("warning", "load is 6.5: warning (above 5)"),
                ("info", "load is 2: ok"),
            ],
        )

    def test_an_event_has_state_value_and_tags(self) -> None:
        """Flat fields, for whoever counts."""
        [event] = self.events(Verdict(load()), 6.12345678)
        self.assertEqual(event["fields"], {"state": "warning", "was": "ok", "value": 6.123457})
        self.assertEqual((event["kind"], event["check"], event["tags"]), (stated.CHECK_STATE, "load", ["os"]))

    def test_an_event_says_what_a_reading_is_of(self) -> None:
        """As the plan does."""
        verdict = Verdict(check("root", reading="filesystem_used_percent", of="/", warning="above 85"))
        [event] = self.events(verdict, 86.0)
        self.assertEqual(event["fields"], {"state": "warning", "was": "ok", "value": 86.0, "of": "/"})

    def test_a_value_that_wavers_is_told_once(self) -> None:
        """Where the limit ends elsewhere than it begins."""
        verdict = Verdict(load(warning="above 5 until 4", critical=None))
        told = self.said(verdict, 5.1, 4.9, 5.1, 4.1, 5.1, 4.0, 4.9)
        self.assertEqual(told, [("warning", "load is 5.1: warning (above 5)"), ("info", "load is 4: ok")])

    def test_it_may_take_several_runs(self) -> None:
        """The text says how many."""
        verdict = Verdict(load(after="2 of 3"))
        self.assertEqual(self.said(verdict, 6.0, 1.0), [])
        self.assertEqual(self.said(verdict, 6.0), [("warning", "load is 6: warning (above 5 in 2 of 3 runs)")])
        self.assertEqual(self.said(verdict, 6.0, 1.0), [])
        self.assertEqual(self.said(verdict, 1.0), [("info", "load is 1: ok")])

    def test_numbers_are_shown_as_people_write_them(self) -> None:
        """Bytes in full, shares with their digits."""
        for value, text in (
            (6.0, "6"),
            (0.5, "0.5"),
            (98.7654321, "98.7654"),
            (123456789.4, "123456789"),
            (-1.5, "-1.5"),
        ):
            self.assertEqual(shown(value), text)


class FailureTests(VerdictCase):
    def test_a_failure_is_told_once_and_so_is_its_end(self) -> None:
        """The state of the value is not touched by it."""
        verdict = Verdict(load())
        self.said(verdict, 6.0)
        [event] = verdict.failed("no such disk", AT)
        self.assertEqual((event["kind"], event["text"]), (stated.CHECK_FAILED, "load: no such disk"))
        self.assertEqual(event["fields"], {"state": "failed", "was": "works"})
        self.assertEqual(verdict.failed("no such disk", AT), [])
        self.assertEqual(self.said(verdict, 6.0), [("info", "load works again")])
        self.assertEqual(verdict.worked(AT), [])

    def test_failing_takes_as_many_runs_as_a_bad_value(self) -> None:
        """One hiccup is none."""
        verdict = Verdict(load(after=2))
        self.assertEqual(self.said(verdict, "", 1.0, "", ""), [("warning", "load: no such disk")])
        self.assertEqual(self.said(verdict, 1.0), [("info", "load works again")])

    def test_what_hangs_for_ever_is_told_at_once(self) -> None:
        """There is no second run of it."""
        verdict = Verdict(load(after=3))
        [event] = verdict.failed("does not end", AT, stated.CHECK_STUCK)
        self.assertEqual(event["kind"], stated.CHECK_STUCK)
        self.assertEqual(verdict.failed("does not end", AT, stated.CHECK_STUCK), [])
        self.assertEqual(self.said(verdict, 1.0), [("info", "load works again")])

    def test_what_is_not_finite_is_no_value(self) -> None:
        """It could not be compared, nor written as JSON."""
        for value in (NAN, INFINITE, -INFINITE):
            [event] = self.events(Verdict(load()), value)
            self.assertEqual(event["kind"], stated.CHECK_FAILED)


class SeveralTests(VerdictCase):
    def test_each_value_has_a_state_of_its_own(self) -> None:
        """The text and the fields say which."""
        verdict = Verdict(disks())
        self.assertEqual(
            self.said(verdict, {"/": 10, "/srv": 86}, {"/": 90, "/srv": 86}, {"/": 10, "/srv": 86}),
            [
                ("warning", "disks /srv is 86: warning (above 85)"),
                ("warning", "disks / is 90: warning (above 85)"),
                ("info", "disks / is 10: ok"),
            ],
        )
        [event] = self.events(verdict, {"/": 10, "/srv": 1})
        self.assertEqual(event["fields"], {"state": "ok", "was": "warning", "value": 1, "of": "/srv"})

    def test_a_bad_one_that_vanishes_gives_an_all_clear(self) -> None:
        """A good one that does is nothing."""
        verdict = Verdict(disks())
        self.said(verdict, {"/": 10, "/srv": 86})
        self.assertEqual(self.said(verdict, {"/new": 1}), [("info", "disks /srv is no longer there: ok")])
        self.assertEqual(self.said(verdict, {"/new": 1, "/srv": 3}), [])

    def test_one_that_is_absent_once_has_not_vanished(self) -> None:
        """It takes as long as other good news."""
        verdict = Verdict(disks(after="2 of 3"))
        self.said(verdict, {"/srv": 86, "/": 1}, {"/srv": 86, "/": 1})
        self.assertEqual(self.said(verdict, {"/": 1}, {"/srv": 86, "/": 1}), [])
        self.assertEqual(self.said(verdict, {"/": 1}, {"/": 1}), [("info", "disks /srv is no longer there: ok")])

    def test_more_than_a_hundred_are_told_once(self) -> None:
        """Those that are bad are among those that are judged, wherever they stand."""
        verdict = Verdict(disks())
        many = {"/{}".format(number): 1.0 for number in range(MOST + 50)}  # type: dict[str, Any]
        self.assertEqual(
            self.said(verdict, many, many), [("warning", "disks: more than 100 values; the rest is passed over")]
        )
        self.assertEqual(self.said(verdict, dict(many, **{"/149": 90.0})), [])
        self.said(verdict, dict({"/149": 90.0}, **many), {"/149": 90.0})
        self.assertEqual(
            self.said(verdict, dict(many, **{"/149": 90.0})),
            [("warning", "disks: more than 100 values; the rest is passed over")],
        )
        [clear] = self.said(verdict, many)
        self.assertEqual(clear, ("info", "disks /149 is 1: ok"))

    def test_output_that_was_cut_does_not_make_values_vanish(self) -> None:
        """It says once that it was."""
        verdict = Verdict(disks())
        self.said(verdict, {"/srv": 86})
        events = verdict.values({"/": 1.0}, AT, "more than 64 KiB of output")
        self.assertEqual(
            [event["text"] for event in events], ["disks: more than 64 KiB of output; the rest is passed over"]
        )
        self.assertEqual(verdict.values({"/": 1.0}, AT, "more than 64 KiB of output"), [])

    def test_long_names_are_cut(self) -> None:
        """The event has to fit a datagram with its fields."""
        [event] = self.events(Verdict(disks()), {"/ü" * 300: 90})
        self.assertTrue(event["fields"]["of"].endswith("…"))
        self.assertEqual(sorted(event["fields"]), ["of", "state", "value", "was"])


class CountTests(VerdictCase):
    def counted(self, verdict: Verdict, *counts: int) -> "list[tuple[object, object]]":
        """What these counts say."""
        return [(event["severity"], event["text"]) for count in counts for event in verdict.count(count, AT)]

    def test_too_few_are_told_at_the_second_time(self) -> None:
        """With the severity of the check, and how many there should be."""
        verdict = Verdict(check("nginx", process="nginx", severity="critical"))
        self.assertEqual(self.counted(verdict, 1, 0, 1, 0), [])
        self.assertEqual(self.counted(verdict, 0), [("critical", "nginx: 0 run, at least 1 expected")])
        self.assertEqual(self.counted(verdict, 0, 4), [("info", "nginx: 4 run, as expected")])

    def test_too_many_are_told(self) -> None:
        """So is what must not run at all."""
        jobs = Verdict(check("jobs", process="job*", least=1, most=3, after=1))
        self.assertEqual(self.counted(jobs, 3, 4), [("warning", "jobs: 4 run, at most 3 expected")])
        one = Verdict(check("one", process="one", least=1, most=1, after=1))
        self.assertEqual(self.counted(one, 2), [("warning", "one: 2 run, exactly 1 expected")])
        none = Verdict(check("telnet", process="telnetd", most=0, after=1))
        self.assertEqual(self.counted(none, 1), [("warning", "telnet: 1 run, exactly 0 expected")])

    def test_the_count_is_the_value_and_the_metric(self) -> None:
        """A whole number."""
        verdict = Verdict(check("nginx", process="nginx", after=1, metric="workers", severity="info"))
        state, metric = verdict.count(0, AT)
        self.assertEqual(state["fields"], {"state": "info", "was": "ok", "value": 0})
        self.assertEqual((metric["kind"], metric["text"], metric["fields"]), ("metric", "workers 0", {"workers": 0}))


class PluginTests(VerdictCase):
    def test_a_plug_in_judges_by_itself(self) -> None:
        """In its own words; other words for the same state are no news."""
        verdict = Verdict(check("root", command=["check_disk"], nagios=True))
        events = verdict.status("ok", "DISK OK", {}, AT) + verdict.status("critical", "DISK CRITICAL: full", {}, AT)
        events += verdict.status("critical", "DISK CRITICAL: fuller", {}, AT) + verdict.status("ok", "DISK OK", {}, AT)
        self.assertEqual(
            [(event["severity"], event["text"], event["fields"]) for event in events],
            [
                ("critical", "DISK CRITICAL: full", {"state": "critical", "was": "ok"}),
                ("info", "DISK OK", {"state": "ok", "was": "critical"}),
            ],
        )

    def test_its_numbers_are_metrics_a_hundred_at_most(self) -> None:
        """More are told once."""
        verdict = Verdict(check("many", command=["check_many"], nagios=True))
        numbers = {"label {}".format(number): number * 1000003 for number in range(MOST + 20)}  # type: dict[str, float]
        notice, *metrics = verdict.status("ok", "", numbers, AT)
        self.assertEqual(notice["text"], "many: more than 100 metrics; the rest is passed over")
        found = {}  # type: dict[str, float]
        for event in metrics:
            found.update(event["fields"])  # type: ignore[call-overload]
        self.assertEqual(found, {label: numbers[label] for label in list(numbers)[:MOST]})
        self.assertEqual({event["kind"] for event in verdict.status("ok", "", numbers, AT)}, {stated.METRIC})


class MetricTests(VerdictCase):
    def test_every_value_is_sent_under_its_label(self) -> None:
        """Whether anybody judges it or not."""
        verdict = Verdict(load(metric="load", warning=None, critical=None))
        events = self.events(verdict, 0.52) + self.events(verdict, 0.5)
        self.assertEqual([event["text"] for event in events], ["load 0.52", "load 0.5"])
        self.assertEqual([event["fields"] for event in events], [{"load": 0.52}, {"load": 0.5}])
        self.assertEqual((events[0]["severity"], events[0]["check"], events[0]["tags"]), ("info", "load", ["os"]))

    def test_values_of_several_things_have_their_names_in_the_label(self) -> None:
        """In one event as long as there is room."""
        [event] = self.events(Verdict(disks(metric="used")), {"/": 10, "/srv": 20.5})
        self.assertEqual(
            (event["text"], event["fields"]), ("used / 10, used /srv 20.5", {"used /": 10, "used /srv": 20.5})
        )

    def test_metrics_of_any_names_fit_datagrams_and_none_is_left_out(self) -> None:
        """Whatever names there are."""
        dice = random.Random(7)
        for _ in range(50):
            names = {
                "".join(dice.choice('aé"\\/ ') for _ in range(dice.randint(1, 99))).strip() or "x" for _ in range(40)
            }
            values = {name: dice.uniform(-1e9, 1e9) for name in names}
            events = self.events(Verdict(disks(metric="m" * 64, warning=None, tags=["t" * 16] * 6)), values)
            self.assertEqual(sum(len(event["fields"]) for event in events), len(values))
            for event in events:
                self.assertLess(len(json.dumps(event, ensure_ascii=False).encode()), MAX_BODY - 96)


class KeptTests(VerdictCase):
    def test_what_was_never_judged_is_nothing(self) -> None:
        """Nor is what is good again."""
        verdict = Verdict(load())
        self.assertIsNone(verdict.kept())
        self.said(verdict, 6.0)
        self.assertIsNotNone(verdict.kept())
        self.said(verdict, 1.0)
        self.assertIsNone(verdict.kept())

    def test_after_a_restart_a_state_that_lasts_is_not_told_twice(self) -> None:
        """And the all-clear comes; so with failures."""
        for after in (1, "2", "2 of 3"):
            verdict = Verdict(load(after=after))
            self.said(verdict, 11.0, 11.0, "", "")
            after_restart = restarted(verdict)
            self.assertEqual(self.said(after_restart, "", "", ""), [], after)
            told = self.said(after_restart, 11.0, 11.0, 1.0, 1.0)
            self.assertEqual(told, [("info", "load works again"), ("info", "load is 1: ok")], after)

    def test_so_it_is_with_several_values(self) -> None:
        """One of them may have gone meanwhile."""
        verdict = Verdict(disks())
        self.said(verdict, {"/a": 90, "/b": 90, "/c": 1})
        told = self.said(restarted(verdict), {"/a": 90, "/c": 1})
        self.assertEqual(told, [("info", "disks /b is no longer there: ok")])

    def test_an_edited_check_knows_its_state(self) -> None:
        """The all-clear comes although the limit is another one."""
        for after in (1, "2 of 3"):
            verdict = Verdict(load())
            self.said(verdict, 11.0)
            edited = restarted(verdict, load(critical="above 20", warning=None, after=after))
            self.assertEqual(self.said(edited, 11.0, 11.0), [("info", "load is 11: ok")])

    def test_a_level_that_no_longer_exists_does_not_stick(self) -> None:
        """What is still bad is so by the limit that is there."""
        verdict = Verdict(load())
        self.said(verdict, 11.0)
        edited = restarted(verdict, load(critical=None, after="2 of 3"))
        self.assertEqual(self.said(edited, 11.0, 11.0), [("warning", "load is 11: warning (above 5 in 2 of 3 runs)")])
        self.assertEqual(self.said(edited, 1.0, 1.0), [("info", "load is 1: ok")])

    def test_a_check_that_is_no_longer_judged_is_not_bad(self) -> None:
        """Of another kind by now, or without limits."""
        verdict = Verdict(load())
        self.said(verdict, 11.0)
        job = restarted(verdict, check("load", command=["true"]))
        self.assertEqual([event["text"] for event in job.passed(AT)], ["load is no longer judged: ok"])
        several = Verdict(disks())
        self.said(several, {"/a": 90})
        plugin = restarted(several, check("disks", command=["check_disk"], nagios=True))
        told = [event["text"] for event in plugin.status("ok", "DISK OK", {}, AT)]
        self.assertEqual(told, ["disks /a is no longer there: ok"])

    def test_another_severity_of_processes_is_told_and_no_false_all_clear(self) -> None:
        """Two bad runs are needed for the first news only."""
        verdict = Verdict(check("nginx", process="nginx"))
        verdict.count(0, AT)
        verdict.count(0, AT)
        edited = restarted(verdict, check("nginx", process="nginx", severity="critical"))
        [event] = edited.count(0, AT)
        self.assertEqual(
            (event["severity"], event["fields"]), ("critical", {"state": "critical", "was": "warning", "value": 0})
        )

    def test_what_another_version_has_kept_is_left_aside(self) -> None:
        """Whatever it is."""
        for kept in (None, [], "x", {}, {"states": 1}, {"states": {"": "odd"}}, {"failed": 1}, {"states": {"": ["x"]}}):
            self.assertEqual(self.said(Verdict(load(), kept), 1.0), [], kept)


if __name__ == "__main__":
    unittest.main()
