"""The checks of a plan: what is due is done, what changes is told, and nothing stops the rest."""

import os
import selectors
import shutil
import signal
import tempfile
import unittest
from typing import Any

from monitor436.agent import checks as module
from monitor436.agent.checks import LOGS_EVERY, MOST_CHILDREN, POSITIONS_EVERY, Checks
from monitor436.agent.plan import CommandCheck, Limit, LogCheck, Plan, ReadingCheck
from monitor436.agent.readings import READINGS
from monitor436.agent.runs import LOOK_EVERY
from monitor436.agent.schedule import SOON, Schedule

WALL = 1700000000.0
SH = "/bin/sh"


def command(name: str, script: str, **more: object) -> CommandCheck:
    """A check that runs a line of shell every minute."""
    return CommandCheck(name, (SH, "-c", script), "", 60.0, 10.0, None, None, ())._replace(**more)


class ChecksCase(unittest.TestCase):
    """Shared: checks with a plan, a made-up clock, and everything they emit."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.selector = selectors.DefaultSelector()
        self.addCleanup(self.selector.close)
        self.events: "list[Any]" = []
        self.positions: "dict[str, Any]" = {}
        self.kept = 0  # how often something was made durable
        self.now = 1000.0
        self.refusals = {}  # type: dict[tuple[str, ...], str]
        self.checks: Any = self.start({})

    def start(self, positions: "dict[str, object]") -> Checks:
        """Checks as a start of the agent makes them."""
        checks = Checks(
            self.emit, lambda argv: self.refusals.get(argv, ""), self.selector, positions, lambda: WALL + self.now
        )
        self.addCleanup(self.end, checks)
        return checks

    def end(self, checks: Checks) -> None:
        """No test leaves a process behind."""
        checks.close()
        for child in checks._dropped:
            if not child.gone():
                os.waitpid(child.pid, 0)

    def emit(self, events: "list[dict[str, object]]", positions: "dict[str, object]") -> None:
        """What the spool does."""
        self.kept += 1
        self.events += events
        self.positions.update(positions)

    def adopt(self, *checks: object) -> None:
        """Put a plan with these checks in force."""
        self.checks.adopt(Plan(5.0, 15.0, checks), self.now)

    def told(self) -> "list[str]":
        """The texts of the events since the last call."""
        texts = [event["text"] for event in self.events]
        self.events.clear()
        return texts

    def run_once(self, after: float = 0.0, logs: bool = True) -> float:
        """One turn, some seconds later; when the next is due, in seconds from then."""
        self.now += after
        return float(self.checks.run(self.now, logs) - self.now)

    def run_commands(self, after: float = SOON) -> "list[str]":
        """A turn in which commands are due, and what comes of it: served as the loop does, until all have ended."""
        self.run_once(after)
        while self.selector.get_map():
            for key, _ in self.selector.select(30):
                key.data(self.now)
        while [run for run in self.checks._commands.values() if run.child is not None]:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            self.run_once(module.SOON)
        return self.told()


class LogTests(ChecksCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = os.path.join(self.folder, "app.log")
        self.write("old error\n")
        self.errors = LogCheck("errors", self.log, ("error",), "warning", ("os",))

    def write(self, text: str) -> None:
        """Append to the log."""
        with open(self.log, "a") as file:
            file.write(text)

    def look(self) -> "list[str]":
        """What the next look at logs tells."""
        self.run_once(LOGS_EVERY)
        return self.told()

    def test_new_lines_that_match_are_told(self) -> None:
        """With the wall clock of the moment they were read."""
        self.adopt(self.errors)
        self.run_once()
        self.write("an error\nall well\n")
        self.assertEqual(self.run_once(LOGS_EVERY), LOGS_EVERY)
        self.assertEqual(self.events[0]["at"], WALL + self.now)
        self.assertEqual(self.told(), ["an error"])

    def test_a_file_is_looked_at_every_half_second_and_not_more_often(self) -> None:
        """Turns may come for other reasons."""
        self.adopt(self.errors)
        self.run_once()
        self.write("an error\n")
        self.assertEqual(self.run_once(LOGS_EVERY / 4), LOGS_EVERY * 3 / 4)
        self.assertEqual(self.told(), [])

    def test_while_there_is_more_the_next_turn_is_at_once(self) -> None:
        """And everything comes."""
        self.adopt(self.errors)
        self.run_once()
        self.write(("error" + "x" * 94 + "\n") * 6000)
        self.assertEqual(self.run_once(LOGS_EVERY), 0.0)
        while self.run_once() == 0.0:
            pass
        self.assertEqual(len(self.told()), 6000)

    def test_events_and_the_position_behind_them_are_kept_together(self) -> None:
        """What a restart reads on from."""
        self.adopt(self.errors)
        self.run_once()
        self.write("first error\n")
        self.look()
        self.write("second error\n")
        self.checks = self.start(dict(self.positions))
        self.adopt(self.errors)
        self.assertEqual(self.look(), ["second error"])

    def test_a_file_first_seen_is_kept_at_once(self) -> None:
        """An agent that dies right after its first plan loses no line."""
        self.adopt(self.errors)
        self.run_once()
        self.write("an error\n")
        self.checks = self.start(dict(self.positions))
        self.adopt(self.errors)
        self.assertEqual(self.look(), ["an error"])

    def test_positions_without_events_are_kept_now_and_then(self) -> None:
        """Each is a write to the disk."""
        self.adopt(self.errors)
        self.run_once()
        kept = self.kept
        for _ in range(10):
            self.write("all well\n")
            self.look()
        self.assertEqual(self.kept, kept)
        self.run_once(POSITIONS_EVERY)
        self.assertEqual(self.kept, kept + 1)
        self.run_once(POSITIONS_EVERY)
        self.assertEqual(self.kept, kept + 1, "nothing was written since")

    def test_positions_are_kept_at_the_end(self) -> None:
        """A clean stop loses nothing."""
        self.adopt(self.errors)
        self.run_once()
        self.write("all well\n")
        self.look()
        self.checks.close()
        self.checks = self.start(dict(self.positions))
        self.assertEqual(self.positions[self.log][0]["offset"], os.path.getsize(self.log))

    def test_logs_are_left_alone_while_the_spool_is_full(self) -> None:
        """They wait where they are, and come later."""
        self.adopt(self.errors)
        self.run_once()
        self.write("an error\n")
        self.assertEqual(self.run_once(LOGS_EVERY, logs=False), LOGS_EVERY)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.look(), ["an error"])

    def test_several_rules_look_at_one_file(self) -> None:
        """It is read once for all of them."""
        self.adopt(self.errors, self.errors._replace(name="disks", match=("disk",)))
        self.run_once()
        self.write("disk error\n")
        self.run_once(LOGS_EVERY)
        self.assertEqual(sorted(str(event["check"]) for event in self.events), ["disks", "errors"])

    def test_a_rule_edit_misses_no_line(self) -> None:
        """The file is read on where it was; the new rule sees what comes from then on."""
        self.adopt(self.errors)
        self.run_once()
        self.write("disk full\nan error\n")
        self.adopt(self.errors._replace(match=("disk",)))
        self.assertEqual(self.look(), ["disk full"])

    def test_a_rule_that_comes_back_goes_on_where_it_stopped(self) -> None:
        """A slip in a plan, mended a minute later, loses nothing and doubles nothing."""
        self.adopt(self.errors)
        self.run_once()
        self.write("all well\nfirst error\n")
        self.look()
        self.adopt()
        self.write("second error\n")
        self.assertEqual(self.look(), [])
        self.adopt(self.errors)
        self.assertEqual(self.look(), ["second error"])

    def test_a_file_that_cannot_be_read_is_told_once(self) -> None:
        """And once when it can."""
        os.rename(self.log, self.log + ".1")
        os.mkfifo(self.log)
        self.adopt(self.errors)
        self.assertEqual(self.look(), [self.log + ": not a regular file"])
        self.assertEqual(self.look(), [])
        os.unlink(self.log)
        self.write("")
        self.assertEqual(self.look(), [self.log + " can be read again"])

    def test_a_rule_with_a_fault_does_not_stop_the_others(self) -> None:
        """It is told and off."""
        self.adopt(self.errors, self.errors._replace(name="all", match=(".",)))
        self.run_once()
        self.checks._rules[self.errors]._searches = [None]
        self.write("an error\n")
        texts = self.look()
        self.assertIn("errors: off until it changes: TypeError", texts[0])
        self.assertEqual(texts[1:], ["an error"])
        self.write("an error\n")
        self.assertEqual(self.look(), ["an error"])


class ReadingTests(ChecksCase):
    def setUp(self) -> None:
        super().setUp()
        self.value: Any = 1.0
        self.taken = 0
        READINGS["made_up"] = self.read
        self.addCleanup(READINGS.pop, "made_up")
        self.check = ReadingCheck("made up", "made_up", "", 60.0, Limit("above", 5.0), None, ())

    def read(self, of: str, root: str) -> float:
        """The made-up reading."""
        self.taken += 1
        if isinstance(self.value, Exception):
            raise self.value
        return float(self.value)

    def test_a_reading_is_taken_when_it_is_due(self) -> None:
        """The next turn is then."""
        self.adopt(self.check)
        wait = self.run_once()
        self.assertTrue(0 < wait < SOON)
        self.assertEqual(self.taken, 0)
        self.assertAlmostEqual(self.run_once(wait), 60.0)
        self.assertEqual(self.taken, 1)

    def test_a_change_is_told(self) -> None:
        """Its value stays the same: nothing."""
        self.adopt(self.check)
        self.run_once(SOON)
        self.value = 6.0
        self.run_once(60.0)
        self.run_once(60.0)
        self.assertEqual(self.told(), ["made up is 6: warning (above 5)"])

    def test_a_check_that_did_not_change_keeps_state_and_deadline(self) -> None:
        """A plan with one more check is no start over."""
        self.value = 6.0
        self.adopt(self.check)
        wait = self.run_once(SOON)
        self.told()
        self.adopt(ReadingCheck("load", "load1", "", 3600.0, Limit("above", 1e9), None, ()), self.check)
        self.run_once(SOON)
        self.assertEqual(self.taken, 1)
        self.run_once(wait - SOON)
        self.assertEqual((self.taken, self.told()), (2, []))

    def test_an_edited_check_still_gives_the_all_clear(self) -> None:
        """Its state is kept under its name."""
        self.value = 6.0
        self.adopt(self.check)
        self.run_once(SOON)
        self.told()
        self.adopt(self.check._replace(warning=Limit("above", 7.0)))
        self.run_once(SOON)
        self.assertEqual(self.told(), ["made up is 6: ok"])

    def test_a_reading_with_a_fault_does_not_stop_the_others(self) -> None:
        """It is told once."""
        self.value = ZeroDivisionError("by zero")
        other = ReadingCheck("uptime", "uptime_seconds", "", 60.0, Limit("above", 0.0), None, ())
        self.adopt(self.check, other)
        self.run_once(SOON)
        texts = sorted(str(text) for text in self.told())
        self.assertIn("made up: ZeroDivisionError", texts[0])
        self.assertIn("uptime is", texts[1])
        self.run_once(60.0)
        self.assertEqual(self.told(), [])


class CommandTests(ChecksCase):
    def gate(self) -> str:
        """A named pipe at which commands wait for a line."""
        gate = os.path.join(self.folder, "gate")
        os.mkfifo(gate)
        return gate

    def open_gate(self, gate: str) -> None:
        """Let those that wait there go on, and those that still come."""
        held = os.open(gate, os.O_RDWR)
        self.addCleanup(os.close, held)
        os.write(held, b"go\n" * 6)

    def test_a_number_in_the_output_is_judged(self) -> None:
        """The first one, if the plan does not say which."""
        self.adopt(command("users", "echo there are -1.5 or 7", warning=Limit("below", 0.0)))
        self.assertEqual(self.run_commands(), ["users is -1.5: warning (below 0)"])

    def test_the_plan_may_say_which_number(self) -> None:
        """By a group, or by the whole match."""
        output = "echo 12 users=7"
        limit = Limit("above", 5.0)
        self.adopt(
            command("group", output, value=r"users=(\d+)", warning=limit),
            command("whole", output, value=r"\d\d", warning=limit),
        )
        self.assertEqual(
            sorted(self.run_commands()), ["group is 7: warning (above 5)", "whole is 12: warning (above 5)"]
        )

    def test_without_limits_the_status_counts(self) -> None:
        """With the first line it printed; all-clear too."""
        flag = os.path.join(self.folder, "flag")
        self.adopt(command("job", "[ -e {} ] || {{ echo; echo no flag; echo x; exit 3; }}".format(flag)))
        self.assertEqual(self.run_commands(), ["job: status 3: no flag"])
        self.assertEqual(self.run_commands(60.0), [])
        with open(flag, "w"):
            pass
        self.assertEqual(self.run_commands(60.0), ["job works again"])

    def test_output_without_a_value_is_a_failure(self) -> None:
        """So are an optional group that is empty, what is no number, and a number that a killed program left."""
        limit = Limit("above", 5.0)
        self.adopt(
            command("none", "echo nothing", warning=limit),
            command("empty", "echo b", value="(a)?b", warning=limit),
            command("word", "echo abc", value="(abc)", warning=limit),
            command("killed", "echo 9; kill -9 $$", warning=limit),
        )
        self.assertEqual(
            sorted(self.run_commands()),
            [
                "empty: no value in its output: status 0: b",
                "killed: signal 9: 9",
                "none: no value in its output: status 0: nothing",
                "word: no value in its output: status 0: abc",
            ],
        )

    def test_a_program_that_is_not_there_is_told(self) -> None:
        """In one event."""
        self.adopt(command("gone", "")._replace(command=("/no/such",)))
        self.assertEqual(self.run_commands(), ["gone: No such file or directory"])

    def test_programs_are_those_of_the_standard_folders_and_speak_plainly(self) -> None:
        """What the host allowed is what runs; words and numbers are those that patterns expect."""
        os.environ["LC_ALL"] = "de_DE.UTF-8"
        self.addCleanup(os.environ.pop, "LC_ALL")
        self.adopt(command("env", "echo $LC_ALL $PATH; exit 1"))
        [text] = self.run_commands()
        self.assertIn("C /usr/local/sbin:/usr/local/bin:/usr/sbin", str(text))

    def test_a_command_that_the_host_refuses_is_told_and_not_run(self) -> None:
        """Once a plan."""
        check = command("users", "echo 1; exit 1")
        self.refusals[check.command] = "not in the list"
        self.adopt(check)
        self.assertEqual(self.told(), ["users: not in the list"])
        self.assertEqual(self.run_commands(), [])
        self.assertEqual(self.run_commands(60.0), [])

    def test_at_most_four_run_at_once(self) -> None:
        """The others follow, all of them."""
        gate = self.gate()
        script = "echo started; read line < {}; exit 1".format(gate)
        self.adopt(*[command("c{}".format(number), script) for number in range(6)])
        self.run_once(SOON)
        self.assertEqual(len(self.selector.get_map()), MOST_CHILDREN)
        self.open_gate(gate)
        texts = [text for _ in range(2) for text in self.run_commands(1.0)]
        self.assertEqual(len(set(texts)), 6)

    def test_one_run_of_a_check_at_a_time(self) -> None:
        """A turn that comes while it runs is missed."""
        self.adopt(command("slow", "exec sleep 1000", every=1.0, timeout=100.0))
        for _ in range(5):
            self.run_once(2.0)
        self.assertEqual(len(self.selector.get_map()), 1)

    def test_a_command_that_ended_is_noticed_although_its_output_is_held(self) -> None:
        """By a daemon that it started."""
        pid = os.path.join(self.folder, "pid")
        gate = self.gate()
        daemon = "setsid -f {} -c 'echo $$ > {}; exec sleep 1000'".format(SH, pid)
        script = "{}; until [ -s {} ]; do :; done; read line < {}; exit 3".format(daemon, pid, gate)
        self.adopt(command("daemon", script))
        self.assertEqual(self.run_once(SOON), LOOK_EVERY)
        self.assertEqual(self.run_once(LOOK_EVERY), LOOK_EVERY)
        self.open_gate(gate)
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        self.run_once(LOOK_EVERY)
        self.assertEqual(self.told(), ["daemon: status 3"])
        self.assertFalse(self.selector.get_map())
        with open(pid) as file:
            os.kill(int(file.read()), signal.SIGKILL)

    def test_a_command_that_ended_its_output_and_runs_on_is_waited_for_without_haste(self) -> None:
        """At first it is about to end; its pipe is looked at no more."""
        gate = self.gate()
        self.adopt(command("silent", "exec >&- 2>&-; read line < {}; exit 3".format(gate)))
        self.run_once(SOON)
        for key, _ in self.selector.select(30):
            key.data(self.now)
        self.assertFalse(self.selector.get_map())
        self.assertAlmostEqual(self.run_once(), module.SOON)
        self.assertEqual(self.run_once(module.SOON), LOOK_EVERY)
        self.open_gate(gate)
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        self.run_once(LOOK_EVERY)
        self.assertEqual(self.told(), ["silent: status 3"])

    def test_those_that_wait_longest_are_started_first(self) -> None:
        """However they stand in the plan."""
        names = sorted("abcdef", key=lambda name: Schedule(name, 60.0, 0.0).due, reverse=True)
        self.adopt(*[command(name, "exec sleep 1000") for name in names])
        self.run_once(SOON)
        running = [check.name for check, run in self.checks._commands.items() if run.child is not None]
        self.assertEqual(running, names[-MOST_CHILDREN:])

    def test_a_command_over_its_time_is_ended_and_told(self) -> None:
        """The turn is due when its time is over, however seldom it runs."""
        self.adopt(command("slow", "exec sleep 1000", timeout=0.25))
        self.run_once(SOON)
        self.assertEqual(self.run_once(), 0.25)
        self.run_once(0.25)
        self.assertEqual(self.run_commands(0.1), ["slow: timed out"])

    def test_what_cannot_be_killed_is_told_and_not_started_again(self) -> None:
        """Until it is gone: hung processes must not pile up."""
        check = command("hung", "exec sleep 1000")
        self.adopt(check)
        self.run_once(SOON)
        child = self.checks._commands[check].child
        ended = child.gone
        child.gone = lambda: False
        for after in (10.0, 2.0, 5.0):
            self.run_once(after)
        [event] = self.events
        self.assertEqual((event["kind"], event["text"]), ("check_stuck", "hung: does not end and cannot be killed"))
        self.assertFalse(self.selector.get_map())
        self.run_once(60.0)
        self.assertFalse(self.selector.get_map(), "a second one was started")
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        child.gone = ended
        self.run_once(60.0)
        self.assertEqual(len(self.selector.get_map()), 1)

    def test_a_command_that_leaves_the_plan_is_ended(self) -> None:
        """Without a word, and without a process left over."""
        check = command("slow", "exec sleep 1000")
        self.adopt(check)
        self.run_once(SOON)
        child = self.checks._commands[check].child
        self.adopt()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.run_once()
        with self.assertRaises(ChildProcessError):
            os.waitpid(child.pid, os.WNOHANG)
        self.assertEqual((self.told(), dict(self.selector.get_map())), ([], {}))

    def test_a_command_that_did_not_change_runs_on_over_a_new_plan(self) -> None:
        """Its result comes."""
        check = command("job", "exit 3")
        self.adopt(check)
        self.run_once(SOON)
        self.adopt(command("other", "true"), check)
        self.assertEqual(self.run_commands(0.0), ["job: status 3"])


class EmptyTests(ChecksCase):
    def test_without_checks_there_is_no_next_turn(self) -> None:
        """Nor anything to keep."""
        self.adopt()
        self.assertEqual(self.run_once(), float("inf"))
        self.checks.close()
        self.assertEqual(self.kept, 0)


if __name__ == "__main__":
    unittest.main()
