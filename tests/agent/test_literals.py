"""The texts that a pattern cannot do without."""

import random
import re
import sys
import unittest

from monitor436.agent.match.literals import choices, required
from tests.agent import patterns


def texts(pattern: str) -> "list[str]":
    """What is required, folded texts behind a tilde."""
    return ["~" * folded + literal.decode() for literal, folded in required(pattern)]


class RequiredTests(unittest.TestCase):
    def test_a_plain_text_is_required_as_it_is(self) -> None:
        """Escaped characters too, and what is not ASCII in UTF-8."""
        self.assertEqual(texts("disk failure"), ["disk failure"])
        self.assertEqual(texts(r"a\.b\[1\]"), ["a.b[1]"])
        self.assertEqual(texts("über"), ["über"])

    def test_the_longest_of_several_texts_is_taken(self) -> None:
        """Whatever stands between them."""
        self.assertEqual(texts(r"sshd\[\d+\]: Failed password for (\S+) from"), ["]: Failed password for "])
        self.assertEqual(texts(r"oops.*kernel panic[^x]+now"), ["kernel panic"])

    def test_an_alternative_needs_one_text_of_each_branch(self) -> None:
        """The longest first."""
        self.assertEqual(texts("error|warn|panic!"), ["panic!", "error", "warn"])
        self.assertEqual(texts(r"(out of \w+|full) disk"), [" disk"])
        self.assertEqual(texts("failed|.*"), [])
        self.assertEqual(texts("failed|"), [])

    def test_few_long_texts_are_better_than_many(self) -> None:
        """What the branches share is enough."""
        self.assertEqual(texts("fail(ed|ure)"), ["fail"])
        self.assertEqual(texts("(a|b|c|d) is down"), [" is down"])
        self.assertEqual(texts("(oom|panic|segfault)s"), ["segfaults", "panics", "ooms"])
        self.assertEqual(texts("(ab|cd|ef|gh|ij)(oops|panic|crash|abort)"), ["abort", "crash", "panic", "oops"])
        self.assertEqual(texts("|".join("word{}".format(n) for n in range(40))), ["word"])
        self.assertEqual(texts("|".join(chr(97 + n % 26) + str(n) for n in range(40))), [])

    def test_a_part_that_may_be_absent_is_not_required(self) -> None:
        """Nor is the text over it."""
        self.assertEqual(texts("colou?r"), ["colo"])
        self.assertEqual(texts("(invalid )?user"), ["user"])
        self.assertEqual(texts("ab(cdef)*ghi"), ["ghi"])
        self.assertEqual(texts("x{0,3}yz"), ["yz"])
        self.assertEqual(texts(".*"), [])
        self.assertEqual(texts("(abc)?"), [])
        self.assertEqual(texts(""), [])

    def test_a_part_that_is_repeated_is_required(self) -> None:
        """As often as it must stand there."""
        self.assertEqual(texts("(ab){3}"), ["ababab"])
        self.assertEqual(texts("ab+cd"), ["bcd"])
        self.assertEqual(texts("(?:foo.*)+"), ["foo"])
        self.assertEqual(texts("(foo|barn)+z"), ["barnz", "fooz"])
        self.assertEqual(texts("go{2,}gle"), ["oogle"])

    def test_many_repetitions_are_known_by_their_ends(self) -> None:
        """More than are spelt out, of one form or of several."""
        for made, line in (
            ("x[ab]{8}y", b"xabaabbbay"),
            ("x(ab|c){3,}y", b"xccabcccaby"),
            ("x(abcdefgh){20}y", b"x" + b"abcdefgh" * 20 + b"y"),
            ("a{100}b", b"a" * 100 + b"b"),
        ):
            self.assertTrue(re.search(made.encode(), line))
            sets = choices(made)
            self.assertGreater(len(sets), 1)
            for one in sets:
                self.assertTrue(any(text in line for text, _ in one), (made, one))

    def test_case_is_folded_where_the_pattern_folds_it(self) -> None:
        """For all of it, in a group, and in classes of both cases; a text without letters is not folded."""
        self.assertEqual(texts("(?i)Out of Memory"), ["~out of memory"])
        self.assertEqual(texts("(?i:OOM)-Killer"), ["~oom-killer"])
        self.assertEqual(texts("(?i)(?-i:OOM).*x"), ["OOM"])
        self.assertEqual(texts("[Ee]rror: "), ["~error: "])
        self.assertEqual(texts("(?i)100%"), ["100%"])
        self.assertEqual(texts("(?i)[ÄB]x"), ["~x"])

    def test_small_classes_are_spelt_out(self) -> None:
        """Large ones, and those that exclude, end a text."""
        self.assertEqual(texts("eth[01] is down"), [" is down"])
        self.assertEqual(texts("[ab]cde"), ["acde", "bcde"])
        self.assertEqual(texts("[ab]cdefg"), ["cdefg"])
        self.assertEqual(texts("[ab][cd]ef"), ["acef", "adef", "bcef", "bdef"])
        self.assertEqual(texts("x[a-z]yz[^0]w"), ["yz"])

    def test_lookarounds_take_no_place(self) -> None:
        """What a positive one finds is in the line all the same; a negative one says nothing."""
        self.assertEqual(texts("foo(?!d)bar"), ["foobar"])
        self.assertEqual(texts("(?<!no )problem"), ["problem"])
        self.assertEqual(texts("(?=.*first)(?=.*second)"), ["second"])
        self.assertEqual(texts(r"^\bab\b$"), ["ab"])

    def test_references_and_conditions_end_a_text(self) -> None:
        """They can be anything, or nothing."""
        self.assertEqual(texts(r"(ab)\1cde"), ["cde"])
        self.assertEqual(texts(r"(x)?abc(?(1)longer text|d)"), ["abc"])

    def test_flags_are_those_of_the_pattern(self) -> None:
        """Spaces and comments of a verbose one are none of the text; with a locale nothing is known."""
        self.assertEqual(texts("(?x) a b  # comment"), ["ab"])
        self.assertEqual(texts("(?s)ab.c"), ["ab"])
        self.assertEqual(texts("(?L)ab"), [])
        if sys.version_info >= (3, 7):  # before, a group could not have it
            self.assertEqual(texts("(?iL:ab)cd"), ["cd"])

    if sys.version_info >= (3, 11):  # which brought them

        def test_atomic_groups_and_possessive_repetitions_are_like_others(self) -> None:
            """They change how a match is found, and not what is in it."""
            self.assertEqual(texts("(?>foo|ba)r"), ["foor", "bar"])
            self.assertEqual(texts("ab++cd"), ["bcd"])
            self.assertEqual(texts("(?:foo.)++z"), ["foo"])

    def test_deep_and_long_patterns_cost_little(self) -> None:
        """Nothing is worked out once for each level above it."""
        for made in ("(" * 166 + "a." + ")+" * 166, "(?=(" * 120 + "a." + "))" * 120, "[ab]" * 125, "(a|b)?" * 83):
            self.assertLess(len(choices(made)), 130)
        self.assertEqual(texts("(?:" * 200 + "ab" + ")" * 200), ["ab"])
        self.assertLessEqual(max(len(text) for text, _ in required("a{100}" + "b" * 100)), 64)

    def test_what_is_no_pattern_is_refused_as_re_does(self) -> None:
        """The plan has told it before."""
        with self.assertRaises(re.error):
            required("(")


class PropertyTests(unittest.TestCase):
    def test_every_line_that_matches_contains_a_text_of_every_set(self) -> None:
        """Made-up patterns, in lines that often match."""
        dice, matched, known = random.Random(436), 0, 0
        for _ in range(2000):
            made = patterns.pattern(dice)
            search, sets = re.compile(made.encode()).search, choices(made)
            known += bool(sets)
            for line in [patterns.line(dice) for _ in range(20)]:
                if search(line):
                    matched += 1
                    for one in sets:
                        self.assertTrue(
                            any(text in (line.lower() if folded else line) for text, folded in one), (made, line, one)
                        )
        self.assertGreater(matched, 4000)
        self.assertGreater(known, 1000)


if __name__ == "__main__":
    unittest.main()
