"""The report: what follows from a round, and how it is told; the command as far as it goes without asking anybody."""

import csv
import io
import json
import re
import subprocess
import sys
import unittest
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import msgspec
from rich.console import Console

from monitor436.cli.reporting import asking, charts, files
from monitor436.cli.reporting import text as told_as
from monitor436.cli.reporting.page import page
from monitor436.model.fleet.errand import LOST
from monitor436.model.fleet.inventory import read_inventory
from monitor436.model.fleet.report import BOUNDS, Report, Round, report
from monitor436.model.fleet.since import since
from monitor436.model.fleet.statuses import Question, read_status
from monitor436.model.fleet.versions import Versus, against
from monitor436.probes.probe import HTTP_REASONS, Answer, Failed, Target
from tests.test_cli import CommandCase
from tests.test_docs import blocks, read, rows, section, ticked
from tests.test_layers import ROOT

EVIL = "<script>alert(1)</script>\"'&\x1b[31m=1+1\x00\u202e"
AT = 1_700_000_000_000


def target(number: int) -> Target:
    """Host number so."""
    return Target(f"h{number}", f"http://h{number}/status", f"h{number}", 80)


def answer(number: int, app: str = "shop", version: str = "1.0", well: int = 99, of: int = 100) -> Answer:
    """A good one."""
    told = {
        "Application": app,
        "Version": version,
        "Success_Count": well,
        "Request_Count": of,
        "Error_Count": of - well,
    }
    return Answer(target(number), 0.004, json.dumps(told).encode())


def failed(number: int, reason: str = "refused", text: str = "refuses connections") -> Failed:
    """One that did not."""
    return Failed(target(number), 1.0, reason, text)


def told(results: Sequence[Answer | Failed], question: Question, at: int, seconds: float) -> Round:
    """A round with these results."""
    return asking.gathered([asking.tell(result, question) for result in results], at, seconds)


def made(*results: Answer | Failed, expected: float = 99.0, at: int = AT) -> Report:
    """The report of a round."""
    return report(told(results, Question(), at, 1.25), Question(), expected)


def asked_by(question: Question, *results: Answer | Failed) -> Round:
    """A round with another question."""
    return told(results, question, AT, 1.0)


def shown(given: Report, every: bool = False, width: int = 200) -> str:
    """As a terminal without colours shows it."""
    console = Console(file=io.StringIO(), width=width)
    told_as.print_report(console, given, every)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


FLEET = [
    *(answer(number, version="1.9", well=9990, of=10_000) for number in range(500)),
    *(answer(number, version="1.10", well=9900, of=10_000) for number in range(500, 995)),
]
FEW_FAIL = made(*FLEET, *(failed(number) for number in range(995, 1000)))
MANY_FAIL = made(
    *FLEET[:980], *(failed(number) for number in range(980, 995)), *(failed(n, "header") for n in range(995, 1000))
)
STRANGE = made(answer(1, EVIL, EVIL), failed(2, "status", EVIL), expected=50)


class RoundTests(unittest.TestCase):
    """From results to a report."""

    def test_every_target_is_an_answer_or_a_failure(self) -> None:
        """A body that says nothing is a failure with a class of its own."""
        bodies = {b"[]": "schema", b"<": "json", b"{}": "schema"}
        answers = [Answer(target(number), 0.1, body) for number, body in enumerate(bodies)]
        found = told([*answers, failed(7, "tls"), answer(8)], Question(), AT, 1.0)
        self.assertEqual([each.reason for each in found.failures], [*bodies.values(), "tls"])
        self.assertLessEqual({each.reason for each in found.failures}, set(HTTP_REASONS))
        self.assertEqual(len(found.statuses), 1)

    def test_half_a_percent_failing_is_a_report(self) -> None:
        """With sums, rates and the failures."""
        self.assertEqual((FEW_FAIL.status, FEW_FAIL.answered.percent), ("OK", 99.5))
        old, new = FEW_FAIL.groups
        self.assertEqual((old.by["Version"], old.hosts, old.columns["Success_Count"]), ("1.9", 500, 4_995_000))
        assert new.versus and new.rate
        self.assertEqual((new.versus.verdict, new.rate.percent), ("worse", 99.0))
        self.assertEqual(FEW_FAIL.reasons, {"refused": 5})

    def test_two_percent_failing_is_refused(self) -> None:
        """No sums; the failures by class, the most frequent first."""
        self.assertEqual((MANY_FAIL.status, MANY_FAIL.groups), ("FAILED", []))
        self.assertEqual(list(MANY_FAIL.reasons.items()), [("refused", 15), ("header", 5)])

    def test_times_are_counted_between_their_bounds(self) -> None:
        """At a bound is below it; all answers are somewhere."""
        answers = [
            answer(number)._replace(seconds=seconds) for number, seconds in enumerate((0.001, 0.0011, 10.0, 11.0))
        ]
        times = made(*answers).times
        self.assertEqual((times[0], times[1], times[len(BOUNDS) - 1], times[-1], sum(times)), (1, 1, 1, 1, 4))

    def test_versions_are_compared_with_the_one_before(self) -> None:
        """Of the same application only."""
        found = made(
            answer(1, "a", "1", 900, 1000), answer(2, "a", "2", 950, 1000), answer(3, "a", "3", 1, 1),
            answer(4, "b", "1", 5, 10), answer(5, "b", "2", 0, 0),
        )  # fmt: skip
        told = [str(group.versus or "") for group in found.groups]
        self.assertEqual(
            told,
            [
                "",
                "better than 1 by 5 points, p < 0.001",
                "not enough data to compare with 2",
                "",
                "not enough data to compare with 1",
            ],
        )

    def test_many_comparisons_raise_the_bar(self) -> None:
        """What is a difference alone is none among twenty."""
        pair = ("1", (9700, 10_000), (9640, 10_000))
        self.assertEqual(str(against([_counted(pair)])[0]), "worse than 1 by 0.6 points, p < 0.05")
        self.assertEqual({str(each) for each in against([_counted(pair)] * 20)}, {"no difference seen from 1"})


def _counted(pair: tuple[str, tuple[int, int], tuple[int, int]]) -> Any:
    from monitor436.model.fleet.interval import Counted

    return pair[0], Counted(*pair[1]), Counted(*pair[2])


class SinceTests(unittest.TestCase):
    """The difference from the last report."""

    def test_hosts_groups_and_sums_that_moved(self) -> None:
        """What is new, what is gone, what fails now and what answers again."""
        last = made(answer(1), answer(2), answer(3, "gone"), failed(4), expected=50)
        now = made(answer(1, well=199, of=300), failed(2), answer(4, "new"), expected=50, at=AT + 60_000)
        change = since(last, now)
        self.assertEqual((change.seconds, change.failing, change.again), (60.0, ["h2"], ["h4"]))
        self.assertEqual([by["Application"] for by in (*change.new, *change.gone)], ["new", "gone"])
        moved = change.moved[0]
        self.assertEqual((moved.hosts, moved.columns["Success_Count"]), (-1, 1))
        self.assertEqual(str(moved.versus), "worse than last time by 32.7 points, p < 0.001")
        self.assertAlmostEqual(change.points, 100 * 2 / 3 - 75)

    def test_reports_grouped_by_other_fields_are_not_compared(self) -> None:
        """Even if a version is called like another's region."""
        other = Question(by=("Version", "Application"))
        change = since(FEW_FAIL, report(asked_by(other, answer(1, "1.9", "shop")), other, 99.0))
        self.assertEqual((change.alike, change.moved), (False, []))

    def test_a_refused_report_has_no_sums_to_compare(self) -> None:
        """Hosts and quality are compared all the same."""
        change = since(MANY_FAIL, FEW_FAIL)
        self.assertFalse(change.alike)
        self.assertEqual((change.moved, change.new, change.gone), ([], [], []))
        self.assertEqual(len(change.again), 15)
        console = Console(file=io.StringIO(), width=200)
        told_as.print_since(console, change)
        self.assertIn("+1.5 points QoS", console.file.getvalue())  # type: ignore[attr-defined]


class TextTests(unittest.TestCase):
    """On a terminal."""

    def test_the_lines_that_scripts_look_for(self) -> None:
        """As they always were."""
        lines = shown(FEW_FAIL).splitlines()
        self.assertEqual(
            lines[:5],
            ["Status: OK", "Total # of queries: 1000", "Successful queries: 995", "Expected QoS:       99%",
             "Actual QoS:         99.5%"],
        )  # fmt: skip
        head = next(line for line in lines if line.startswith("Application"))
        self.assertEqual(head.split()[:3], ["Application", "Version", "Success_Count"])
        self.assertIn("shop 1.10: worse than 1.9 by 0.9 points, p < 0.001", lines)

    def test_no_number_is_cut_on_a_narrow_terminal(self) -> None:
        """A line goes on in the next one instead."""
        for told in ("4,995,000", "4,900,500", "Success_Count", "98.99–99.01"):
            self.assertIn(told, shown(FEW_FAIL, width=40))

    def test_a_refused_report_tells_failures_and_no_sums(self) -> None:
        """Ten of them, or all."""
        told = shown(MANY_FAIL)
        self.assertTrue(told.startswith("Status: FAILED\n"), told)
        self.assertNotIn("Success_Count", told)
        self.assertIn("refused 15  header 5", told)
        self.assertIn("and 10 more: -v shows all", told)
        self.assertEqual(len(re.findall(r"^h\d+ ", shown(MANY_FAIL, every=True), re.M)), 20)

    def test_only_all_is_a_hundred_percent(self) -> None:
        """And only none is none."""
        percents = {100: "100", 0: "0", 99.99999: ">99.9999", 0.00001: "<0.0001", 99.5: "99.5", 100 / 3: "33.3333"}
        self.assertEqual({value: told_as.percent(value) for value in percents}, percents)

    def test_text_of_strangers_moves_no_cursor(self) -> None:
        """Nor is it markup."""
        told = shown(made(answer(1, EVIL, "[bold]1[/]"), failed(2, "status", EVIL), expected=50))
        self.assertTrue(all(line.isprintable() for line in told.splitlines()))
        self.assertIn("[bold]1[/]", told)


class FileTests(CommandCase):
    """What is left behind."""

    def rows(self, text: str) -> list[list[str]]:
        """Of CSV."""
        return list(csv.reader(io.StringIO(text)))

    def test_sums_begin_as_they_always_did(self) -> None:
        """Application, Version, Success_Count."""
        head, old, new = self.rows(files.sums_csv(FEW_FAIL))
        self.assertEqual(head[:3], ["Application", "Version", "Success_Count"])
        self.assertEqual(old[:3], ["shop", "1.9", "4995000"])
        self.assertEqual(len({len(head), len(old), len(new)}), 1)

    def test_failures_are_rows_with_host_and_class(self) -> None:
        """A file of their own: the first is for sums."""
        head, first, *_ = self.rows(files.failures_csv(MANY_FAIL))
        self.assertEqual((head[0], head[2], first[0], first[2]), ("Host", "Reason", "h980", "refused"))

    def test_no_cell_is_a_formula(self) -> None:
        """Nor does one end its row."""
        for formula in ("=1+1", "+1", "-1", "@SUM(A1)"):
            rows = self.rows(files.sums_csv(made(answer(1, formula, EVIL + "\r\n"))))
            self.assertEqual((len(rows), rows[1][0]), (2, f"'{formula}"))
            self.assertTrue(rows[1][1].isprintable())

    def test_nothing_that_is_there_is_written_over(self) -> None:
        """Nor followed, if it is a link."""
        (self.folder / "7.csv").symlink_to(self.folder / "elsewhere")
        path = files.write_new(self.folder, 7, ".csv", "new")
        self.assertEqual((path.name, path.read_text()), ("8.csv", "new"))
        self.assertFalse((self.folder / "elsewhere").exists())

    def test_a_report_is_read_as_it_was_printed(self) -> None:
        """Whole."""
        for given in (FEW_FAIL, MANY_FAIL, STRANGE):
            (self.folder / "last.json").write_bytes(msgspec.json.encode(given))
            self.assertEqual(files.read_report(str(self.folder / "last.json")), given)

    def test_what_is_no_report_is_told(self) -> None:
        """In one sentence."""
        path = self.folder / "last.json"
        for bad in (b"", b"[]", b"{}", b'{"at": "now"}', b"\xff", b"[" * 100_000):
            path.write_bytes(bad)
            with self.assertRaisesRegex(ValueError, "is no report that"):
                files.read_report(str(path))
        with self.assertRaisesRegex(ValueError, "No such file"):
            files.read_report(str(self.folder / "none"))


class Page(HTMLParser):
    """Tags that are open, and everything a page would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.reaches: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.reaches += [name for name, _ in attrs if name in ("src", "href", "xlink:href") or name.startswith("on")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


class PageTests(unittest.TestCase):
    """The HTML page."""

    def test_it_is_whole_and_needs_nothing_else(self) -> None:
        """No script, nothing to fetch, every tag closed; dark and light."""
        for given in (FEW_FAIL, MANY_FAIL, STRANGE, made(failed(1)), made(answer(1))):
            text = page(given, since(FEW_FAIL, given))
            read = Page(text)
            self.assertEqual((read.open, read.reaches), ([], []))
            self.assertEqual(read.tags & {"script", "link", "img", "iframe", "object", "form"}, set())
            self.assertNotIn("url(", text)
            self.assertIn("prefers-color-scheme: dark", text)

    def test_text_of_strangers_is_text(self) -> None:
        """Of every field they can set."""
        text = page(STRANGE, None)
        self.assertNotIn("<script", text)
        self.assertNotIn("\x1b", text)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;", text)

    def test_every_chart_is_drawn_within_its_bounds(self) -> None:
        """Well-formed XML, and no bar that begins or ends outside."""
        drawn = 0
        few = made(answer(1, well=0, of=5), answer(2, "auth", well=5, of=5), answer(3, "none", well=0, of=0))
        for given in (FEW_FAIL, MANY_FAIL, STRANGE, few, made(failed(1)), made(answer(1), expected=0.5)):
            for chart in re.findall(r"<svg.*?</svg>", page(given, None)):
                tree = ElementTree.fromstring(chart)
                self.assertTrue(tree.get("aria-label"))
                for shape in tree.iter():
                    for name in ("x", "x1", "x2", "cx"):
                        self.assertTrue(0 <= float(shape.get(name, 0)) <= charts.WIDTH, (chart, name))
                    self.assertGreaterEqual(float(shape.get("width", 0)), 0)
                    self.assertLessEqual(float(shape.get("x", 0)) + float(shape.get("width", 0)), charts.WIDTH + 0.1)
                    drawn += 1
        self.assertGreater(drawn, 100)

    def test_numbers_of_the_page_are_those_of_the_report(self) -> None:
        """Status, sums, verdicts, and the failures, all of them."""
        text = page(FEW_FAIL, None)
        for told in ("4,995,000", "99.5 %", "worse than 1.9 by 0.9 points, p &lt; 0.001", '<span class="OK">OK</span>'):
            self.assertIn(told, text)
        self.assertEqual(text.count("<td>refused</td>"), 5)
        self.assertIn("Too few answered", page(MANY_FAIL, None))

    def test_a_long_chart_ends_and_says_so(self) -> None:
        """The table has all."""
        many = made(*(answer(number, version=f"1.{number}") for number in range(100)))
        text = page(many, None)
        self.assertIn("The chart shows the first 60; 40 more are in the table.", text)
        self.assertEqual(text.count('<circle class="dot'), 60)


class ProgressTests(unittest.TestCase):
    """The bar."""

    def drawn(self, terminal: bool) -> str:
        """What comes of three results."""
        console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
        with asking.progress(3, console) as heard:
            for result in (answer(1), failed(2), answer(3)):
                heard(isinstance(result, Failed))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert isinstance(text, str)
        return text

    def test_it_is_for_terminals_only(self) -> None:
        """With the count, the rate, the time that remains, and how many failed."""
        self.assertEqual(self.drawn(False), "")
        text = self.drawn(True)
        for told in ("3/3", "/s", "0:00:00", "1 failed"):
            self.assertIn(told, text)


class CommandTests(CommandCase):
    """What is refused before anybody is asked."""

    def refused(self, *words: object, inventory: str = "h1\n") -> str:
        """What is said; exit status 2."""
        path = self.folder / "fleet.txt"
        path.write_text(inventory)
        result = self.call("report", "-i", path, *words)
        self.assertEqual(result.exit_code, 2, result.output)
        return " ".join(result.output.split())

    def test_wrong_options_are_told(self) -> None:
        """A sentence each."""
        told = {
            ("-q", "200"): "at most 100 percent, got 200",
            ("-q", "0"): "more than 0",
            ("-q", "nan"): "at most 100 percent",
            ("-q", "x"): "not a valid float",
            ("-t", "0"): "more than 0",
            ("-t", "-1"): "-1",
            ("-t", "1.2.3"): "could not convert",
            ("-f", "0"): "1<=x<=100000",
            ("-r", "x"): "not a valid integer",
            ("-o", "/none/of/these"): "does not exist",
            ("-o", __file__): "is a file",
            ("--url", "http://web1/"): "expected {server} once",
            ("--header", "none"): 'expected "Name: value"',
            ("--header", "a b: c"): "no name of a header",
            ("--header", "a: b\r\nc: d"): "cannot have the value",
            ("--header", "@/none"): "No such file",
            ("--group-by", "a,,b"): "expected fields",
            ("--aggregate", "Uptime:avg"): 'got "avg"',
            ("--ca", "/none"): "does not exist",
            ("--ca", __file__): "no good PEM file",
            ("--cert", __file__): "no good PEM file",
            ("--key", __file__): "give that with --cert",
            ("--json", "--csv"): "choose one",
            ("-s", "--group-by", "x"): "leave out",
            ("--against", "/none"): "No such file",
            ("--against", __file__): "is no report",
        }
        for words, sentence in told.items():
            self.assertIn(sentence, self.refused(*words), words)

    def test_wrong_inventories_are_told(self) -> None:
        """With file, line and column."""
        file = self.folder / "fleet.txt"
        self.assertEqual(self.refused(inventory="# none\n"), f"{file}: lists no host; write one a line")
        said = self.refused(inventory="h1:x\nh2\n h 3")
        self.assertIn(f"{file}:1:1: expected a port from 1 to 65535", said)
        self.assertIn(f"{file}:3:2: expected one host a line", said)
        self.assertIn("fleet.txt:50:1: expected", self.refused(inventory="h:x\n" * 1000))
        self.assertTrue(self.refused(inventory="h:x\n" * 1000).endswith(" and 950 more"))
        file.write_bytes(b"h1\nh\xff\n")
        self.assertIn(f"{file}:2:2: not UTF-8", self.call("report", "-i", file).output)
        self.assertIn("does not exist", self.call("report", "-i", self.folder / "none").output)
        self.assertEqual(self.call("report", "-i", self.folder).exit_code, 2)

    def test_the_old_long_names_are_taken(self) -> None:
        """Up to an inventory that is none."""
        file = self.folder / "fleet.txt"
        file.write_text("")
        words = ["--output_dir", self.folder, "--qos", 99, "--verbose", "--aggr_success_rate", "--timeout", "0.5"]
        result = self.call("report", "--inventory_file", file, *words, "--threads", 3, "--retries", -1)
        self.assertEqual((result.exit_code, result.output), (2, f"{file}: lists no host; write one a line\n"))

    def test_no_reactor_is_there_until_somebody_is_asked(self) -> None:
        """Whoever imports the command may install another."""
        line = "import sys, monitor436.cli.report; sys.exit('twisted.internet.reactor' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", line], cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        self.assertEqual(done.returncode, 0)


class PageOfTheDocumentsTests(unittest.TestCase):
    """docs/report.md"""

    def test_every_reason_is_told(self) -> None:
        """And no other."""
        found = [ticked(row[0])[0] for row in rows(section(read("docs/report.md"), "The gate"))]
        self.assertEqual(sorted(found), sorted([*HTTP_REASONS, LOST]))

    def test_the_inventory_shown_is_one(self) -> None:
        """And so is the status page."""
        inventory = next(block for block in blocks(read("docs/report.md"), "text") if "# the shop" in block)
        self.assertEqual(len(read_inventory(inventory, "fleet.txt").targets), 5)
        shown_page = blocks(read("docs/report.md"), "json")[0]
        self.assertEqual(read_status(shown_page.encode(), Question()).counted, (9988, 10_000))


class VersusTests(unittest.TestCase):
    """Verdicts in words."""

    def test_each_says_what_it_is_about(self) -> None:
        """And how sure it is."""
        told = {
            Versus("1", "worse", -1.5, 0.004): "worse than 1 by 1.5 points, p < 0.01",
            Versus("1", "better", 0.25, 0.04): "better than 1 by 0.25 points, p < 0.05",
            Versus("1", "no difference seen", 0.1, 0.4): "no difference seen from 1",
            Versus("1", "not enough data", 9.0, None): "not enough data to compare with 1",
        }
        self.assertEqual([str(versus) for versus in told], list(told.values()))
