"""Lines are found as a loop over all of them would find them, and no pattern holds up the agent."""

import contextlib
import ctypes
import gc
import random
import re
import signal
import sys
import unittest

from monitor436.agent.match.block import Block
from monitor436.agent.match.budget import Budget, Overrun
from monitor436.agent.match.matcher import MAX_OVERRUNS, TELLING, Matcher
from monitor436.agent.tail.logfile import MAX_LINE
from tests.agent import patterns

ENDLESS = b"a" * 64 + b"!"  # what (a+)+$ tries in 2^64 ways
SHORT = 0.02  # seconds


def block(*lines: bytes) -> Block:
    """Lines in one piece."""
    return Block(b"".join(line + b"\n" for line in lines))


def lines(matcher: Matcher, *given: bytes) -> "list[bytes]":
    """The lines that are found."""
    return [found.line for found in matcher.search(block(*given))]


class BlockTests(unittest.TestCase):
    def test_lines_are_found_by_a_text(self) -> None:
        """Once each, in their order, also the first and the last."""
        made = block(b"one two", b"", b"three", b"two two")
        self.assertEqual(made.lines_with(b"two", False), [0, 15])
        self.assertEqual([made.line(start) for start in (0, 15)], [b"one two", b"two two"])
        self.assertEqual(made.lines_with(b"four", False), [])
        self.assertEqual(made.lines([0, 15]), [b"one two", b"two two"])

    def test_a_folded_text_is_found_in_either_case(self) -> None:
        """ASCII letters only; the line comes as it was written."""
        made = block(b"An ERROR", b"error", "ÄRGER".encode())
        self.assertEqual([made.line(start) for start in made.lines_with(b"error", True)], [b"An ERROR", b"error"])
        self.assertEqual(made.lines_with(b"ERROR", False), [0])
        self.assertEqual(made.lines_with("ä".encode(), True), [])

    def test_what_was_found_is_kept(self) -> None:
        """Rules share it."""
        made = block(b"one", b"two")
        self.assertIs(made.lines_with(b"one", False), made.lines_with(b"one", False))
        self.assertIs(made.starts(), made.starts())

    def test_every_line_has_a_start(self) -> None:
        """Empty ones too, and one that nobody ended."""
        self.assertEqual(block(b"one", b"", b"two").starts(), [0, 4, 5])
        self.assertEqual(Block(b"").starts(), [])
        self.assertEqual(Block(b"\n").starts(), [0])
        self.assertEqual(Block(b"one\ntwo").starts(), [0, 4])
        self.assertEqual(Block(b"one\ntwo").lines_with(b"o", False), [0, 4])
        self.assertEqual(Block(b"one\ntwo").line(4), b"two")

    def test_long_lines_are_cut(self) -> None:
        """However they were found; the next line is not touched."""
        long = b"x" * MAX_LINE + b"yz"
        for look in (lambda made: None, lambda made: made.lines_with(b"yz", False), lambda made: made.starts()):
            made = block(long, b"next")
            look(made)
            self.assertEqual(made.line(0), b"x" * MAX_LINE)
            self.assertEqual(made.line(len(long) + 1), b"next")


class MatcherTests(unittest.TestCase):
    def test_what_is_found_says_where_and_what(self) -> None:
        """The place of the line in its block, the line, the match with its groups."""
        (found,) = Matcher((r"user=(?P<user>\w+)",)).search(block(b"one", b"login user=anna", b"two"))
        self.assertEqual((found.start, found.line, found.match.group("user")), (4, b"login user=anna", b"anna"))

    def test_the_first_pattern_that_matches_gives_the_match(self) -> None:
        """A line that several match is found once; the order is that of the lines."""
        found = Matcher(("b+", "a.", ".")).search(block(b"ab", b"c", b"abb", b"ac"))
        self.assertEqual([each.match.group() for each in found], [b"b", b"c", b"bb", b"ac"])

    def test_excluded_lines_are_left_out(self) -> None:
        """Whichever of the patterns matches them."""
        matcher = Matcher(("error", "fail"), ("test", "(?i)debug"))
        given = (b"error", b"error in test", b"DEBUG: fail", b"failed", b"test")
        self.assertEqual(lines(matcher, *given), [b"error", b"failed"])

    def test_patterns_see_one_line_at_a_time(self) -> None:
        """Its ends are those of the line, and nothing reaches over them."""
        self.assertEqual(lines(Matcher(("^b",)), b"ab", b"b", b"ba"), [b"b", b"ba"])
        self.assertEqual(lines(Matcher(("a$",)), b"ab", b"ba"), [b"ba"])
        self.assertEqual(lines(Matcher((r"a\sb", r"(?s)a.b", r"a[^x]b", "a\nb")), b"a", b"b"), [])
        self.assertEqual(lines(Matcher(("^$",)), b"a", b"", b"b"), [b""])

    def test_nothing_behind_the_longest_line_is_seen(self) -> None:
        """Though it is in the block."""
        self.assertEqual(lines(Matcher(("yz", "x$")), b"x" * MAX_LINE + b"yz", b"yz"), [b"x" * MAX_LINE, b"yz"])
        self.assertEqual(lines(Matcher(("yz",)), b"x" * MAX_LINE + b"yz", b"yz"), [b"yz"])

    def test_patterns_and_lines_need_not_be_ascii(self) -> None:
        """Patterns are taken in UTF-8, lines as they are."""
        utf8, latin1 = "drüber".encode() + b"\xff", "drüber".encode("latin-1")
        self.assertEqual(lines(Matcher(("über",)), utf8, latin1), [utf8])

    def test_only_lines_with_a_required_text_are_shown_to_a_pattern(self) -> None:
        """The matcher tells how many, and the time it took."""
        matcher = Matcher((r"panic: \d+", "(oom|segfault)!", "(?i)fatal"))
        given = [b"all is well"] * 1000 + [b"panic: 1", b"panic: no", b"oom!", b"Fatal"]
        self.assertEqual(lines(matcher, *given), [b"panic: 1", b"oom!", b"Fatal"])
        self.assertEqual(matcher.lines, 4)
        self.assertGreater(matcher.seconds, 0.0)
        plain = Matcher((r"\d+",))
        lines(plain, *given)
        self.assertEqual(plain.lines, len(given))

    def test_a_text_that_most_lines_contain_gives_way_to_another(self) -> None:
        """When a block was large enough to tell."""
        given = [b"kernel: all is well"] * (TELLING // 10)
        matcher = Matcher(("kernel: .*oops",))
        for number in (100, 200):
            lines(matcher, *given[:100])
            self.assertEqual(matcher.lines, number)
        matcher.lines, shown = 0, []
        for _ in range(3):
            self.assertEqual(lines(matcher, *given, b"kernel: oops"), [b"kernel: oops"])
            shown.append(matcher.lines)
        self.assertEqual(shown, [len(given) + 1, len(given) + 2, len(given) + 3])

    def test_of_texts_that_are_all_common_the_rarest_is_taken(self) -> None:
        """When all were tried."""
        given = [b"abc: ", b"abc: de "] * (TELLING // 10) + [b"abc: de fghi"] * 9
        matcher = Matcher((r"abc:\s.*de\s.*fghi\d",))
        before, shown = 0, []
        for _ in range(5):
            self.assertEqual(lines(matcher, *given), [])
            shown.append(matcher.lines - before)
            before = matcher.lines
        self.assertEqual(shown[-2:], [9, 9])
        common = Matcher((r"abc:\s.*de\s\d",))
        for _ in range(4):
            before = common.lines
            self.assertEqual(lines(common, *given), [])
        self.assertEqual(common.lines - before, TELLING // 10 + 9)

    def test_they_are_those_of_a_loop_over_all_lines(self) -> None:
        """Made-up patterns and lines; the same match too."""
        dice, number = random.Random(436), 0
        for _ in range(1000):
            match = tuple(patterns.pattern(dice, 2) for _ in range(dice.randint(1, 4)))
            exclude = tuple(patterns.pattern(dice, 1) for _ in range(dice.choice((0, 0, 1))))
            given = [patterns.line(dice) for _ in range(dice.randint(0, 25))]
            found = Matcher(match, exclude).search(block(*given))
            told = [(each.line, each.match.re, each.match.span()) for each in found]
            self.assertEqual(told, loop(match, exclude, given), (match, exclude, given))
            number += len(found)
        self.assertGreater(number, 4000)


def loop(match: "tuple[str, ...]", exclude: "tuple[str, ...]", given: "list[bytes]") -> "list[object]":
    """What is found line by line: the line, the pattern, the place."""
    compiled, excluded = [[re.compile(one.encode()) for one in several] for several in (match, exclude)]
    found = []
    for line in given:
        matches = [each for each in (one.search(line) for one in compiled) if each]
        if matches and not any(one.search(line) for one in excluded):
            found.append((line, matches[0].re, matches[0].span()))
    return found


class OverrunTests(unittest.TestCase):
    def test_a_line_over_which_a_pattern_takes_too_long_is_passed_over(self) -> None:
        """The lines around it are looked at."""
        matcher = Matcher(("(a+)+$",), budget=SHORT)
        self.assertEqual(lines(matcher, b"aa", ENDLESS, b"ba"), [b"aa", b"ba"])
        self.assertEqual(matcher.overran, [ENDLESS])
        self.assertFalse(matcher.off)
        self.assertEqual(lines(matcher, b"aa"), [b"aa"])
        self.assertEqual(matcher.overran, [])

    def test_one_that_takes_too_long_to_exclude_is_passed_over_too(self) -> None:
        """It is not known whether it counts."""
        matcher = Matcher(("a",), ("(a+)+$",), budget=SHORT)
        self.assertEqual(lines(matcher, b"ax", ENDLESS, b"ay"), [b"ax", b"ay"])
        self.assertEqual(matcher.overran, [ENDLESS])

    def test_other_patterns_do_not_get_it_either(self) -> None:
        """They would take the time once more."""
        matcher = Matcher(("(a+)+$", "(a+)+b$", "!"), budget=SHORT)
        self.assertEqual(lines(matcher, ENDLESS, b"b!"), [b"b!"])
        self.assertEqual(matcher.overran, [ENDLESS])

    def test_a_line_that_is_found_is_not_shown_to_the_next_pattern(self) -> None:
        """However long that would take."""
        matcher = Matcher(("aa!", "(a+)+$"), budget=SHORT)
        self.assertEqual(lines(matcher, ENDLESS), [ENDLESS])
        self.assertEqual(matcher.overran, [])

    def test_the_third_such_line_is_the_last(self) -> None:
        """What was found before it is told; then the matcher is off."""
        matcher = Matcher(("(a+)+$",), budget=SHORT)
        self.assertEqual(lines(matcher, b"a", *[ENDLESS] * (MAX_OVERRUNS + 1), b"a"), [b"a"])
        self.assertEqual(matcher.overran, [ENDLESS] * MAX_OVERRUNS)
        self.assertTrue(matcher.off)
        seconds = matcher.seconds
        self.assertEqual(lines(matcher, b"a"), [])
        self.assertEqual((matcher.overran, matcher.seconds), ([], seconds))

    def test_many_lines_may_take_longer_than_one(self) -> None:
        """None of them is to blame, up to ten times the time of one."""
        slow = b"a" * 12 + b"!"  # less than a millisecond
        matcher = Matcher(("(a+)+$",), budget=SHORT)
        number = 0
        while matcher.seconds < 2 * SHORT:
            lines(matcher, *[slow] * 10)
            number += 10
        self.assertEqual((matcher.overran, matcher.off), ([], False))
        lines(matcher, *[slow] * number)
        self.assertEqual((matcher.overran, matcher.off), ([], False))

    def test_all_lines_together_have_an_end(self) -> None:
        """Otherwise each could take almost the time of one."""
        slow = b"a" * 12 + b"!"
        matcher = Matcher(("(a+)+$",), budget=SHORT)
        lines(matcher, *[slow] * 50000)
        self.assertTrue(matcher.off)
        self.assertLess(matcher.seconds, 60 * SHORT)

    def test_time_that_runs_out_between_lines_is_the_fault_of_none(self) -> None:
        """As while they are being taken out of the block."""

        class Interrupted(Block):
            times = 0

            def lines(self, starts: "list[int]") -> "list[bytes]":
                self.times += 1
                if self.times == 1:
                    raise Overrun
                return super().lines(starts)

        matcher = Matcher(("a",))
        self.assertEqual([found.line for found in matcher.search(Interrupted(b"a\nb\nca\n"))], [b"a", b"ca"])
        self.assertEqual(matcher.overran, [])

    def test_a_search_that_shows_no_line_arms_no_timer(self) -> None:
        """It would cost more than the search."""
        signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
        lines(Matcher(("error", "fail")), b"all is well")
        self.assertEqual(signal.getsignal(signal.SIGVTALRM), signal.SIG_IGN)
        lines(Matcher(("error", "fail")), b"a failure")
        self.assertNotEqual(signal.getsignal(signal.SIGVTALRM), signal.SIG_IGN)


class BudgetTests(unittest.TestCase):
    def test_what_takes_too_long_is_interrupted(self) -> None:
        """By Overrun."""
        with self.assertRaises(Overrun), Budget(SHORT):
            while True:
                pass

    def test_time_that_is_not_used_up_interrupts_nothing_later(self) -> None:
        """The timer ends with the block, also when something else ends that."""
        with Budget(SHORT):
            pass
        self.assertEqual(signal.getitimer(signal.ITIMER_VIRTUAL), (0.0, 0.0))
        with self.assertRaises(KeyError), Budget(SHORT):
            raise KeyError
        self.assertEqual(signal.getitimer(signal.ITIMER_VIRTUAL), (0.0, 0.0))

    def test_an_overrun_that_is_lost_comes_again(self) -> None:
        """What is raised while an object is let go of is told on stderr, and nobody catches it."""

        class Dawdles:
            def __del__(self) -> None:
                while True:
                    pass

        lost = []
        hook = getattr(sys, "unraisablehook", None)
        sys.unraisablehook = lambda told: lost.append(told.exc_type)
        self.addCleanup(setattr, sys, "unraisablehook", hook)
        with self.assertRaises(Overrun), Budget(SHORT):
            held = Dawdles()
            del held
            while True:
                pass
        self.assertEqual(lost, [Overrun] if hook else [])

    def test_garbage_is_not_collected_at_the_expense_of_a_pattern(self) -> None:
        """It is from then on."""
        with Budget(SHORT):
            self.assertFalse(gc.isenabled())
        self.assertTrue(gc.isenabled())
        gc.disable()
        self.addCleanup(gc.enable)
        with Budget(SHORT):
            pass
        self.assertFalse(gc.isenabled())

    def test_a_signal_that_comes_late_harms_nobody(self) -> None:
        """It was on its way when the block ended."""
        with Budget(SHORT):
            late = signal.getsignal(signal.SIGVTALRM)
        assert callable(late)
        late(signal.SIGVTALRM, None)

    def test_time_that_runs_out_as_the_block_ends_interrupts_nothing_later(self) -> None:
        """The last step of it was in C, so that the signal is heeded when the block is over."""
        told = ctypes.PyDLL(None)["raise"]  # as os.kill, but it leaves what is to be called to the interpreter
        begun = []  # type: list[object]
        with contextlib.suppress(Overrun), Budget(SHORT):
            begun += filter(None, map(told, [signal.SIGVTALRM]))
        self.assertEqual(signal.getitimer(signal.ITIMER_VIRTUAL), (0.0, 0.0))
        self.assertTrue(gc.isenabled())
        late = signal.getsignal(signal.SIGVTALRM)
        assert callable(late)
        late(signal.SIGVTALRM, None)

    def test_progress_begins_the_time_anew(self) -> None:
        """So many times, and no more."""
        steps = iter(range(10**9))
        asked = []

        def progress() -> int:
            asked.append(next(steps))
            return asked[-1]

        with self.assertRaises(Overrun), Budget(SHORT, progress, 3):
            while True:
                pass
        self.assertEqual(asked, [0, 1, 2, 3, 4])

    def test_without_progress_it_does_not(self) -> None:
        """The first time counts from the beginning of the block."""
        asked = []
        with self.assertRaises(Overrun), Budget(SHORT, lambda: asked.append(1), 3):
            while True:
                pass
        self.assertEqual(len(asked), 2)


if __name__ == "__main__":
    unittest.main()
