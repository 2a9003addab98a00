"""Settings files: how their text becomes values, and how what is wrong with them is told."""

import contextlib
import os
import subprocess
import sys
import tempfile
import unittest
from typing import Annotated, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct

from monitor436.agent.plan import seconds, spelt
from monitor436.binder import DEFAULT, bind, load
from monitor436.model.settings.whole import Settings
from monitor436.model.source import SettingsError, Source
from monitor436.model.units import Duration, FilePath, Size, size, spelt_size
from monitor436.yaml_source import compose


class Poll(Struct, frozen=True):
    """A section with a field that must be given."""

    url: str
    interval: Duration = 30.0


class Sample(Struct, frozen=True):
    """A field of every type that settings may have."""

    text: str = ""
    number: Annotated[int, Meta(ge=1, le=9)] = 5
    ratio: Annotated[float, Meta(le=1)] = 0.5
    truth: bool = False
    word: Literal["low", "high"] = "low"
    pause: Duration = 1.0
    room: Size = 512
    file: FilePath = "var/x"
    names: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    polls: dict[str, Poll] = {}
    chain: tuple[Poll, ...] = ()

    def problems(self) -> list[tuple[tuple[str, ...], str]]:
        """One rule across two fields."""
        return [(("ratio",), "is too much for low")] if self.word == "low" and self.ratio > 0.9 else []


def bound(text: str, base: str = "") -> Sample:
    """A Sample out of YAML text."""
    return bind(compose(text, "s.yaml"), Sample, base)


class ComposeTests(unittest.TestCase):
    def test_every_scalar_stays_the_text_that_was_written(self) -> None:
        """Version numbers, clock times, octal, Norway."""
        tree = compose("a: 1.10\nb: no\nc: 22:22\nd: 010\ne: 2001-01-01\nf: ~\ng: 'x'\nh: |\n  y\n", "f").tree
        self.assertEqual(
            tree,
            {"a": "1.10", "b": "no", "c": "22:22", "d": "010", "e": "2001-01-01", "f": "~", "g": "x", "h": "y\n"},
        )

    def test_nothing_written_is_none_and_quotes_are_empty_text(self) -> None:
        """A key with all its lines commented out is not the text ""."""
        self.assertEqual(compose("a:\nb: ''\nc: [x, ]\nd: {}\n", "f").tree, {"a": None, "b": "", "c": ["x"], "d": {}})

    def test_empty_text_is_an_empty_mapping(self) -> None:
        """Also comments alone, a byte order mark, and a document start."""
        for text in ("", "\n", "# x\n", "\ufeff", "---\n", "---\n...\n"):
            self.assertEqual(compose(text, "f").tree, {}, repr(text))

    def test_marks_count_lines_and_characters_from_one(self) -> None:
        """As editors do, with wide characters and Windows line ends."""
        source = compose(b"# \xc3\xa4\r\n\xc3\xa4: {b: 1, cc: 2}\r\n", "f")
        self.assertEqual(source.keys[("ä", "cc")], ("f", 2, 11))
        self.assertEqual(source.values[("ä", "cc")], ("f", 2, 15))

    def test_aliases_repeat_a_part(self) -> None:
        """Problems inside point to where it is written."""
        source = compose("a: &x {p: 1}\nb: *x\n", "f")
        self.assertEqual(source.tree, {"a": {"p": "1"}, "b": {"p": "1"}})
        self.assertEqual(source.mark(("b", "p")), ("f", 1, 11))

    def test_the_first_of_two_equal_keys_counts_and_the_second_is_a_problem(self) -> None:
        """It is told with the others, not instead of them."""
        source = compose("a: 1\na: 2\n", "f")
        self.assertEqual(source.tree, {"a": "1"})
        self.assertEqual([str(problem) for problem in source.problems], ["f:2:1: a: is written twice: first in line 1"])

    def test_nesting_without_end_is_refused_and_does_not_end_the_process(self) -> None:
        """libyaml's own composer recurses until the stack is gone; a process of its own would show it."""
        for unit in ("[", "- ", "? ", "{a: "):
            with self.subTest(unit):
                code = (
                    "from monitor436.yaml_source import compose\n"
                    "from monitor436.model.source import SettingsError\n"
                    f"try: compose({unit!r} * {1_000_000 // len(unit)}, 'f')\n"
                    "except SettingsError as wrong: print(wrong)"
                )
                done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("nested deeper than 16 levels", done.stdout)


class BindTests(unittest.TestCase):
    def refused(self, text: str) -> list[str]:
        """The problems of YAML text for a Sample, as they are printed."""
        with self.assertRaises(SettingsError) as caught:
            bound(text)
        return [str(problem) for problem in caught.exception.problems]

    def test_each_field_is_read_by_its_type(self) -> None:
        """The same text is a number where one is wanted, and text where not."""
        sample = bound(
            "text: 010\nnumber: 7\nratio: 0.25\ntruth: yes\nword: high\npause: 2h\nroom: 4KiB\nfile: /x\n"
            "names: [no, 1.10]\nlabels: {a: 22:22}\npolls: {shop: {url: u, interval: 500ms}}\nchain: [{url: v}]\n"
        )
        expected = Sample(
            text="010",
            number=7,
            ratio=0.25,
            truth=True,
            word="high",
            pause=7200.0,
            room=4096,
            file="/x",
            names=("no", "1.10"),
            labels={"a": "22:22"},
            polls={"shop": Poll("u", 0.5)},
            chain=(Poll("v"),),
        )
        self.assertEqual(sample, expected)

    def test_what_is_absent_or_empty_has_its_default(self) -> None:
        """A key without a value counts as absent."""
        self.assertEqual(bound(""), Sample())
        self.assertEqual(bound("names:\nlabels:\npolls:\ntext:\n"), Sample())

    def test_a_problem_is_told_as_file_line_column_path_and_sentence(self) -> None:
        """The sentence of the house style."""
        self.assertEqual(
            self.refused("polls:\n  shop:\n    url: u\n    interval: 3 0\n"),
            ['s.yaml:4:15: polls.shop.interval: expected a duration such as "30s", got "3 0"'],
        )

    def test_all_problems_are_told_at_once_in_the_order_of_the_file(self) -> None:
        """From every field, however deep, and from the writing itself."""
        found = self.refused(
            "number: x\nratio: 2\ntruth: 1\nword: hihg\nroom: 4KB\nnames: [a, [b]]\nlabels: {a: {}}\n"
            "polls: {a: {}, b: 3}\nchain: {}\nnubmer: 3\nnumber: 4\n"
        )
        self.assertEqual(
            found,
            [
                's.yaml:1:9: number: expected a whole number, got "x"',
                "s.yaml:2:8: ratio: must be at most 1, is 2.0",
                's.yaml:3:8: truth: expected true or false, got "1"',
                's.yaml:4:7: word: "hihg" is none of its choices; did you mean "high"?',
                's.yaml:5:7: room: expected a size such as "64MiB", "4KiB" or "512", got "4KB"',
                "s.yaml:6:12: names.1: expected text, got a list",
                "s.yaml:7:10: labels.a: expected text, got a mapping",
                "s.yaml:8:9: polls.a.url: must be given",
                's.yaml:8:19: polls.b: expected a mapping, got "3"',
                "s.yaml:9:1: chain: expected a list, got a mapping",
                's.yaml:10:1: nubmer: unknown key; did you mean "number"?',
                "s.yaml:11:1: number: is written twice: first in line 1",
            ],
        )

    def test_numbers_keep_their_bounds(self) -> None:
        """Both ends are allowed."""
        self.assertEqual((bound("number: 1").number, bound("number: 9").number), (1, 9))
        self.assertEqual(self.refused("number: 0"), ["s.yaml:1:9: number: must be at least 1, is 0"])
        self.assertEqual(self.refused("number: 10"), ["s.yaml:1:9: number: must be at most 9, is 10"])

    def test_numbers_that_mean_different_things_to_different_readers_are_refused(self) -> None:
        """Octal, hexadecimal, underscores, exponents, signs, other digits."""
        for text in ("010", "0x5", "5_0", "5e0", "+5", "5.", ".5", "\u0665", "5 ", "nan"):
            with self.subTest(text):
                self.assertEqual(len(self.refused(f"number: '{text}'")), 1)
        for text in ("01.5", "1e1", "nan", "inf", ".5", "+1"):
            with self.subTest(text):
                self.assertEqual(len(self.refused(f"ratio: '{text}'")), 1)

    def test_relative_paths_begin_in_the_base_and_defaults_too(self) -> None:
        """Absolute ones stay; without a base nothing is joined."""
        self.assertEqual(bound("file: ../y", "/srv/etc").file, "/srv/y")
        self.assertEqual(bound("file: /y", "/srv/etc").file, "/y")
        self.assertEqual(bound("", "/srv/etc").file, "/srv/etc/var/x")
        self.assertEqual(bound("file: ../y").file, "../y")

    def test_a_struct_is_asked_for_what_no_field_can_tell(self) -> None:
        """Once its fields are good; the problem points to the field."""
        self.assertEqual(self.refused("truth: yes\nratio: 1\n"), ["s.yaml:2:8: ratio: is too much for low"])
        self.assertEqual(bound("word: high\nratio: 1\n").ratio, 1.0)
        self.assertEqual(len(self.refused("number: x\nratio: 1\n")), 1)

    def test_load_reads_a_file_and_joins_paths_to_its_folder(self) -> None:
        """However the file was named: the daemon may change its folder later."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s.yaml")
            with open(path, "w") as file:
                file.write("file: y\n")
            self.assertEqual(load(path, Sample).file, os.path.join(folder, "y"))
            self.assertEqual(load(os.path.relpath(path), Sample).file, os.path.join(folder, "y"))

    def test_a_missing_file_is_told_in_a_sentence(self) -> None:
        """The settings error, not the system's."""
        with self.assertRaises(SettingsError) as caught:
            load("/nowhere/s.yaml", Sample)
        self.assertEqual(str(caught.exception), "/nowhere/s.yaml: cannot be read: No such file or directory")

    def test_whoever_names_no_file_and_is_in_no_site_is_told_where_to_go(self) -> None:
        """As newcomers are."""
        self.enterContext(contextlib.chdir(self.enterContext(tempfile.TemporaryDirectory())))
        with self.assertRaises(SettingsError) as caught:
            load(DEFAULT, Sample)
        self.assertRegex(str(caught.exception), "^etc/monitor436.yaml: is not here: go to .*, or say -c FILE$")


class AnyTextTests(unittest.TestCase):
    """Whatever is written, it is read or refused; no other exception."""

    PIECES = ("a", "name", "agents", "port", ": ", ":", "\n", "  ", "- ", "[", "]", "{", "}", ",", "&x ", "*x", "!t ")
    MORE = (
        "|",
        ">",
        "'",
        '"',
        "#",
        "? ",
        "%",
        "@",
        "\t",
        "\r",
        "\0",
        "\x85",
        "é",
        "\ud800",
        "---\n",
        "...\n",
        "<<: ",
        "5s",
    )

    @settings(max_examples=400, deadline=None, derandomize=True)
    @given(st.lists(st.sampled_from(PIECES + MORE), max_size=40).map("".join) | st.text() | st.binary())
    def test_any_text_is_a_source_or_refused(self, text: str | bytes) -> None:
        """Bound to the settings as well, and every problem says its place."""
        try:
            source = compose(text, "f.yaml")
            self.assertIsInstance(source, Source)
            bind(source, Settings, "/etc")
        except SettingsError as wrong:
            self.assertTrue(wrong.problems)
            for problem in wrong.problems:
                self.assertGreater(problem.line, 0)
                self.assertNotIn("\n", problem.sentence)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.integers(0, 400 * 86_400_000))
    def test_any_duration_is_spelt_so_that_it_reads_back(self, milliseconds: int) -> None:
        """To the millisecond, over more than a year."""
        self.assertAlmostEqual(seconds(spelt(milliseconds / 1000)), milliseconds / 1000, places=6)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.integers(0, 1 << 48))
    def test_any_size_is_spelt_so_that_it_reads_back(self, count: int) -> None:
        """To the byte; whole KiB and so on too."""
        for worth in (1, 1 << 10, 1 << 20):
            self.assertEqual(size(spelt_size(count // worth * worth)), count // worth * worth)
