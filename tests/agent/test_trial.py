"""A check is tried once, and a log shown to rules: as the agent does it, without the agent."""

import os
import shutil
import tempfile
import unittest

from monitor436.agent import plan
from monitor436.agent.limits import Limits
from monitor436.agent.tools import try_rules
from monitor436.agent.tools.trial import Result, tried

ANY = Limits("any", "", "any", "")
NONE = Limits("none", "", "none", "")


def check(**fields: object) -> "plan.LogCheck | plan.CommandCheck | plan.ReadingCheck | plan.ProcessCheck":
    """A check of a plan."""
    [made] = plan.read({"checks": [dict({"name": "it"}, **fields)]}).checks
    return made


def results(limits: Limits = ANY, run: bool = True, **fields: object) -> "list[Result]":
    """What comes of it."""
    return tried(check(**fields), limits, run)


class TrialTests(unittest.TestCase):
    """Each kind of check."""

    def states(self, **fields: object) -> "list[tuple[str, str, object]]":
        """State, what it is of, and value."""
        return [(each.state, each.of, each.value) for each in results(**fields)]

    def test_a_reading_is_shown_with_its_state(self) -> None:
        """Also where that is no news."""
        [(state, _, value)] = self.states(reading="filesystem_used_percent", of="/", warning="above 100")
        self.assertEqual(state, "ok")
        self.assertTrue(0 <= value <= 100)  # type: ignore[operator]
        [(state, _, _)] = self.states(reading="filesystem_used_percent", of="/", critical="above -1", after="3")
        self.assertEqual(state, "critical")

    def test_a_command_shows_each_of_its_values(self) -> None:
        """With what they are of, and a state each."""
        command = ["printf", "a 1\\nb 20\\n"]
        states = self.states(command=command, value="(?P<of>[a-z]) (?P<value>[0-9]+)", warning="above 10")
        self.assertEqual(sorted(states), [("ok", "a", 1), ("warning", "b", 20)])
        self.assertEqual(self.states(command=command, value="[0-9]+", metric="m"), [("ok", "", 1)])

    def test_a_command_that_only_has_to_work_works_or_does_not(self) -> None:
        """By its status."""
        self.assertEqual([(each.how, each.says) for each in results(command=["true"])], [("ok", "ok: works")])
        [failed] = results(command=["sh", "-c", "echo no such luck; exit 3"])
        self.assertEqual((failed.how, failed.says), ("bad", "status 3: no such luck"))

    def test_a_plug_in_shows_its_state_and_its_numbers(self) -> None:
        """In its own words, where it is not content."""
        for status, said in ((0, "ok: works"), (1, "warning: DISK 3 left"), (2, "critical: DISK 3 left")):
            first, number = results(command=["sh", "-c", "echo 'DISK 3 left|/=3'; exit {}".format(status)], nagios=True)
            self.assertEqual((first.how, first.says), ("ok", said))
            self.assertEqual((number.state, number.of, number.value), ("metric", "/", 3))
        [unknown] = results(command=["sh", "-c", "echo hm; exit 3"], nagios=True)
        self.assertEqual(unknown.how, "bad")

    def test_a_command_that_does_not_end_is_told(self) -> None:
        """After its own time."""
        [late] = results(command=["sleep", "60"], timeout=0.1)
        self.assertEqual((late.how, late.says), ("bad", "timed out"))

    def test_a_program_that_is_not_there_is_told(self) -> None:
        """Whatever may be run."""
        [missing] = results(command=["/no/such/program"])
        self.assertEqual((missing.how, missing.says), ("bad", "/no/such/program: No such file or directory"))

    def test_processes_are_counted(self) -> None:
        """With a table that somebody prints, too."""
        table = ["printf", "PID USER COMMAND\\n1 root /bin/one\\n2 root /bin/one\\n"]
        self.assertEqual(self.states(process="one", ps=table), [("ok", "", 2)])
        self.assertEqual(self.states(process="one", ps=table, most=1, severity="critical"), [("critical", "", 2)])

    def test_what_the_host_refuses_is_not_run(self) -> None:
        """The sentence is that of the agent."""
        [refused] = results(NONE, command=["true"])
        self.assertEqual((refused.how, refused.state), ("bad", "refused"))
        self.assertIn("--commands none", refused.says)

    def test_nothing_is_run_where_nobody_wants_it(self) -> None:
        """A refusal is told all the same."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "x")
        self.assertEqual([each.how for each in results(run=False, command=["touch", path])], ["ok"])
        self.assertEqual([each.how for each in results(NONE, False, command=["touch", path])], ["bad"])
        self.assertFalse(os.path.exists(path))


class LogTests(unittest.TestCase):
    """The files of a log check."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name: str, content: "bytes | None" = None) -> str:
        """A file."""
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        return path

    def how(self, log: str, limits: Limits = ANY) -> "list[tuple[str, str]]":
        """How it went, and what is said."""
        return [(each.how, each.says) for each in results(limits, log=log, match="x")]

    def test_a_file_can_be_read_is_not_there_or_is_none(self) -> None:
        """Neither a folder nor a pipe is read, or waited for."""
        good, missing, pipe = self.path("good", b""), self.path("missing"), self.path("pipe")
        os.mkfifo(pipe)
        self.assertEqual(self.how(good), [("ok", "can read " + good)])
        self.assertEqual(self.how(missing), [("note", missing + " is not there yet")])
        self.assertEqual(self.how(pipe), [("bad", pipe + ": is no file, and is not read")])
        self.assertEqual(self.how(self.folder), [("bad", self.folder + ": is no file, and is not read")])

    def test_a_pattern_stands_for_its_files(self) -> None:
        """A few are named."""
        for number in range(5):
            self.path("{}.log".format(number), b"")
        [(how, says)] = self.how(self.path("*.log"))
        self.assertEqual((how, says[-10:]), ("ok", "and 2 more"))
        self.assertEqual(self.how(self.path("*.txt")), [("note", "no file matches " + self.path("*.txt"))])

    def test_a_link_is_what_it_leads_to(self) -> None:
        """A list of the folder does not let it be read."""
        link = self.path("link")
        os.symlink("/etc/passwd", link)
        [(how, says)] = self.how(link, Limits("none", "", "listed", self.folder + "/"))
        self.assertEqual(
            (how, says), ("bad", "/etc/passwd is not in this host's logs.allow (after an edit restart the agent)")
        )

    def test_blocks_are_whole_lines(self) -> None:
        """The last line too, and one that does not fit a block; of an endless one its start is enough."""
        data = b"".join(b"%d %s\n" % (number, b"x" * (number % 900)) for number in range(2000)) + b"last"
        blocks = list(try_rules.blocks(self.path("log", data)))
        self.assertGreater(len(blocks), 2)
        self.assertTrue(all(block.endswith(b"\n") for block in blocks))
        self.assertEqual(b"".join(blocks), data + b"\n")
        endless = b"y" * (5 * try_rules.BLOCK) + b"\nz\n"
        blocks = list(try_rules.blocks(self.path("log", endless)))
        self.assertTrue(b"".join(blocks).endswith(b"\nz\n"))
        self.assertLess(max(map(len, blocks)), 3 * try_rules.BLOCK)
