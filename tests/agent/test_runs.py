"""What comes of one run: of a reading, of a command's end, of a table of processes."""

import json
import os
import unittest
from typing import Any

from monitor436.agent import commands
from monitor436.agent.probe.counters import busy_percent, per_second
from monitor436.agent.probe.procfs import ReadingError
from monitor436.agent.probe.readings import READINGS, Reading
from monitor436.agent.probe.runs import MOST_OUTPUT, MOST_TABLE, CommandRun, ProcessRun, ReadingRun
from tests.agent.written import check

AT = 1700000000.0
DF = """\
Filesystem     1024-blocks      Used Available Capacity Mounted on
/dev/sda1         41152736  35996956   3041476      93% /
/dev/sdb1          1021184    102400    918784      11% /srv
tmpfs               409600         -         -        - /run
"""


class Ended:
    """A child that has ended with this."""

    def __init__(self, output: str = "", status: int = 0, problem: str = "") -> None:
        self._finished = commands.Finished(status, output.encode(), problem)

    def poll(self, now: float) -> commands.Finished:
        """How it has."""
        return self._finished

    def gone(self) -> bool:
        """Whether it is not there any longer."""
        return not self._finished.problem


class RunCase(unittest.TestCase):
    """Shared: runs that have ended."""

    def ended(self, run: Any, output: str = "", status: int = 0, problem: str = "") -> "list[Any]":
        """The events of a run that ends so."""
        run.child = Ended(output, status, problem)
        events = run.look(0.0, AT)
        self.assertIsNone(run.child)
        return list(events)

    def told(self, run: Any, *ends: Any) -> "list[str]":
        """The texts of the events of several runs, each an output or a tuple."""
        ends = tuple(end if isinstance(end, tuple) else (end,) for end in ends)
        return [event["text"] for end in ends for event in self.ended(run, *end)]


class ReadingTests(unittest.TestCase):
    def setUp(self) -> None:
        self.value = None  # type: Any

    def made_up(self, rate: object, warning: str = "above 100", metric: str = "traffic") -> ReadingRun:
        """A run of a reading that gives `value`."""
        READINGS["made_up"] = Reading(self.read, "", rate)
        self.addCleanup(READINGS.pop, "made_up", None)
        made = check("traffic", reading="load1", warning=warning)
        return ReadingRun(made._replace(reading="made_up", metric=metric), 0.0)

    def read(self, of: str, root: str) -> Any:
        """The made-up reading."""
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def take(self, run: ReadingRun, *readings: "tuple[float, Any]") -> "list[str]":
        """What these readings at these moments say."""
        told = []
        for now, self.value in readings:
            told += [str(event["text"]) for event in run.take(now, AT)]
        return told

    def test_a_value_is_judged(self) -> None:
        """And sent."""
        told = self.take(self.made_up(None), (0.0, 5.5), (60.0, 101.0))
        self.assertEqual(told, ["traffic 5.5", "traffic is 101: warning (above 100)", "traffic 101"])

    def test_a_rate_is_the_difference_of_two_readings_by_their_distance(self) -> None:
        """The first says nothing, nor does a counter that went back; no time is no distance."""
        run = self.made_up(per_second)
        told = self.take(
            run, (10.0, 5000.0), (20.0, 5500.0), (30.0, 100.0), (40.0, 200.0), (40.0, 300.0), (41.0, 300.0)
        )
        self.assertEqual(told, ["traffic 50", "traffic 10", "traffic 0"])

    def test_a_share_is_that_of_what_has_passed(self) -> None:
        """Never beyond what a share can be."""
        run = self.made_up(busy_percent)
        told = self.take(run, (0.0, (10, 100)), (1.0, (60, 200)), (2.0, (60, 200)), (3.0, (50, 300)), (4.0, (250, 400)))
        self.assertEqual(told, ["traffic 50", "traffic 0", "traffic 100"])

    def test_a_reading_that_cannot_be_had_is_told_and_so_is_its_end(self) -> None:
        """Also where that end says nothing yet; a fault of ours is told with its name."""
        run = self.made_up(per_second, metric="", warning="above 1")
        told = self.take(run, (0.0, ReadingError("no eth9")), (1.0, ReadingError("no eth9")), (2.0, 5.0), (3.0, 5.0))
        self.assertEqual(told, ["traffic: no eth9", "traffic works again"])
        self.assertIn("ZeroDivisionError", self.take(self.made_up(None), (0.0, ZeroDivisionError("x")))[0])

    def test_a_run_goes_on_from_what_was_kept(self) -> None:
        """The state that lasts is not told again."""
        run = self.made_up(None, metric="")
        self.take(run, (0.0, 101.0))
        again = ReadingRun(run.check, 0.0, json.loads(json.dumps(run.verdict.kept())))
        self.assertEqual(self.take(again, (0.0, 101.0), (1.0, 1.0)), ["traffic is 1: ok"])


class CommandTests(RunCase):
    def run_of(self, **fields: object) -> CommandRun:
        """A run of a command."""
        return CommandRun(check("disks", command=["df", "-P"], **fields), 0.0)

    def test_the_first_line_in_which_the_pattern_is_found_counts(self) -> None:
        """Its group `value`, else its first group, else all of it."""
        for pattern in (r"(?P<unit>\D)(?P<value>\d+)%", r"(\d+)%", r"\d+(?=%)"):
            told = self.told(self.run_of(value=pattern, warning="above 85"), DF)
            self.assertEqual(told, ["disks is 93: warning (above 85)"], pattern)

    def test_without_a_pattern_it_is_the_first_number(self) -> None:
        """Wherever it stands."""
        self.assertEqual(self.told(self.run_of(warning="below 0"), "x\n-1.5 7"), ["disks is -1.5: warning (below 0)"])

    def test_a_line_ends_where_it_ends(self) -> None:
        """A pattern does not reach into the next one."""
        run = self.run_of(value=r"^b (\d+)$", warning="above 5")
        self.assertEqual(self.told(run, "a 1\nb 9\nc 3"), ["disks is 9: warning (above 5)"])
        self.assertEqual(self.told(self.run_of(value=r"a\s(\d+)", metric="a"), "a\n1\na 2"), ["a 2"])

    def test_a_value_of_each_thing_is_judged_for_itself(self) -> None:
        """The first number that is not the name; what has none is left out, of two of a name the first counts."""
        for pattern in (r"(\d+)% (?P<of>/\S*)", r"(?P<value>\S+)% (?P<of>/\S*)"):
            run = self.run_of(value=pattern, warning="above 85", metric="used")
            told = self.told(run, DF + "x x 99% /\n", DF.replace("93%", "9%"))
            self.assertEqual(
                told,
                [
                    "disks / is 93: warning (above 85)",
                    "used / 93, used /srv 11",
                    "disks / is 9: ok",
                    "used / 9, used /srv 11",
                ],
            )
        run = self.run_of(value=r"^(?P<of>\w+) (\d+)", warning="above 5")
        self.assertEqual(self.told(run, "a 9\nb 1\n"), ["disks a is 9: warning (above 5)"])

    def test_no_value_is_a_failure_and_says_how_it_ended(self) -> None:
        """The states of values stay."""
        run = self.run_of(value=r"(\d+)% (?P<of>/\S*)", warning="above 85")
        told = self.told(run, DF, ("df: no such file\n", 1), DF)
        self.assertEqual(
            told,
            [
                "disks / is 93: warning (above 85)",
                "disks: no value in its output: status 1: df: no such file",
                "disks works again",
            ],
        )

    def test_output_beyond_64_kib_is_told_and_half_a_number_not_believed(self) -> None:
        """What is missing has not vanished."""
        run = self.run_of(value=r"^(?P<of>\w+) (\d+)$", warning="above 5")
        self.told(run, "a 1\nb 1\nc 9\n")
        cut = "a 9\n" + "x\n" * (MOST_OUTPUT // 2 - 4) + "b 999"
        self.assertEqual(len(cut), MOST_OUTPUT + 1)
        self.assertEqual(
            self.told(run, cut, cut),
            ["disks a is 9: warning (above 5)", "disks: more than 64 KiB of output; the rest is passed over"],
        )

    def test_one_value_is_had_from_whatever_output(self) -> None:
        """What comes after it does not matter."""
        run = self.run_of(value=r"^a (\d+)$", metric="a")
        self.assertEqual(self.told(run, "a 9\n" + "x\n" * MOST_OUTPUT), ["a 9"])

    def test_a_pattern_that_explodes_is_stopped(self) -> None:
        """It does not hold up heartbeats."""
        run = self.run_of(value="(a+)+$", warning="above 5")
        self.assertEqual(self.told(run, "a" * 60 + "b"), ["disks: its pattern takes too long"])

    def test_without_limits_the_status_counts(self) -> None:
        """It may take several runs."""
        run = self.run_of(after=2)
        told = self.told(run, ("", 3), "", ("\nno backup\nx", 3), ("no backup", 3), "")
        self.assertEqual(told, ["disks: status 3: no backup", "disks works again"])

    def test_a_signal_a_timeout_and_a_missing_program_are_failures(self) -> None:
        """Whatever was printed."""
        for end, text in (
            (("9", -9), "disks: signal 9: 9"),
            (("9", -15, "timed out"), "disks: timed out"),
            (("", 127, "No such file or directory"), "disks: No such file or directory"),
        ):
            self.assertEqual(self.told(self.run_of(warning="above 5"), end), [text])
            self.assertEqual(self.told(self.run_of(nagios=True), end), [text])

    def test_what_cannot_be_killed_is_told_at_once_and_remembered(self) -> None:
        """There is no next run while it is there."""
        run = self.run_of(after=3)
        [event] = self.ended(run, "", -9, commands.STUCK)
        self.assertEqual((event["kind"], event["text"]), ("check_stuck", "disks: does not end and cannot be killed"))
        self.assertTrue(run.hangs())


class PluginTests(RunCase):
    def plugin(self, **fields: object) -> CommandRun:
        """A run of a plug-in."""
        return CommandRun(check("root", command=["check_disk"], nagios=True, **fields), 0.0)

    def test_the_status_is_the_state_and_the_first_line_the_text(self) -> None:
        """Performance data are metrics, each under its own label."""
        run = self.plugin(tags=["os"])
        events = self.ended(run, "DISK WARNING - 10% free | /=2643MB;5948;;0;5968 '/my disk'=0.5%\nmore | load=1", 1)
        self.assertEqual(
            [(event["kind"], event["severity"], event["text"], event["fields"]) for event in events],
            [
                ("check_state", "warning", "DISK WARNING - 10% free", {"state": "warning", "was": "ok"}),
                ("metric", "info", "/ 2643, /my disk 0.5, load 1", {"/": 2643, "/my disk": 0.5, "load": 1}),
            ],
        )
        self.assertEqual({(event["check"], event["tags"][0]) for event in events}, {("root", "os")})
        self.assertEqual(self.told(run, ("DISK WARNING - 9% free", 1), ("CRITICAL", 2), "OK"), ["CRITICAL", "OK"])

    def test_unknown_is_a_failure(self) -> None:
        """So is any other status; the state is not touched."""
        run = self.plugin()
        told = self.told(run, ("BAD", 2), ("DISK UNKNOWN - no such disk", 3), ("x", 4), ("BAD", 2), ("x | y=1", 64))
        self.assertEqual(
            told,
            ["BAD", "root: unknown: DISK UNKNOWN - no such disk", "root works again", "root: unknown: status 64: x"],
        )

    def test_a_plug_in_that_says_nothing_is_told_by_its_state(self) -> None:
        """There is always a text."""
        self.assertEqual(self.told(self.plugin(), ("", 2), ("\n", 0)), ["root: critical", "root: ok"])

    def test_it_may_take_several_bad_runs(self) -> None:
        """Unknown ones too."""
        run = self.plugin(after="2 of 3")
        self.assertEqual(self.told(run, ("BAD", 2), ("OK", 0), ("BAD", 1)), ["BAD"])
        self.assertEqual(self.told(run, ("?", 3), ("?", 3)), ["root: unknown: ?"])


class ProcessTests(RunCase):
    def test_processes_here_are_counted(self) -> None:
        """Without a program."""
        run = ProcessRun(check("me", process="*", command_line=".", user=str(os.geteuid()), most=0, after=1), 0.0)
        [event] = run.take(0.0, AT)
        self.assertEqual((event["kind"], event["severity"]), ("check_state", "warning"))
        self.assertGreaterEqual(event["fields"]["value"], 1)  # type: ignore[index]

    def test_a_count_that_cannot_be_had_is_a_failure(self) -> None:
        """And no state."""
        run = ProcessRun(check("x", process="x", user="no-such-user", after=1), 0.0)
        self.assertEqual([event["kind"] for event in run.take(0.0, AT)], ["check_failed"])

    def test_a_table_is_counted(self) -> None:
        """Whatever the status of ps is: it has one for no process."""
        run = ProcessRun(check("nginx", process="nginx", ps=["ps", "-ef"], metric="workers", after=1), 0.0)
        told = self.told(run, "UID CMD\nroot nginx: x\nroot sh\n", ("UID CMD\n", 1))
        self.assertEqual(told, ["workers 1", "nginx: 0 run, at least 1 expected", "workers 0"])

    def test_what_is_no_table_is_a_failure(self) -> None:
        """So is one that does not end."""
        for output in ("ps: not found\n", "UID CMD\n" + "root x\n" * (MOST_TABLE // 7 + 1)):
            run = ProcessRun(check("nginx", process="nginx", ps=["ps", "-ef"], after=1), 0.0)
            [event] = self.ended(run, output)
            self.assertEqual(event["kind"], "check_failed")


if __name__ == "__main__":
    unittest.main()
