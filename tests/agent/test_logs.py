"""The logs of a plan: what stands in them is told once, whatever the plan, the agent and the clock do meanwhile."""

import os
import random
import time
from typing import Any

from monitor436.agent.match.logs import BUSY, KEPT_EVERY, LATELY, QUIET, Log
from tests.agent.checked import ChecksCase
from tests.agent.written import check


class LogCase(ChecksCase):
    """Shared: a log with one old line, and checks of it."""

    def setUp(self) -> None:
        super().setUp()
        self.log = os.path.join(self.folder, "app.log")
        self.write("old error")
        self.errors = self.check("errors", match="error", tags=["os"])

    def check(self, name: str, **fields: object) -> Any:
        """A check of the log."""
        return check(name, **dict({"log": self.log}, **fields))

    def write(self, *lines: str) -> None:
        """Append to the log."""
        with open(self.log, "a") as file:
            file.write("".join(line + "\n" for line in lines))

    def look(self, after: float = QUIET) -> "list[str]":
        """What the next look at logs tells."""
        self.run_once(after)
        return self.told()


class LookTests(LogCase):
    def test_new_lines_that_match_are_told(self) -> None:
        """With the wall clock of the moment they were read."""
        self.adopt(self.errors)
        self.run_once()
        self.write("an error", "all well")
        self.run_once(QUIET)
        self.assertEqual(self.events[0]["at"], self.wall + self.now)
        self.assertEqual(self.told(), ["an error"])

    def test_a_busy_log_is_looked_at_more_often_than_a_quiet_one(self) -> None:
        """Turns may come for other reasons."""
        self.adopt(self.errors)
        self.assertEqual(self.run_once(), QUIET)
        self.write("an error")
        self.assertEqual(self.run_once(QUIET / 4), QUIET * 3 / 4)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.run_once(QUIET * 3 / 4), BUSY)
        self.assertEqual(self.told(), ["an error"])
        self.assertEqual(self.run_once(LATELY), QUIET)

    def test_while_there_is_more_the_next_turn_is_at_once(self) -> None:
        """And everything comes."""
        self.adopt(self.errors)
        self.run_once()
        self.write(*["error" + "x" * 94] * 6000)
        self.assertEqual(self.run_once(QUIET), 0.0)
        while self.run_once() == 0.0:
            pass
        self.assertEqual(len(self.told()), 6000)

    def test_events_and_the_position_behind_them_are_kept_together(self) -> None:
        """What a restart reads on from."""
        self.adopt(self.errors)
        self.run_once()
        self.write("first error")
        self.look()
        self.write("second error")
        self.restart(self.errors)
        self.assertEqual(self.look(), ["second error"])

    def test_a_file_first_seen_is_kept_at_once(self) -> None:
        """An agent that dies right after its first plan loses no line."""
        self.adopt(self.errors)
        self.run_once()
        self.write("an error")
        self.restart(self.errors)
        self.assertEqual(self.look(), ["an error"])

    def test_positions_without_events_are_kept_now_and_then(self) -> None:
        """Each is a write to the disk."""
        self.adopt(self.errors)
        self.run_once()
        writes = self.writes
        for _ in range(10):
            self.write("all well")
            self.look()
        self.assertEqual(self.writes, writes)
        self.run_once(KEPT_EVERY)
        self.assertEqual(self.writes, writes + 1)
        self.run_once(KEPT_EVERY)
        self.assertEqual(self.writes, writes + 1, "nothing was written since")

    def test_positions_are_kept_at_the_end(self) -> None:
        """A clean stop loses nothing."""
        self.adopt(self.errors)
        self.run_once()
        self.write("all well")
        self.look()
        self.checks.close(self.now)
        self.assertEqual(self.kept[self.log][0]["offset"], os.path.getsize(self.log))
        self.checks = self.start()

    def test_logs_are_left_alone_while_the_spool_is_full(self) -> None:
        """They wait where they are, and come later."""
        self.adopt(self.errors)
        self.run_once()
        self.write("an error")
        self.assertEqual(self.run_once(QUIET, logs=False), QUIET)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.look(), ["an error"])

    def test_several_rules_look_at_one_file(self) -> None:
        """It is read once for all of them."""
        self.adopt(self.errors, self.check("disks", match="disk"))
        self.run_once()
        self.write("disk error")
        self.run_once(QUIET)
        self.assertEqual(sorted(str(event["check"]) for event in self.events), ["disks", "errors"])

    def test_a_file_that_cannot_be_read_is_told_once(self) -> None:
        """And once when it can."""
        os.rename(self.log, self.log + ".1")
        os.mkfifo(self.log)
        self.adopt(self.errors)
        [text] = self.look()
        self.assertIn("not a regular file", text)
        self.assertEqual(self.look(), [])
        os.rename(self.log, os.path.join(self.folder, "pipe"))  # not gone: the next one must not get its inode
        self.write()
        self.assertEqual(self.look(), [self.log + " can be read again"])

    def test_what_cannot_be_read_is_told_anew_after_a_start(self) -> None:
        """At the first look: what is told no more after a start counts as over."""
        os.rename(self.log, self.log + ".1")
        os.mkfifo(self.log)
        self.adopt(self.errors)
        told = self.look()
        self.restart(self.errors)
        self.assertEqual(self.look(0.0), told)
        os.unlink(self.log)
        self.write()
        self.restart(self.errors)
        self.assertEqual(self.look(), [])

    def test_what_cannot_be_read_is_over_when_the_plan_has_it_no_more(self) -> None:
        """Unless another log of the plan stands for that file, too."""
        self.checks._host.refuses_log = lambda path: "is not for you"
        pattern = self.check("all", log=os.path.join(self.folder, "*.log"), match="error")
        self.adopt(self.errors, pattern)
        self.assertEqual(self.look(), [self.log + ": is not for you"] * 2)
        self.adopt(pattern)
        self.assertEqual(self.told(), [])
        other = check("other", reading="uptime_seconds", metric="uptime")
        self.adopt(other)
        [event] = self.events
        self.assertEqual((event["kind"], event["severity"]), ("log_unreadable", "info"))
        self.assertEqual(event["text"], self.log + ": the plan has it no more")
        self.assertEqual(event["fields"], {"path": self.log})

    def test_a_fault_of_ours_is_told_once_and_so_is_its_end(self) -> None:
        """Not at each look."""
        faults = [""]

        def refusal(path: str) -> str:
            if faults[-1]:
                raise RuntimeError(faults[-1])
            return ""

        pattern = os.path.join(self.folder, "*.log")
        log = Log(pattern, {}, refusal, lambda: None)
        told = []
        for number, fault in enumerate(["", "a fault", "a fault", "another", "", ""]):
            faults.append(fault)
            with open(os.path.join(self.folder, "{}.log".format(number)), "w"):
                pass
            events, _ = log.look(number * 60.0, 0.0, lambda each: True)
            told += [(event["severity"], event["text"], event["fields"]) for event in events]
            self.assertEqual(log.problems, {pattern} if fault else set())
        log.close()
        self.assertEqual(
            told,
            [
                ("warning", "{}: {!r}".format(pattern, RuntimeError("a fault")), {"path": pattern}),
                ("warning", "{}: {!r}".format(pattern, RuntimeError("another")), {"path": pattern}),
                ("info", "{} can be read again".format(pattern), {"path": pattern}),
            ],
        )

    def test_a_rule_with_a_fault_does_not_stop_the_others(self) -> None:
        """It is told and off."""
        self.adopt(self.errors, self.check("all", match="."))
        self.run_once()
        self.checks._rules[self.errors]._matcher = None
        self.write("an error")
        texts = self.look()
        self.assertIn("errors: off until it changes: AttributeError", texts[0])
        self.assertEqual(texts[1:], ["an error"])
        self.write("an error")
        self.assertEqual(self.look(), ["an error"])

    def test_of_a_pattern_every_file_is_followed(self) -> None:
        """Those that come later from their start."""
        self.adopt(self.check("all", log=os.path.join(self.folder, "*.log"), match="error"))
        self.run_once()
        self.write("an error")
        self.log = os.path.join(self.folder, "other.log")
        self.write("new error")
        told = [(event["text"], os.path.basename(event["fields"]["path"])) for event in self.looked(40)]
        self.assertEqual(sorted(told), [("an error", "app.log"), ("new error", "other.log")])

    def looked(self, times: int) -> "list[Any]":
        """The events of some looks."""
        for _ in range(times):
            self.run_once(QUIET)
        return self.events


class EditTests(LogCase):
    def test_a_rule_edit_misses_no_line(self) -> None:
        """The file is read on where it was; the new rule sees what comes from then on."""
        self.adopt(self.errors)
        self.run_once()
        self.write("disk full", "an error")
        self.adopt(self.errors._replace(match=("disk",)))
        self.assertEqual(self.look(), ["disk full"])

    def test_a_rule_that_comes_back_goes_on_where_it_stopped(self) -> None:
        """A slip in a plan, mended a minute later, loses nothing and doubles nothing."""
        self.adopt(self.errors)
        self.run_once()
        self.write("all well", "first error")
        self.look()
        self.adopt()
        self.write("second error")
        self.assertEqual(self.look(), [])
        self.adopt(self.errors)
        self.assertEqual(self.look(), ["second error"])

    def test_what_no_plan_wants_is_forgotten_at_the_next_start(self) -> None:
        """A check that comes back after a month does not tell of the month."""
        self.adopt(self.errors)
        self.run_once()
        other = check("other", reading="uptime_seconds", metric="uptime")
        self.adopt(other)
        self.assertIn(self.log, self.kept)
        self.restart(other)
        self.assertNotIn(self.log, self.kept)

    def test_counts_go_with_their_check(self) -> None:
        """A later one of the same name begins at zero, and the disk holds nothing of the earlier one."""
        counts = self.check("counts", match="error", count="1m")
        self.adopt(counts)
        self.run_once()
        self.write("an error")
        self.look(KEPT_EVERY)
        self.assertIn("rule:counts", self.kept)
        self.adopt(self.errors)
        self.assertNotIn("rule:counts", self.kept)

    def test_a_hundred_edits_and_kills_while_lines_are_written(self) -> None:
        """Each line once, each count right, the silence told once, whatever stands beside them in the plan."""
        dice = random.Random(436)
        lines = self.check("lines", match="line")
        counts = self.check("counts", match="line", count="1h")
        silence = self.check("silence", match="no such thing", absent="2m")
        others = [self.check("other {}".format(number), match="x", exclude="y") for number in range(8)]
        self.adopt(lines, counts, silence)
        self.run_once()
        begun, written = self.now, 0
        for _ in range(100):
            self.adopt(*dice.sample(others, 3), lines, silence, *dice.sample(others, 0), counts)
            for _ in range(dice.randrange(4)):
                for _ in range(dice.randrange(30)):
                    written += 1
                    self.write("line {}".format(written))
                self.run_once(dice.choice((0.1, QUIET, 3.0)))
            if dice.random() < 0.3:
                self.restart(lines, counts, silence)
        self.run_once(QUIET)
        self.run_once(begun + 3600 - self.now)
        told = [event for event in self.events if event["check"] != "silence"]
        self.assertEqual([each["text"] for each in told[:-1]], ["line {}".format(n + 1) for n in range(written)])
        self.assertEqual(told[-1]["text"], "counts: {} lines in 1h".format(written))
        silences = [each["text"] for each in self.events if each["check"] == "silence"]
        self.assertEqual(silences, ["silence: no line for 2m"])


class ClockTests(LogCase):
    """Deadlines are measured by a clock that nobody sets; active hours by the one on the wall."""

    def setUp(self) -> None:
        super().setUp()
        zone = os.environ.get("TZ")
        self.addCleanup(self.zone, zone)
        self.zone("CET-1CEST,M3.5.0,M10.5.0/3")

    def zone(self, name: "str | None") -> None:
        """Let this process live there."""
        if name is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = name
        time.tzset()

    def set_clock(self, text: str) -> None:
        """Set the wall clock to a local time."""
        self.wall = time.mktime(time.strptime(text, "%Y-%m-%d %H:%M")) - self.now

    def test_a_clock_that_is_set_makes_no_silence_and_hides_none(self) -> None:
        """A day forward, a day back, in the middle of a period."""
        self.adopt(self.check("ticks", match="tick", absent="10m"))
        self.run_once()
        for jump in (86400.0, -86400.0, -86400.0, 86400.0):
            self.write("tick")
            self.run_once(QUIET)
            self.wall += jump
            self.assertEqual(self.look(300.0), [])
            self.assertEqual(self.look(299.0), [])
            self.assertEqual(self.look(2.0), ["ticks: no line for 10m"])
            self.write("tick")
            self.assertIn("a line again", self.look()[0])

    def test_counts_and_windows_know_no_clock_that_is_set(self) -> None:
        """Their periods are as long as they are."""
        self.adopt(self.check("counts", match="x", count="10m"), self.check("over", match="x", over="2 in 10m"))
        self.run_once()
        self.write("x", "x")
        self.look(200.0)
        self.wall += 86400.0
        self.write("x")
        self.assertEqual(self.look(200.0), ["over: more than 2 lines in 10m"])
        self.wall -= 2 * 86400.0
        self.assertEqual(self.look(199.0), [])
        self.assertEqual(self.look(1.0), ["counts: 3 lines in 10m"])
        self.assertEqual(self.look(400.0), ["over: no longer more than 2 lines in 10m"])

    def test_hours_follow_the_clock_on_the_wall(self) -> None:
        """A clock that is set is believed: that is what it is for."""
        self.adopt(self.errors._replace(active=("mon-fri 08:00-18:00",)))
        self.run_once()
        told = []
        for when in ("2026-11-20 17:59", "2026-11-20 18:00", "2026-11-21 12:00", "2026-11-23 08:00"):
            self.set_clock(when)
            self.write("error at " + when)
            told += self.look(0.0 if not told else QUIET)
            self.now += QUIET
            told += self.look()
        self.assertEqual(told, ["error at 2026-11-20 17:59", "error at 2026-11-23 08:00"])

    def test_silence_is_counted_in_hours_awake_through_a_change_to_summer_time(self) -> None:
        """The night in which an hour is missing is an hour shorter, and the one in which it comes twice longer."""
        nights = (("2026-07-01", "270m", "02:30"), ("2026-03-28", "270m", "03:30"), ("2026-10-24", "330m", "02:30"))
        for day, absent, expected in nights:
            self.set_clock(day + " 21:00")
            self.kept.clear()
            self.restart(self.check("ticks", match="tick", absent=absent, active="22:00-04:00"))
            self.run_once()
            begun = self.now
            while not self.events and self.now < begun + 12 * 3600:
                self.run_once(10.0)
            self.assertEqual(len(self.told()), 1, day)
            self.assertEqual(time.strftime("%H:%M", time.localtime(self.wall + self.now)), expected, day)

    def test_a_machine_that_was_off_saw_no_silence(self) -> None:
        """After a boot the clock begins anew, and the deadline goes on where it stopped."""
        ticks = self.check("ticks", match="tick", absent="10m")
        self.adopt(ticks)
        self.run_once()
        self.write("tick")
        self.look(QUIET)
        self.look(400.0)
        self.checks.close(self.now)
        self.now, self.boot = 20.0, "next boot"
        self.restart(ticks)
        self.assertEqual(self.look(), [])
        self.assertEqual(self.look(190.0), [])
        self.assertEqual(self.look(20.0), ["ticks: no line for 10m"])
