"""Sets of numbers, compared with the sets of the language."""

import unittest
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor436.model.audit.ranges import Range, Ranges

SOME = st.lists(st.tuples(st.integers(1, 40), st.integers(-1, 9)).map(lambda pair: (pair[0], pair[0] + pair[1])))


def spelt(ranges: "list[Range] | Ranges") -> set[int]:
    """Every number."""
    return {number for first, last in ranges for number in range(first, last + 1)}


class RangesTests(unittest.TestCase):
    """Whatever is put in, in whatever order."""

    @given(SOME)
    def test_they_hold_what_was_put_in_and_never_touch(self, some: list[Range]) -> None:
        """Ascending, with a gap between any two."""
        ranges = Ranges(some)
        self.assertEqual(spelt(ranges), spelt(some))
        self.assertEqual([number for number in range(60) if number in ranges], sorted(spelt(some)))
        self.assertEqual(ranges.total, len(spelt(some)))
        self.assertEqual((ranges.first, ranges.last), (min(spelt(some), default=0), max(spelt(some), default=0)))
        found = list(ranges)
        self.assertTrue(all(before[1] + 1 < after[0] for before, after in pairwise(found)))
        self.assertEqual(ranges, Ranges(reversed(some)))

    @given(SOME, SOME)
    def test_they_are_compared_as_sets_are(self, some: list[Range], others: list[Range]) -> None:
        """What both have, what one has, all together."""
        here, there = Ranges(some), Ranges(others)
        self.assertEqual(spelt(here.both(there)), spelt(some) & spelt(others))
        self.assertEqual(spelt(here.without(there)), spelt(some) - spelt(others))
        here.update(there)
        self.assertEqual(spelt(here), spelt(some) | spelt(others))

    @given(SOME, st.integers(1, 40), st.integers(1, 40))
    def test_a_range_is_cut_into_what_is_in_and_what_is_not(self, some: list[Range], first: int, last: int) -> None:
        """Nothing for a range that ends before it begins."""
        wanted = set(range(first, last + 1))
        self.assertEqual(spelt(Ranges(some).within(first, last)), spelt(some) & wanted)
        self.assertEqual(spelt(Ranges(some).outside(first, last)), wanted - spelt(some))
