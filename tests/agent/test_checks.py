"""The checks of a plan: what is due is done, what changes is told, and nothing stops the rest."""

import os
import signal
import unittest
from typing import Any

from monitor436.agent.notation import Limit
from monitor436.agent.probe import running
from monitor436.agent.probe.readings import READINGS, Reading
from monitor436.agent.probe.running import MOST_CHILDREN
from monitor436.agent.probe.runs import LOOK_EVERY
from monitor436.agent.schedule import SOON, Schedule
from tests.agent.checked import SH, ChecksCase
from tests.agent.written import check


def command(name: str, script: str, **more: object) -> Any:
    """A check that runs a line of shell every minute."""
    return check(name, command=[SH, "-c", script], **more)


class ReadingTests(ChecksCase):
    def setUp(self) -> None:
        super().setUp()
        self.value: Any = 1.0
        self.taken = 0
        READINGS["made_up"] = Reading(self.read, "")
        self.addCleanup(READINGS.pop, "made_up")
        self.check = check("invented", reading="load1", warning="above 5")._replace(reading="made_up")

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
        self.assertEqual(self.told(), ["invented is 6: warning (above 5)"])

    def test_a_check_that_did_not_change_keeps_state_and_deadline(self) -> None:
        """A plan with one more check is no start over."""
        self.value = 6.0
        self.adopt(self.check)
        wait = self.run_once(SOON)
        self.told()
        self.adopt(check("load", reading="load1", every=3600, warning="above 1000000"), self.check)
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
        self.adopt(self.check._replace(warning=Limit("above", 7.0, 7.0)))
        self.run_once(SOON)
        self.assertEqual(self.told(), ["invented is 6: ok"])

    def test_a_reading_with_a_fault_does_not_stop_the_others(self) -> None:
        """It is told once."""
        self.value = ZeroDivisionError("by zero")
        other = check("uptime", reading="uptime_seconds", warning="above 0")
        self.adopt(self.check, other)
        self.run_once(SOON)
        texts = sorted(str(text) for text in self.told())
        self.assertIn("invented: ZeroDivisionError", texts[0])
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
        self.adopt(command("users", "echo there are -1.5 or 7", warning="below 0"))
        self.assertEqual(self.run_commands(), ["users is -1.5: warning (below 0)"])

    def test_the_plan_may_say_which_number(self) -> None:
        """By a group, or by the whole match."""
        output = "echo 12 users=7"
        limit = "above 5"
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
        limit = "above 5"
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
        self.adopt(check("gone", command=["/no/such"]))
        self.assertEqual(self.run_commands(), ["gone: /no/such: No such file or directory"])

    def test_programs_are_those_of_the_standard_folders_and_speak_plainly(self) -> None:
        """What the host allowed is what runs; words and numbers are those that patterns expect."""
        os.environ["LC_ALL"] = "de_DE.UTF-8"
        self.addCleanup(os.environ.pop, "LC_ALL")
        self.adopt(command("env", "echo $LC_ALL $PATH; exit 1"))
        [text] = self.run_commands()
        self.assertIn("C /usr/local/sbin:/usr/local/bin:/usr/sbin", str(text))

    def test_a_command_that_the_host_refuses_is_told_and_not_run(self) -> None:
        """Once a plan."""
        users = command("users", "echo 1; exit 1")
        self.refusals[users.command] = "not in the list"
        self.adopt(users)
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
        self.adopt(command("slow", "exec sleep 1000", every=1, timeout=100))
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
        self.assertAlmostEqual(self.run_once(), running.SOON)
        self.assertEqual(self.run_once(running.SOON), LOOK_EVERY)
        self.open_gate(gate)
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        self.run_once(LOOK_EVERY)
        self.assertEqual(self.told(), ["silent: status 3"])

    def test_those_that_wait_longest_are_started_first(self) -> None:
        """However they stand in the plan."""
        due = {name: Schedule(" " + name, 60.0, self.now).due for name in "abcdefgh"}
        self.adopt(*[command(name, "exec sleep 1000") for name in sorted(due, key=lambda name: -due[name])])
        self.run_once(SOON)
        started = {check.name for check, run in self.checks._commands.items() if run.child is not None}
        self.assertEqual(len(started), MOST_CHILDREN)
        self.assertLessEqual(max(due[name] for name in started), min(due[name] for name in due.keys() - started))

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
        self.checks.close(self.now)
        self.assertEqual(self.writes, 0)


if __name__ == "__main__":
    unittest.main()
