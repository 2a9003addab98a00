"""Intervals and comparisons against what others compute, and the properties that their formulas promise."""

import importlib
import unittest
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor436.model.fleet.interval import Counted, difference, enough, together, told, wilson

# Computed with statsmodels 0.15.0: proportion_confint(well, of, 1 - confidence, "wilson").
INTERVALS = [
    (0, 1, 0.95, 0.0, 0.7934506856227626),
    (1, 1, 0.95, 0.20654931437723745, 1.0),
    (0, 10, 0.95, 0.0, 0.2775327998628892),
    (3, 10, 0.95, 0.10779126740630099, 0.6032218525388546),
    (995, 1000, 0.95, 0.9883490446266249, 0.9978624644726756),
    (995, 1000, 0.99, 0.985146790856611, 0.9983279558890162),
    (1000, 1000, 0.95, 0.996173241514445, 1.0),
    (1, 100000, 0.95, 1.7652477303783126e-06, 5.664709659040966e-05),
    (98000, 100000, 0.9, 0.9792587000650619, 0.9807153274204765),
    (999999000, 1000000000, 0.95, 0.9999989360700481, 0.9999990600885007),
]
# Computed with statsmodels 0.15.0: proportions_ztest([well, well], [of, of])[1].
DIFFERENCES = [
    (90, 100, 95, 100, 0.17949481837303094),
    (990, 1000, 970, 1000, 0.001401301580960208),
    (94314, 95248, 108492, 108833, 3.2919250450362575e-81),
    (50, 100, 50, 100, 1.0),
    (5, 10, 9, 10, 0.050961936967763306),
    (199900, 200000, 99960, 100000, 0.2318887711521299),
    (1, 1000, 11, 1000, 0.003786144155226493),
]
# Computed with statsmodels 0.15.0: multipletests(probabilities, method="holm")[1].
RAISED = [
    ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
    ([0.5, 0.9, 0.02], [1.0, 1.0, 0.06]),
    ([0.001], [0.001]),
    ([0.03, 0.03, 0.03], [0.09, 0.09, 0.09]),
    ([0.2, 0.0004, 0.01, 0.6, 0.013], [0.4, 0.002, 0.04, 0.6, 0.04]),
    ([], []),
]


def peer() -> Any:
    """scipy's statistics where they are installed; the tables above are there everywhere."""
    try:
        return importlib.import_module("scipy.stats")
    except ImportError:
        return None


@st.composite
def counts(draw: st.DrawFn, most: int = 10_000) -> Counted:
    """So many of so many, at least one."""
    of = draw(st.integers(1, most))
    return Counted(draw(st.integers(0, of)), of)


class IntervalTests(unittest.TestCase):
    """`wilson`"""

    def test_it_is_what_others_compute(self) -> None:
        """From one trial to a thousand million, at both ends and between."""
        for well, of, confidence, *interval in INTERVALS:
            for ours, theirs in zip(wilson(Counted(well, of), confidence), interval, strict=True):
                self.assertAlmostEqual(ours, theirs, 12, f"{well} of {of}")

    @settings(max_examples=100, deadline=None)
    @given(counts(), st.sampled_from([0.8, 0.95, 0.999]))
    def test_it_holds_the_rate_and_stays_within_bounds(self, counted: Counted, confidence: float) -> None:
        """And is that of the failures, mirrored; and what scipy computes, where that is installed."""
        low, high = wilson(counted, confidence)
        self.assertTrue(0 <= low <= counted.well / counted.of <= high <= 1, (low, high))
        mirrored = wilson(Counted(counted.of - counted.well, counted.of), confidence)
        self.assertAlmostEqual(1 - mirrored[1], low, 12)
        self.assertAlmostEqual(1 - mirrored[0], high, 12)
        if stats := peer():
            theirs = stats.binomtest(counted.well, counted.of).proportion_ci(confidence, "wilson")
            self.assertAlmostEqual(theirs.low, low, 9)
            self.assertAlmostEqual(theirs.high, high, 9)

    def test_more_of_the_same_is_surer(self) -> None:
        """A hundred times as many: about a tenth as wide."""
        few, many = wilson(Counted(99, 100)), wilson(Counted(9900, 10_000))
        self.assertLess(many[1] - many[0], (few[1] - few[0]) / 8)

    def test_nothing_counted_says_nothing(self) -> None:
        """Any rate is possible."""
        self.assertEqual(wilson(Counted(0, 0)), (0.0, 1.0))

    def test_a_rate_above_all_or_below_none_is_none(self) -> None:
        """200 % are refused, not drawn."""
        for counted in (Counted(2, 1), Counted(-1, 5)):
            with self.assertRaisesRegex(ValueError, "is no rate"):
                wilson(counted)


class DifferenceTests(unittest.TestCase):
    """`difference`, `enough` and `together`"""

    def test_it_is_what_others_compute(self) -> None:
        """To twelve digits, small ones in proportion."""
        for well, of, other, others, theirs in DIFFERENCES:
            ours = difference(Counted(well, of), Counted(other, others))
            self.assertLess(abs(ours - theirs), 1e-9 * theirs, f"{well} of {of}")

    @settings(max_examples=100, deadline=None)
    @given(counts(), counts())
    def test_it_has_no_sides(self, one: Counted, other: Counted) -> None:
        """A probability, the same both ways; and what scipy computes, where that is installed."""
        ours = difference(one, other)
        self.assertTrue(0 <= ours <= 1)
        self.assertAlmostEqual(difference(other, one), ours, 12)
        if (stats := peer()) and 0 < one.well + other.well < one.of + other.of:
            cells = [[one.well, one.of - one.well], [other.well, other.of - other.well]]
            self.assertAlmostEqual(stats.chi2_contingency(cells, correction=False).pvalue, ours, 9)

    def test_no_spread_is_no_difference(self) -> None:
        """All well, none well, nothing counted."""
        for one, other in (((5, 5), (9, 9)), ((0, 5), (0, 9)), ((0, 0), (3, 9))):
            self.assertEqual(difference(Counted(*one), Counted(*other)), 1.0)

    def test_enough_is_five_expected_in_every_cell(self) -> None:
        """The smallest cell decides, on either side."""
        self.assertTrue(enough(Counted(95, 100), Counted(95, 100)))
        self.assertFalse(enough(Counted(96, 100), Counted(95, 100)))
        self.assertFalse(enough(Counted(4, 100), Counted(5, 100)))
        self.assertFalse(enough(Counted(1000, 1000), Counted(1000, 1000)))
        self.assertFalse(enough(Counted(0, 0), Counted(0, 0)))

    def test_many_comparisons_are_raised_as_others_do(self) -> None:
        """In the order in which they were given."""
        for given_, theirs in RAISED:
            ours = together(given_)
            self.assertEqual(len(ours), len(theirs))
            for one, other in zip(ours, theirs, strict=True):
                self.assertAlmostEqual(one, other, 12)

    def test_a_level_is_told_only_below_it(self) -> None:
        """Not at it."""
        self.assertEqual([told(p) for p in (0.05, 0.049, 0.01, 0.0099, 0.0009)],
                         ["", "p < 0.05", "p < 0.05", "p < 0.01", "p < 0.001"])  # fmt: skip
