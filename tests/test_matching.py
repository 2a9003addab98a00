"""The agent's matcher finds what a loop over the lines finds, and as many lines as grep."""

import os
import random
import re
import shutil
import subprocess
import unittest

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor436.agent.match.block import Block
from monitor436.agent.match.literals import choices
from monitor436.agent.match.matcher import Matcher

SIMPLE = ["a", "b", "A", "k", "ab", "Ba", "é", "0", ":", ".", "[ab]", "[^a]", "[kK]", "[a-c0]", r"\d", r"\w", r"\s"]
WIDTHLESS = [r"\b", "^", "$", r"\A", r"\Z", "(?=b)", "(?<=a)", "(?!b)", "(?<!k)", "(?=.*A)", "(?m:^a)", ""]
REPEATED = ["{}?", "{}*", "{}+", "{}+?", "(?:{}){{2}}", "{}{{0,2}}", "{}{{1,3}}", "{}{{9,}}"]
AROUND = ["({})", "(?i:{})", "(?s:{})", "(?=.*(?:{}))", "(?P<of>{})k?(?P=of)", "(?P<of>{})?(?(of)k|b)", "(?:{})?"]
LETTERS = "abABkK0: \té\r\x00"


def compiles(pattern: str) -> bool:
    """Whether it is a pattern."""
    try:
        re.compile(pattern.encode())
    except re.error:
        return False
    return True


def spelt(shape: tuple[str, str]) -> str:
    """A pattern put into another."""
    return shape[0].format(shape[1])


parts = st.sampled_from(SIMPLE + WIDTHLESS) | st.tuples(st.sampled_from(REPEATED), st.sampled_from(SIMPLE)).map(spelt)
trees = st.recursive(
    parts,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(st.sampled_from(AROUND), inner).map(spelt),
    ),
    max_leaves=8,
)
patterns = st.tuples(st.sampled_from(["", "", "(?i)", "(?x)"]), trees).map("".join).filter(compiles)
texts = st.lists(st.text(LETTERS, max_size=12).map(str.encode), max_size=8)


class PropertyTests(unittest.TestCase):
    """Any patterns, any lines."""

    @settings(max_examples=400)
    @given(st.lists(patterns, min_size=1, max_size=4), st.lists(patterns, max_size=1), texts)
    def test_what_is_found_is_what_a_loop_finds(self, match: list[str], exclude: list[str], lines: list[bytes]) -> None:
        """The lines, where they start, the matches."""
        found = Matcher(tuple(match), tuple(exclude)).search(Block(b"".join(line + b"\n" for line in lines)))
        expected, start = [], 0
        for line in lines:
            matches = [re.search(pattern.encode(), line) for pattern in match]
            first = next(filter(None, matches), None)
            if first and not any(re.search(pattern.encode(), line) for pattern in exclude):
                expected.append((start, line, first.re, first.span()))
            start += len(line) + 1
        self.assertEqual([(one.start, one.line, one.match.re, one.match.span()) for one in found], expected)

    @settings(max_examples=400)
    @given(patterns, texts)
    def test_a_line_that_matches_contains_what_is_required(self, pattern: str, lines: list[bytes]) -> None:
        """One text of every set."""
        for line in lines:
            if re.search(pattern.encode(), line):
                for one in choices(pattern):
                    self.assertTrue(any(text in (line.lower() if folded else line) for text, folded in one), one)


# Read alike by POSIX extended regular expressions and by re; a pattern of grep's that also gives re bytes.
ALIKE = (
    ("error",),
    ("fail(ed|ure)", "panic"),
    ("^web[0-9]+ ",),
    ("[Ee]rror: .*disk", "(out of|no) (memory|space)"),
    (r"\bport [0-9]{2,4}\b", "é+"),
    (r"user=(root|admin)$", r"\[(.)\1\]"),
    ("(a|b)*c?d{2}", "x|yz|^$"),
    (r"\w+@\w+\.(org|com)", r"[^a-z0-9 ]{3}"),
    ("",),
)
WORDS = "web1 web22 Error: disk failed failure port 22 4444 55555 user=root user=admin [aa] [ab] abdd add x yz".split()
WORDS += "error out of memory no space panic é anna@mail.org b@c.de ??! --- \t \x0b é\udcff".split(" ")


class GrepTests(unittest.TestCase):
    """LC_ALL=C grep -caE counts the same lines."""

    @unittest.skipUnless(shutil.which("grep"), "grep is not on this machine")
    def test_it_counts_as_many_lines_as_grep(self) -> None:
        """On made-up lines, some of them empty, some no UTF-8."""
        dice = random.Random(436)
        made = [" ".join(dice.choices(WORDS, k=dice.randint(0, 6))) for _ in range(3000)]
        data = "".join(line + "\n" for line in made).encode("utf-8", "surrogateescape")
        for match in ALIKE:
            options = [word for pattern in match for word in ("-e", pattern)]
            counted = subprocess.run(
                ["grep", "-caE", *options], input=data, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}
            )
            found = Matcher(match).search(Block(data))
            self.assertEqual(len(found), int(counted.stdout), match)
            self.assertGreater(len(found), 10, match)


if __name__ == "__main__":
    unittest.main()
