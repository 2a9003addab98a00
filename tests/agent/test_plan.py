"""The plan as a host reads it: what is taken, what is refused, and how it is written back."""

import json
import os
import subprocess
import sys
import unittest
from typing import Any

from monitor436.agent import plan, shape
from monitor436.agent.notation import After, Limit, Over
from monitor436.agent.probe.readings import READINGS

SYSLOG = {"name": "syslog errors", "log": "/var/log/syslog", "match": ["error", "fail(ed|ure)"], "tags": ["os"]}
USERS = {
    "name": "users",
    "command": ["who", "-q"],
    "value": "# users=(\\d+)",
    "every": 60.0,
    "warning": "above 5",
    "critical": "above 10",
}
NGINX = {"name": "web", "process": "nginx"}
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
        """A log, a process, a command and a reading; the durations are seconds."""
        read = plan.read({"beat": 2, "late": 10.0, "checks": [SYSLOG, NGINX, USERS, ROOT]})
        self.assertEqual((read.beat, read.late), (2.0, 10.0))
        log, process, command, reading = read.checks
        match = ("error", "fail(ed|ure)")
        none = {"exclude": (), "text": "", "count": 0.0, "over": None, "absent": 0.0, "active": ()}
        self.assertEqual(
            log,
            plan.LogCheck(
                name="syslog errors", log="/var/log/syslog", match=match, severity="warning", tags=("os",), **none
            ),
        )
        timed = {"every": 60.0, "metric": "", "tags": (), "active": ()}
        counted = {"command_line": "", "user": "", "least": 1, "most": None, "ps": (), "severity": "warning"}
        self.assertEqual(
            process, plan.ProcessCheck("web", "nginx", timeout=10.0, after=After(2, 2), **counted, **timed)
        )
        limits = {"warning": Limit("above", 5.0, 5.0), "critical": Limit("above", 10.0, 10.0), "after": After(1, 1)}
        said = {"command": ("who", "-q"), "value": "# users=(\\d+)", "nagios": False, "timeout": 10.0}
        self.assertEqual(command, plan.CommandCheck("users", **said, **limits, **timed))
        limits.update(warning=Limit("above", 80.0, 80.0), critical=None)
        self.assertEqual(reading, plan.ReadingCheck("root full", "filesystem_used_percent", "/", **limits, **timed))

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
        self.assertEqual(
            self.refused({"checks": [{"name": "x", "proces": "nginx", "user": "www"}]}),
            [(("checks", 0, "proces"), 'unknown key; did you mean "process"?')],
        )

    def test_a_check_is_of_exactly_one_kind(self) -> None:
        """None and two are slips."""
        self.assert_problem({"name": "x"}, (), "needs exactly one of log, process, command and reading, has none")
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

    def test_a_backspace_is_the_border_of_a_word_in_the_wrong_quotes(self) -> None:
        """It would match nothing, and nobody would be told."""
        self.assert_problem(dict(SYSLOG, match=["\bERROR"]), ("match", 0), 'a backspace, which "\\b" is in')
        self.assertEqual(one(dict(SYSLOG, match=["\\bERROR\t"])).match, ("\\bERROR\t",))

    def test_logs_are_absolute_paths_or_patterns(self) -> None:
        """Nothing relative, nothing upwards, no folder, no pattern that goes down by itself."""
        for path in ("syslog", "/var/../etc/shadow", "/var/**/a.log", "/var/log/", "/a\0b", "/a\nb", ["/a"], ""):
            self.assert_problem(dict(SYSLOG, log=path), ("log",), "")
        for path in ("/var/log/a..b", "/var/log/*/[ab]?.log"):
            self.assertEqual(one(dict(SYSLOG, log=path)).log, path)

    def test_a_log_has_one_form(self) -> None:
        """Lines, or a count, or too many, or none for too long."""
        self.assertEqual(one(dict(SYSLOG, count="1h")).count, 3600.0)
        self.assertEqual(one(dict(SYSLOG, over="10 in 5m")).over, Over(10, 300.0))
        self.assertEqual(one(dict(SYSLOG, absent="90s")).absent, 90.0)
        self.assert_problem(dict(SYSLOG, count="1h", absent="1h"), (), "only one of count, over and absent")
        for bad in ("10", "10 in", "in 5m", "0 in 5m", "10 in 5", "10001 in 5m", "1 in 8d", "x in 5m", 10, None):
            self.assert_problem(dict(SYSLOG, over=bad), ("over",), "expected")

    def test_a_text_names_groups_that_there_are(self) -> None:
        """A slip would be an empty place in every event."""
        match = "from (?P<address>\\S+)"
        text = "{address} {line} {path} {count} {{}}"
        self.assertEqual(one(dict(SYSLOG, match=match, text=text)).text, text)
        for bad in ("{adress}", "{}", "{", "}", "{0}", "{a b}"):
            self.assert_problem(
                dict(SYSLOG, match=match, text=bad), ("text",), "stands for nothing; known are {address}"
            )

    def test_active_hours_are_days_and_times(self) -> None:
        """Written back the same, in lower case."""
        self.assertEqual(one(dict(SYSLOG, active="Mon-Fri  08:00-18:00")).active, ("mon-fri 08:00-18:00",))
        self.assertEqual(one(dict(ROOT, active=["sat", "22:00-06:00"])).active, ("sat", "22:00-06:00"))
        self.assert_problem(dict(ROOT, active=["weekend"]), ("active", 0), "expected days such as")

    def test_processes_are_at_least_one_if_nothing_is_said(self) -> None:
        """And may be none, if only the most is said."""
        said = [one(dict(NGINX, **more)) for more in ({}, {"most": 0}, {"least": "2", "most": 3}, {"least": 0})]
        self.assertEqual([(each.least, each.most) for each in said], [(1, None), (0, 0), (2, 3), (0, None)])
        self.assert_problem(dict(NGINX, least=2, most=1), ("most",), "no less than least")
        self.assert_problem(dict(NGINX, least=-1), ("least",), "expected a whole number")
        self.assert_problem(dict(NGINX, least=True), ("least",), "expected a whole number")
        self.assert_problem(dict(NGINX, user="a b"), ("user",), "expected the name of a user")
        self.assert_problem(dict(NGINX, ps="ps -ef"), ("ps",), "such as [ps, -ef]")

    def test_after_is_a_number_of_runs(self) -> None:
        """In a row, or out of more."""
        said = [one(dict(ROOT, after=text)).after for text in ("2", 2, "2 of 3", "1 of 20")]
        self.assertEqual(said, [After(2, 2), After(2, 2), After(2, 3), After(1, 20)])
        for bad in ("0", "3 of 2", "1 of 21", "two", "2 of", True, 1.5, None, ""):
            self.assert_problem(dict(ROOT, after=bad), ("after",), "expected")

    def test_a_nagios_plug_in_judges_by_itself(self) -> None:
        """Whatever else would is out of place."""
        self.assertTrue(one({"name": "x", "command": ["check_load"], "nagios": "yes"}).nagios)
        for key, value in (("value", "x"), ("warning", "above 1"), ("critical", "above 1"), ("metric", "x")):
            check = {"name": "x", "command": ["check_load"], "nagios": True, key: value}
            self.assert_problem(check, (key,), "has no place here")
        self.assert_problem({"name": "x", "command": ["x"], "nagios": "perhaps"}, ("nagios",), "expected yes or no")

    def test_a_value_that_nobody_looks_at_is_a_slip(self) -> None:
        """It needs a limit or a metric."""
        command = {"name": "x", "command": ["x"], "value": "(.)"}
        self.assert_problem(command, ("value",), "nobody looks at the value")
        self.assertEqual(one(dict(command, metric="users")).metric, "users")

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
        """With an object where they need one, only there, and with somebody who looks at them."""
        objects = {"path": ("/", "var"), "device": ("sda", "/dev/sda"), "interface": ("eth0.1", "a b")}
        for reading, known in READINGS.items():
            kind = known.of
            check = {"name": reading, "reading": reading, "warning": "above 1"}
            if kind:
                good, bad = objects[kind]
                self.assert_problem(check, (), 'needs "of"')
                self.assert_problem(dict(check, of=bad), ("of",), "expected")
                check["of"] = good
            else:
                self.assert_problem(dict(check, of="/"), ("of",), "takes no")
            self.assertEqual(one(check).reading, reading)
            self.assert_problem(without(check, "warning"), (), "nobody looks at the value")
            self.assertEqual(one(dict(without(check, "warning"), metric="m")).metric, "m")
        self.assert_problem(dict(ROOT, reading="filesystem_used_procent"), ("reading",), "filesystem_used_percent")

    def test_limits_are_a_direction_and_a_number(self) -> None:
        """Anything else is refused."""
        for text, limit in (("above 5", 5.0), ("above  -0.5", -0.5), ("above 1e3", 1000.0), ("above -0", 0.0)):
            self.assertEqual(one(dict(ROOT, warning=text)).warning, Limit("above", limit, limit))
        for bad in ("5", "above", "over 5", "above five", "above nan", "above inf", "above 1e999", "> 5", 5, None, ""):
            self.assert_problem(dict(ROOT, warning=bad), ("warning",), "expected a limit")

    def test_a_limit_can_end_elsewhere_than_it_begins(self) -> None:
        """On the side that is well."""
        self.assertEqual(one(dict(ROOT, warning="above 85 until 80")).warning, Limit("above", 85.0, 80.0))
        self.assertEqual(one(dict(ROOT, warning="below 10 until 12.5")).warning, Limit("below", 10.0, 12.5))
        for bad in ("above 85 until 90", "below 10 until 5"):
            self.assert_problem(dict(ROOT, warning=bad), ("warning",), "over at")
        self.assert_problem(dict(ROOT, warning="above 85 until"), ("warning",), "expected a limit")

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
        more = [
            {"name": "x", "command": ["true"]},
            {"name": "y", "command": ["true"], "nagios": True, "after": "2 of 3", "active": ["mon 08:00-09:00"]},
            {"name": "z", "log": "/a*", "match": ["(?P<g>x)"], "exclude": ["y"], "over": "3 in 90s", "text": "{g}"},
            dict(NGINX, most=0, user="www-data", command_line="-g", ps=["ps", "-ef"]),
        ]
        read = plan.read({"checks": [SYSLOG, USERS, dict(ROOT, warning="above 80 until 70.5", metric="root"), *more]})
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
            '{"beat":5.0,"checks":[{"after":"1 of 1","every":60.0,"name":"größe","reading":"load1",'
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
