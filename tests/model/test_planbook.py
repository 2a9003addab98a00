"""Plan files become the plans of hosts: patterns, groups, includes, order, and where each check was written."""

import json
import os
import shutil
import tempfile
import unittest
import warnings
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor436.agent import plan
from monitor436.model.plans.planbook import Planbook
from monitor436.model.plans.planfile import status_target
from monitor436.model.source import SettingsError
from monitor436.planfolder import read_planbook, stamp
from monitor436.yaml_source import compose

LOAD = "load: {reading: load1, warning: above 5}"


def book(**texts: str) -> Planbook:
    """A book of files given as text; in names, "__" is a slash and ".yaml" is added."""
    names = {name.replace("__", "/") + ".yaml": text for name, text in texts.items()}
    return Planbook({name: compose(text, name) for name, text in names.items()})


def checks(planbook: Planbook, host: str) -> dict[str, object]:
    """The limits of the checks that a host gets, by name, in their order."""
    return {check["name"]: check.get("warning") for check in json.loads(planbook.plan(host))["checks"]}


def one(name: str, limit: int = 5) -> str:
    """YAML of a file's only check."""
    return f"checks: {{{name}: {{reading: load1, warning: above {limit}}}}}\n"


class StatusTests(unittest.TestCase):
    def test_the_file_that_is_read_last_says_where_a_host_tells_its_status(self) -> None:
        """Those that say nothing leave it as it is."""
        files = book(
            a="status_url: 'http://{host}/status'", b="hosts: db1\nstatus_url: 'http://{address}:81/'", c="beat: 2s"
        )
        self.assertEqual(files.status_url("web1"), "http://{host}/status")
        self.assertEqual(files.status_url("db1"), "http://{address}:81/")

    def test_names_and_addresses_become_targets(self) -> None:
        """Of whichever family."""
        here = status_target("http://{address}:81/{host}", "db1", "fe80::1")
        self.assertEqual((here.name, here.url, here.host, here.port), ("db1", "http://[fe80::1]:81/db1", "fe80::1", 81))
        self.assertEqual(status_target("http://{host}/", "db1", "192.0.2.1").host, "db1")


class HostTests(unittest.TestCase):
    def test_a_file_that_names_no_hosts_is_for_all(self) -> None:
        """One line less for the most common file."""
        self.assertEqual(checks(book(all=one("a")), "web1"), {"a": "above 5"})

    def test_names_and_patterns_choose_hosts(self) -> None:
        """The patterns are the shell's."""
        files = book(a="hosts: [web1, 'db*', 'x[12]?']\n" + one("a"))
        for host in ("web1", "db", "db-main", "x1a"):
            self.assertEqual(list(checks(files, host)), ["a"], host)
        for host in ("web", "web11", "adb", "x3a", "x1", "web1.lan"):
            self.assertEqual(list(checks(files, host)), [], host)

    def test_one_host_needs_no_list(self) -> None:
        """A text is as good as a list of one."""
        self.assertEqual(list(checks(book(a="hosts: web1\n" + one("a")), "web1")), ["a"])

    def test_groups_are_known_in_all_files_and_in_each_other(self) -> None:
        """Also before the file that says them."""
        files = book(a="hosts: ['@shop']\n" + one("a"), z="hosts: none\ngroups: {web: ['web*'], shop: ['@web', db1]}\n")
        self.assertEqual([list(checks(files, host)) for host in ("web7", "db1", "db2")], [["a"], ["a"], []])

    def test_groups_that_hold_each_other_end(self) -> None:
        """They are the same group then."""
        files = book(a="hosts: ['@a']\ngroups: {a: ['@b', x], b: ['@a', y]}\n" + one("a"))
        self.assertEqual(files.hosts(), ("x", "y"))

    def test_a_host_that_no_file_matches_gets_the_plan_without_checks(self) -> None:
        """So does every host, where there are no files."""
        empty = b'{"beat":5.0,"checks":[],"late":15.0}'
        self.assertEqual(book(a="hosts: web1\n" + one("a")).plan("db1"), empty)
        self.assertEqual(book().plan("db1"), empty)

    def test_only_names_in_full_are_hosts_to_expect(self) -> None:
        """Patterns match hosts that may not exist; groups that no file uses are nobody's."""
        files = book(a="hosts: [web2, 'db*', '@g']\ngroups: {g: [web1, 'x?'], unused: [old1]}\n")
        self.assertEqual(files.hosts(), ("web1", "web2"))


class GroupTests(unittest.TestCase):
    def test_a_host_is_in_the_groups_that_name_it_and_in_those_around_them(self) -> None:
        """By name, by pattern, through other groups and circles; by name in order."""
        files = book(
            a="groups: {web: ['web*'], shop: ['@web', db1], all: ['@shop', '@all'], one: ['@two'], two: ['@one', db2]}"
        )
        for host, groups in (
            ("web1", ("all", "shop", "web")),
            ("db1", ("all", "shop")),
            ("db2", ("one", "two")),
            ("x", ()),
        ):
            self.assertEqual(files.groups(host), groups)
            self.assertEqual(files.groups(host), groups)


class OrderTests(unittest.TestCase):
    def test_files_apply_in_the_order_of_their_names(self) -> None:
        """A later check of the same name replaces the earlier one, and stands in its place."""
        files = book(
            b="hosts: web1\n" + one("x", 9),
            a="checks: {x: {reading: load1, warning: above 1}, y: {reading: load1, warning: above 2}}\n",
        )
        self.assertEqual(checks(files, "web1"), {"x": "above 9", "y": "above 2"})
        self.assertEqual(checks(files, "web2"), {"x": "above 1", "y": "above 2"})

    def test_the_order_of_checks_is_the_authors(self) -> None:
        """Not the alphabet's."""
        names = ["z", "a", "m"]
        text = "checks:\n" + "".join(f"  {name}: {{reading: load1, warning: above 1}}\n" for name in names)
        self.assertEqual(list(checks(book(a=text), "h")), names)

    def test_beat_and_late_come_together_from_the_last_file_that_says_either(self) -> None:
        """A beat of one file and a late of another might not fit."""
        files = book(a="beat: 10s\nlate: 1m\n", b="hosts: web1\nbeat: 1s\n", c=one("x"))
        self.assertEqual([json.loads(files.plan("web1"))[key] for key in ("beat", "late")], [1.0, 3.0])
        self.assertEqual([json.loads(files.plan("web2"))[key] for key in ("beat", "late")], [10.0, 60.0])

    def test_hosts_whose_files_say_no_rhythm_have_that_of_the_settings(self) -> None:
        """And a file that says only late is held against that beat."""
        files = Planbook({"a.yaml": compose(one("x"), "a.yaml")}, beat=2.0, late=7.0)
        self.assertEqual([json.loads(files.plan("h"))[key] for key in ("beat", "late")], [2.0, 7.0])
        files = Planbook({"a.yaml": compose("late: 5s\n", "a.yaml")}, beat=2.0, late=7.0)
        self.assertEqual([json.loads(files.plan("h"))[key] for key in ("beat", "late")], [2.0, 5.0])


class IncludeTests(unittest.TestCase):
    def test_what_is_included_comes_before_the_files_own_checks(self) -> None:
        """Which may replace it. The path is seen from the including file."""
        files = book(
            a="include: [common/one.yaml]\n" + one("x", 9),
            common__one="include: [../more/two.yaml]\n" + one("x", 1),
            more__two=one("y", 2),
        )
        self.assertEqual(checks(files, "h"), {"y": "above 2", "x": "above 9"})

    def test_files_in_sub_folders_are_for_no_host_by_themselves(self) -> None:
        """Only those that include them bring them to a host."""
        files = book(common__disk=one("x"), a="hosts: web1\ninclude: common/disk.yaml\n")
        self.assertEqual([list(checks(files, host)) for host in ("web1", "web2")], [["x"], []])

    def test_a_file_may_be_included_twice_by_different_ways(self) -> None:
        """That is no circle."""
        files = book(
            a="include: [c/x.yaml, c/y.yaml]\n", c__x="include: z.yaml\n", c__y="include: z.yaml\n", c__z=one("z")
        )
        self.assertEqual(list(checks(files, "h")), ["z"])


class DefaultsTests(unittest.TestCase):
    """`defaults` of a plan file."""

    def test_what_a_file_says_for_all_its_checks_is_in_those_that_take_it_and_do_not_say_it(self) -> None:
        """A log has no interval, a reading no severity."""
        files = book(
            a="defaults: {every: 10s, severity: critical, tags: [os], active: mon-fri}\n"
            "checks:\n"
            "  x: {reading: load1, warning: above 1, tags: [mine]}\n"
            "  y: {log: /var/log/y, match: y, active: sat}\n"
        )
        x, y = json.loads(files.plan("h"))["checks"]
        self.assertEqual((x["every"], x["tags"], x["active"]), (10.0, ["mine"], ["mon-fri"]))
        self.assertEqual((y["severity"], y["tags"], y["active"]), ("critical", ["os"], ["sat"]))

    def test_they_hold_in_their_own_file_only(self) -> None:
        """What it includes, and what includes it, has its own."""
        files = book(a="include: c/x.yaml\ndefaults: {every: 10s}\n" + one("y"), c__x=one("x"))
        self.assertEqual([each["every"] for each in json.loads(files.plan("h"))["checks"]], [60.0, 10.0])


class OriginTests(unittest.TestCase):
    def test_every_check_tells_the_file_and_line_it_came_from(self) -> None:
        """The one that is in force, through includes and replacements."""
        files = book(
            a=f"include: [c/x.yaml]\nchecks:\n  {LOAD}\n  mine: {{command: ['true']}}\n",
            b=f"hosts: web1\nchecks:\n\n  {LOAD}\n",
            c__x="checks:\n  deep: {command: ['true']}\n",
        )
        self.assertEqual(files.origin("web1"), {"deep": ("c/x.yaml", 2), "load": ("b.yaml", 4), "mine": ("a.yaml", 4)})
        self.assertEqual(files.origin("web2")["load"], ("a.yaml", 3))


class DigestTests(unittest.TestCase):
    def test_the_digest_is_that_of_the_plan(self) -> None:
        """As the agent reckons it."""
        files = book(a=one("x"))
        self.assertEqual(files.digest("h"), plan.digest(files.plan("h")))

    def test_what_agents_cannot_see_does_not_change_the_digest(self) -> None:
        """Comments, order of files that do not matter, other spellings of a duration."""
        text = "checks: {x: {reading: load1, warning: above 5, every: 60s}}\n"
        self.assertEqual(book(a=text).digest("h"), book(b="# x\n" + text.replace("60s", "1m")).digest("h"))

    def test_hosts_of_other_files_keep_their_digest(self) -> None:
        """An edit resets only the agents whose plan changed."""
        before = book(a=one("x"), b="hosts: web1\n" + one("y", 1))
        after = book(a=one("x"), b="hosts: web1\n" + one("y", 2))
        self.assertEqual(before.digest("web2"), after.digest("web2"))
        self.assertNotEqual(before.digest("web1"), after.digest("web1"))

    def test_the_agent_takes_every_plan_that_a_book_gives(self) -> None:
        """Byte for byte the same after its own reading."""
        files = book(a="beat: 2s\n" + one("x"), b="checks: {y: {log: /var/log/syslog, match: [é, 'a|b']}}\n")
        dumped = files.plan("h")
        self.assertEqual(plan.dump(plan.read(json.loads(dumped))), dumped)


class RefusalTests(unittest.TestCase):
    def refused(self, **texts: str) -> list[str]:
        """The problems of files that are refused."""
        with self.assertRaises(SettingsError) as caught:
            book(**texts)
        return [str(problem) for problem in caught.exception.problems]

    def test_problems_of_all_files_are_told_at_once(self) -> None:
        """Also of files that no other includes, and next to each other in one file."""
        found = self.refused(
            a="hosts: [UP]\ninclude: [c/no.yaml]\nchecks:\n  x: {reading: load, warning: 5}\n",
            c__d="hosts: [web1]\nchecks: []\n",
        )
        self.assertEqual(
            [line.split(" ")[0] for line in found],
            ["a.yaml:1:9:", "a.yaml:2:11:", "a.yaml:4:16:", "a.yaml:4:31:", "c/d.yaml:1:1:", "c/d.yaml:2:1:"],
        )
        self.assertIn("files in sub-folders are only included", found[4])

    def test_a_circle_of_includes_is_told_once_where_it_closes(self) -> None:
        """With the way round."""
        found = self.refused(a="include: c/x.yaml\n", c__x="include: y.yaml\n", c__y="include: x.yaml\n")
        self.assertEqual(found, ["c/y.yaml:1:10: include.0: a circle: c/x.yaml includes c/y.yaml includes c/x.yaml"])

    def test_includes_do_not_nest_without_end(self) -> None:
        """A chain of a thousand files is a slip, and no reason to run out of stack."""
        chain = {f"c__{n:04}": f"include: {n + 1:04}.yaml\n" for n in range(1200)}
        found = self.refused(a="include: c/0000.yaml\n", c__1200=one("x"), **chain)
        self.assertTrue(all("includes are nested deeper than 16" in line for line in found), found[:3])

    def test_groups_do_not_nest_without_end(self) -> None:
        """A chain of five thousand groups is resolved without running out of stack."""
        groups = "".join(f"  g{n}: ['@g{n + 1}']\n" for n in range(5000))
        files = book(a=f"hosts: '@g0'\ngroups:\n{groups}  g5000: [web1]\n")
        self.assertEqual(files.hosts(), ("web1",))

    def test_a_group_has_one_definition(self) -> None:
        """The second one is told, with the place of the first."""
        found = self.refused(a="groups: {shop: [a]}\n", b="groups:\n  shop: [b]\n")
        self.assertEqual(found, ["b.yaml:2:3: groups.shop: is a group already, see a.yaml:1"])

    def test_a_host_named_in_full_gets_no_more_checks_than_an_agent_takes(self) -> None:
        """Each file alone would be fine."""

        def many(letter: str) -> str:
            return "checks:\n" + "".join(f"  {letter}{n}: {{command: ['true']}}\n" for n in range(300))

        found = self.refused(a="hosts: web1\n" + many("a"), b=many("b"))
        self.assertEqual(found, ["b.yaml:1:1: with this file a host has 600 checks, more than 500"])
        self.assertEqual(len(checks(book(a="hosts: web1\n" + many("a"), b=many("a")), "web1")), 300)


class FolderTests(unittest.TestCase):
    def setUp(self) -> None:
        """A folder of plans that includes one file."""
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "common").mkdir()
        self.included = self.folder / "common" / "x.yaml"
        self.included.write_text(one("x"))
        (self.folder / "a.yaml").write_text("include: [common/x.yaml]\n")

    def test_a_folder_is_read_with_its_sub_folders(self) -> None:
        """Places in problems are paths that can be opened."""
        files = read_planbook(str(self.folder))
        self.assertEqual(files.origin("h"), {"x": (str(self.included), 1)})
        self.assertEqual(files.size(), (2, 1))

    def test_the_stamp_changes_with_every_edit(self) -> None:
        """Of an included file, by rename, a new file, a removed one; not without an edit."""
        seen = [stamp(str(self.folder))]
        self.assertEqual(stamp(str(self.folder)), seen[0])
        self.included.write_text(one("yy"))
        seen.append(stamp(str(self.folder)))
        status = self.included.stat()
        beside = self.folder / "common" / "new"
        beside.write_text(one("zz"))
        os.utime(beside, ns=(status.st_atime_ns, status.st_mtime_ns))
        beside.rename(self.included)
        seen.append(stamp(str(self.folder)))
        (self.folder / "b.yaml").write_text("")
        seen.append(stamp(str(self.folder)))
        (self.folder / "b.yaml").unlink()
        self.included.unlink()
        seen.append(stamp(str(self.folder)))
        self.assertEqual(len(set(seen)), 5)

    def test_a_folder_that_is_gone_has_a_stamp_and_no_book(self) -> None:
        """The stamp differs from that of an empty folder's files, and reading says why."""
        self.assertEqual(stamp("/nowhere/agents"), ())
        with self.assertRaises(SettingsError) as caught:
            read_planbook("/nowhere/agents")
        self.assertEqual(str(caught.exception), "/nowhere/agents: cannot be read: No such file or directory")


WORDS = ["above 5", "below 1", "1m", "(", "/var/log/syslog", "load1", "filesystem_used_percent", "/", "x", "\ud800"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
KEYS = [
    *plan.KINDS,
    "name",
    "match",
    "severity",
    "tags",
    "value",
    "every",
    "timeout",
    "warning",
    "critical",
    "of",
    "beat",
    "late",
]
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
LIMITS = {"warning": st.sampled_from(["above 5", "below 0.1"]), "critical": st.just("above 7") | SCALARS}
ALMOST = (  # checks of which many are good
    st.fixed_dictionaries(
        {
            "name": st.sampled_from("abc"),
            "log": st.sampled_from(["/a", "/b.log"]),
            "match": st.text(min_size=1, max_size=4),
        },
        optional={"severity": st.just("info") | SCALARS, "tags": st.lists(st.sampled_from(["os", "a b"]), max_size=2)},
    ),
    st.fixed_dictionaries(
        {"name": st.sampled_from("def"), "command": st.lists(st.text(max_size=4), max_size=3)},
        optional={**LIMITS, "every": st.floats(0, 1e6), "timeout": st.just("5s") | SCALARS},
    ),
    st.fixed_dictionaries({"name": st.just("g"), "reading": st.sampled_from(["load1", "load"])}, optional=LIMITS),
    st.dictionaries(st.sampled_from(KEYS), TREES, max_size=5),
)
PLANS = st.fixed_dictionaries(
    {"checks": st.lists(st.one_of(ALMOST), max_size=2)},
    optional={"beat": st.just(2.5) | SCALARS, "late": st.floats(0, 9)},
)


class AnyPlanTests(unittest.TestCase):
    """Whatever a server sends, it is a plan or refused; no other exception."""

    @settings(max_examples=400, deadline=None, derandomize=True)
    @given(TREES | PLANS)
    def test_any_json_is_a_plan_or_refused(self, tree: object) -> None:
        """A plan that is taken is written and read back the same."""
        try:
            read = plan.read(tree)
        except plan.PlanError as wrong:
            self.assertTrue(wrong.problems)
            str(wrong).encode()
            return
        self.assertEqual(plan.read(json.loads(plan.dump(read))), read)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.lists(st.sampled_from("()[]{}*+?|.^$\\dw1aP<>=!:i#-,\n é"), max_size=14).map("".join))
    def test_any_pattern_is_compiled_or_refused(self, pattern: str) -> None:
        """Never anything but a PlanError."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "possible nested set": true, and no matter here
                plan.read({"checks": [{"name": "x", "log": "/a", "match": [pattern]}]})
        except plan.PlanError as wrong:
            self.assertEqual([path for path, _ in wrong.problems], [("checks", 0, "match", 0)])
