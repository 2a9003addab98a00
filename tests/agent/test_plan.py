"""The plan as a host reads it: what is taken, what is refused, and how it is written back."""

import json
import os
import subprocess
import sys
import unittest
from typing import Any

from monitor436.agent import plan, shape
from monitor436.agent.readings import NEEDS_OF, READINGS

SYSLOG = {"name": "syslog errors", "log": "/var/log/syslog", "match": ["error", "fail(ed|ure)"], "tags": ["os"]}
USERS = {
    "name": "users",
    "command": ["who", "-q"],
    "value": "# users=(\\d+)",
    "every": 60.0,
    "warning": "above 5",
    "critical": "above 10",
}
ROOT = {"name": "root full", "reading": "filesystem_used_percent", "of": "/", "warning": "above 80"}


def one(check: Any) -> Any:
    """The only check of a plan that holds `check`."""
    return plan.read({"checks": [check]}).checks[0]


def without(check: Any, key: str) -> Any:
    """A check with one key less."""
    return {name: value for name, value in check.items() if name != key}


class RefusalTests(unittest.TestCase):
    """Shared: a tree is refused with just these problems."""

    def refused(self, tree: object) -> "list[tuple[tuple[str | int, ...], str]]":
        """The problems of a tree that is refused."""
        with self.assertRaises(plan.PlanError) as caught:
            plan.read(tree)
        return caught.exception.problems

    def assert_problem(self, check: object, path: "tuple[str | int, ...]", sentence: str) -> None:
        """A check has one problem, at `path` inside it, which says `sentence`."""
        [(found, says)] = self.refused({"checks": [check]})
        self.assertEqual(found, ("checks", 0, *path))
        self.assertIn(sentence, says)


class ReadTests(RefusalTests):
    def test_each_kind_of_check_is_read_with_its_defaults(self) -> None:
        """A log, a command and a reading; the durations are seconds."""
        read = plan.read({"beat": 2, "late": 10.0, "checks": [SYSLOG, USERS, ROOT]})
        self.assertEqual((read.beat, read.late), (2.0, 10.0))
        log, command, reading = read.checks
        match = ("error", "fail(ed|ure)")
        self.assertEqual(log, plan.LogCheck("syslog errors", "/var/log/syslog", match, "warning", ("os",)))
        limits = (plan.Limit("above", 5.0), plan.Limit("above", 10.0))
        words = ("who", "-q")
        self.assertEqual(command, plan.CommandCheck("users", words, "# users=(\\d+)", 60.0, 10.0, *limits, tags=()))
        limit = plan.Limit("above", 80.0)
        self.assertEqual(reading, plan.ReadingCheck("root full", "filesystem_used_percent", "/", 60.0, limit, None, ()))

    def test_the_empty_plan_beats_every_five_seconds(self) -> None:
        """And is late after three beats."""
        self.assertEqual(plan.read({}), plan.Plan(5.0, 15.0, ()))
        self.assertEqual(plan.read({"beat": "20s"}).late, 60.0)

    def test_every_scalar_may_be_text_as_an_author_wrote_it(self) -> None:
        """What YAML calls numbers and booleans is text here, until a field wants it otherwise."""
        written = dict(USERS, name="no", every="1m", timeout="500ms", warning="above 5", tags=["1.10"])
        read = one(written)
        self.assertEqual((read.name, read.every, read.timeout, read.tags), ("no", 60.0, 0.5, ("1.10",)))

    def test_one_pattern_needs_no_list(self) -> None:
        """A text is as good as a list of one."""
        self.assertEqual(one(dict(SYSLOG, match="error")).match, ("error",))

    def test_all_problems_are_told_at_once_each_with_its_path(self) -> None:
        """Also inside lists, and from several checks."""
        tree = {
            "beet": 1,
            "beat": "soon",
            "checks": [dict(SYSLOG, match=["(", "ok", ""]), 7, dict(ROOT, reading="nope", warning=3)],
        }
        paths = [path for path, _ in self.refused(tree)]
        self.assertEqual(
            sorted(paths, key=str),
            sorted(
                [
                    ("beet",),
                    ("beat",),
                    ("checks", 0, "match", 0),
                    ("checks", 0, "match", 2),
                    ("checks", 1),
                    ("checks", 2, "reading"),
                    ("checks", 2, "warning"),
                ],
                key=str,
            ),
        )

    def test_the_error_as_text_holds_paths_and_sentences(self) -> None:
        """It goes into one event."""
        with self.assertRaises(plan.PlanError) as caught:
            plan.read({"checks": [dict(SYSLOG, log="syslog")], "beat": "0s"})
        text = str(caught.exception)
        self.assertIn("beat: must be 100ms to 1h", text)
        self.assertIn('checks.0.log: expected an absolute path without "..", got "syslog"', text)

    def test_what_is_no_mapping_is_refused(self) -> None:
        """On top, and as a check."""
        trees = ([], "checks", 3, None, True)  # type: tuple[object, ...]
        for tree in trees:
            self.assertEqual([path for path, _ in self.refused(tree)], [()])
        self.assertEqual(self.refused({"checks": {"a": SYSLOG}})[0][0], ("checks",))

    def test_unknown_keys_are_problems_with_the_word_that_was_meant(self) -> None:
        """A slip must not silently leave a default in force."""
        self.assert_problem(dict(SYSLOG, severty="info"), ("severty",), 'did you mean "severity"?')
        self.assert_problem(dict(SYSLOG, every="1m"), ("every",), "unknown key")
        self.assertIn('did you mean "checks"?', self.refused({"cheks": []})[0][1])

    def test_a_check_is_of_exactly_one_kind(self) -> None:
        """None and two are slips."""
        self.assert_problem({"name": "x"}, (), "needs exactly one of log, command and reading, has none")
        self.assert_problem(dict(SYSLOG, command=["who"]), (), "has log and command")

    def test_names_are_short_printable_and_unique(self) -> None:
        """They stand in every event of the check."""
        for name in ("", " x", "a\tb", "a\u202eb", "ä" * 33, 7, None):
            self.assert_problem(dict(SYSLOG, name=name), ("name",), "")
        self.assertEqual(one(dict(SYSLOG, name="ä" * 32)).name, "ä" * 32)
        self.assert_problem(without(SYSLOG, "name"), (), 'needs "name"')
        self.assertEqual(
            self.refused({"checks": [SYSLOG, ROOT, SYSLOG]}),
            [(("checks", 2, "name"), 'another check is called "syslog errors" too')],
        )

    def test_logs_are_absolute_paths_of_single_files(self) -> None:
        """Nothing relative, nothing upwards, no pattern, no folder."""
        for path in ("syslog", "/var/../etc/shadow", "/var/log/*.log", "/var/log/", "/a\0b", "/a\nb", ["/a"], ""):
            self.assert_problem(dict(SYSLOG, log=path), ("log",), "")
        self.assertEqual(one(dict(SYSLOG, log="/var/log/a..b")).log, "/var/log/a..b")

    def test_patterns_are_compiled_as_the_bytes_that_match(self) -> None:
        """Also one that is fine as text but not as bytes."""
        for pattern in (
            "(",
            "*a",
            "[z-a]",
            "(?P<a>x)(?P<a>y)",
            "a{99999999999}",
            "(?u)a",
            "(" * 400,
            "x" * 501,
            "\ud800",
        ):
            self.assert_problem(dict(SYSLOG, match=[pattern]), ("match", 0), "")
        self.assert_problem(dict(SYSLOG, match=[]), ("match",), "must not be empty")
        self.assert_problem(dict(SYSLOG, match=["a"] * 51), ("match",), "has 51 items")
        self.assert_problem(without(SYSLOG, "match"), (), 'needs "match"')
        self.assertEqual(one(dict(SYSLOG, match=["größer"])).match, ("größer",))

    def test_commands_are_lists_of_words(self) -> None:
        """There is no shell, so text with spaces would be the name of a program."""
        self.assert_problem(dict(USERS, command="who -q"), ("command",), "such as [who, -q]")
        self.assert_problem(dict(USERS, command=[]), ("command",), "must not be empty")
        self.assert_problem(dict(USERS, command=["who", ""]), ("command", 1), "must not be empty")
        self.assert_problem(dict(USERS, command=["who", "a\0"]), ("command", 1), "holds a character")
        self.assert_problem(dict(USERS, command=["w"] * 65), ("command",), "has 65 items")
        self.assert_problem(dict(USERS, value="("), ("value",), "not a regular expression")

    def test_readings_are_those_that_the_agent_has(self) -> None:
        """With an object where they need one, only there, and with a limit."""
        for reading in READINGS:
            check = {"name": reading, "reading": reading, "warning": "above 1"}
            if reading in NEEDS_OF:
                self.assert_problem(check, (), 'needs "of"')
                check["of"] = "/"
            else:
                self.assert_problem(dict(check, of="/"), ("of",), "takes no")
            self.assertEqual(one(check).reading, reading)
            self.assert_problem(without(check, "warning"), (), "without a limit")
        self.assert_problem(dict(ROOT, reading="filesystem_used_procent"), ("reading",), "filesystem_used_percent")

    def test_limits_are_a_direction_and_a_number(self) -> None:
        """Anything else is refused."""
        for text, limit in (("above 5", 5.0), ("above  -0.5", -0.5), ("above 1e3", 1000.0), ("above -0", 0.0)):
            self.assertEqual(one(dict(ROOT, warning=text)).warning, plan.Limit("above", limit))
        for bad in ("5", "above", "over 5", "above five", "above nan", "above inf", "above 1e999", "> 5", 5, None, ""):
            self.assert_problem(dict(ROOT, warning=bad), ("warning",), "expected a limit")

    def test_a_critical_limit_lies_beyond_the_warning_limit(self) -> None:
        """On the far side of it, whichever way that is."""
        for warning, critical in (("above 5", "above 5"), ("above 5", "above 4"), ("below 5", "below 6")):
            check = dict(ROOT, warning=warning, critical=critical)
            self.assert_problem(check, ("critical",), "must lie beyond the warning limit")
        self.assertEqual(one(dict(ROOT, warning="below 5", critical="below 4")).critical.value, 4.0)
        self.assertEqual(one(dict(ROOT, warning="above 5", critical="below 4")).critical.value, 4.0)

    def test_tags_are_few_short_words(self) -> None:
        """They have to fit a datagram with everything else."""
        for tag in ("", "a b", "ä", "x" * 17, 7, "-a", "a\n"):
            self.assert_problem(dict(SYSLOG, tags=[tag]), ("tags", 0), "expected at most 16 letters")
        self.assert_problem(dict(SYSLOG, tags=list("abcdefg")), ("tags",), "has 7 items")
        self.assertEqual(one(dict(SYSLOG, tags=["team:db/1.0_x-y"])).tags, ("team:db/1.0_x-y",))

    def test_severities_are_the_three(self) -> None:
        """No other word."""
        self.assert_problem(dict(SYSLOG, severity="warn"), ("severity",), 'did you mean "warning"?')
        self.assert_problem(dict(SYSLOG, severity=["info"]), ("severity",), "unknown severity")

    def test_late_is_at_least_twice_beat(self) -> None:
        """One lost datagram must not make a host late."""
        self.assertEqual(self.refused({"beat": 5, "late": 9})[0][0], ("late",))
        self.assertEqual(plan.read({"beat": 5, "late": 10}).late, 10.0)

    def test_the_number_of_checks_is_bounded(self) -> None:
        """A plan is held in the memory of every host."""
        checks = [dict(ROOT, name=str(number)) for number in range(501)]
        self.assertEqual(self.refused({"checks": checks})[0][1], "has 501 items, more than 500")
        self.assertEqual(len(plan.read({"checks": checks[:500]}).checks), 500)


class DurationTests(RefusalTests):
    def test_each_unit_is_read(self) -> None:
        """Milliseconds to days, with a fraction where one is wanted."""
        expected = {"500ms": 0.5, "30s": 30.0, "5m": 300.0, "2h": 7200.0, "1d": 86400.0, "1.5h": 5400.0}
        self.assertEqual({text: shape.seconds(text) for text in expected}, expected)

    def test_numbers_without_a_unit_are_refused_with_the_unit_that_was_meant(self) -> None:
        """In text: JSON numbers are seconds, as the server wrote them."""
        with self.assertRaisesRegex(ValueError, 'got "60": write "60s" for seconds'):
            shape.seconds("60")
        self.assertEqual(one(dict(ROOT, every=90)).every, 90.0)

    def test_everything_else_is_refused(self) -> None:
        """Words, signs, spaces, other digits, and numbers of no size."""
        for text in ("", "s", "5 s", "-5s", "+5s", "5S", "5sec", "1:30", "1h30m", "inf", "1e3s", "٣s", "5s\n", "0x5s"):
            self.assertRaises(ValueError, shape.seconds, text)
        values = (True, None, [], {}, float("nan"), float("inf"), 10**400, -1, 0, "0s", "8d")  # type: tuple[object, ...]
        for value in values:
            self.assert_problem(dict(ROOT, every=value), ("every",), "")

    def test_seconds_are_spelt_in_the_largest_unit_that_fits(self) -> None:
        """So that what is written reads back as it was."""
        for text in ("500ms", "90s", "30s", "5m", "2h", "1d", "25h", "1.5ms"):
            self.assertEqual(shape.spelt(shape.seconds(text)), text)


class DumpTests(unittest.TestCase):
    def test_a_plan_that_is_read_back_is_equal(self) -> None:
        """All kinds of check, with and without what may be left out."""
        read = plan.read({"checks": [SYSLOG, USERS, ROOT, {"name": "x", "command": ["true"]}]})
        self.assertEqual(plan.read(json.loads(plan.dump(read).decode())), read)

    def test_limits_keep_their_last_bit(self) -> None:
        """Whole numbers are written as such, others so that they read back."""
        for number in ("0.1", "80", "-3.25", "1e20", "123456789.125", "1e-7"):
            read = plan.read({"checks": [dict(ROOT, warning="above " + number)]})
            self.assertEqual(plan.read(json.loads(plan.dump(read).decode())), read)
        self.assertIn(b'"above 80"', plan.dump(plan.read({"checks": [ROOT]})))

    def test_the_bytes_are_canonical(self) -> None:
        """Sorted keys, no spaces, UTF-8: they are what the digest is over. Defaults are spelt out."""
        dumped = plan.dump(plan.read({"checks": [dict(without(ROOT, "of"), reading="load1", name="größe")]}))
        self.assertEqual(
            dumped.decode(),
            '{"beat":5.0,"checks":[{"every":60.0,"name":"größe","reading":"load1","tags":[],'
            '"warning":"above 80"}],"late":15.0}',
        )

    def test_the_digest_is_sha_256_in_hex(self) -> None:
        """The value for no bytes is the one in FIPS 180-4's examples."""
        self.assertEqual(plan.digest(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


class QuotingTests(unittest.TestCase):
    def test_a_quoted_value_moves_no_cursor_and_is_cut(self) -> None:
        """Sentences go to terminals and into events."""
        self.assertEqual(shape.shown("a\x1b[2Jb\u202e\n"), '"a\\u001b[2Jb\\u202e\\u000a"')
        self.assertEqual(shape.shown("x" * 100), '"{}…"'.format("x" * 60))
        values = ({}, [], None, 5, True)  # type: tuple[object, ...]
        self.assertEqual([shape.shown(value) for value in values], ["a mapping", "a list", "nothing", "5", "True"])

    def test_a_word_nowhere_near_is_answered_with_those_known(self) -> None:
        """The first dozen of them."""
        self.assertEqual(shape.meant("zzz", ["beat", "late"]), "known are beat, late")
        self.assertTrue(shape.meant("zzz", ["k{}".format(n) for n in range(20)]).endswith("k11, …"))


class FootprintTests(unittest.TestCase):
    def test_reading_a_good_plan_loads_no_module_that_only_problems_need(self) -> None:
        """The agent is resident: difflib, typing, hashlib and the like stay out."""
        code = (
            "import sys; from monitor436.agent import plan; "
            "plan.read({'checks': [{'name': 'x', 'log': '/a', 'match': ['a']}]}); "
            "print(*sorted({'difflib', 'typing', 'hashlib', 'subprocess', 'logging', 'datetime'} & set(sys.modules)))"
        )
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(plan.__file__))))
        heavy = subprocess.check_output([sys.executable, "-S", "-c", code], cwd=root)
        self.assertEqual(heavy.decode().split(), [])
