"""How sure a rate is, and whether two rates differ. Pure arithmetic.

Both take what was counted as independent trials. Requests of one machine are seldom quite that: read a verdict as a
reason to look, and one about few machines with care.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
ENOUGH = 5.0  # expected in every cell, below which the normal approximation does not hold (Cochran 1954)
LEVELS = (0.001, 0.01, 0.05)  # at which a difference is told
MOST = 2**63 - 1  # of a count: exact in JSON readers and databases that have 64 bits


class Counted(NamedTuple):
    """How many of how many went well."""

    well: int
    of: int


def wilson(counted: Counted, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval that holds the true rate with this confidence, as fractions. Nothing counted: (0.0, 1.0).

    With p = well / of, n = of and z the normal quantile of (1 + confidence) / 2:

        (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209–212.
    Unlike p ± z √(p(1-p)/n) it stays within 0 and 1, and is right for few trials and for rates near either end.
    Raises ValueError if `well` is not within 0 and `of`.
    """
    if not 0 <= counted.well <= counted.of:
        raise ValueError(f"{counted.well} of {counted.of} is no rate")
    if not counted.of:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n = float(counted.of)
    p, square = counted.well / counted.of, z * z / n
    middle = p + square / 2
    half = z * math.sqrt(p * (1 - p) / n + square / (4 * n))
    low = 0.0 if counted.well == 0 else (middle - half) / (1 + square)
    high = 1.0 if counted.well == counted.of else (middle + half) / (1 + square)
    return max(0.0, low), min(1.0, high)


def enough(one: Counted, other: Counted) -> bool:
    """Whether two rates can be compared by `difference`: in each of the four cells, expected if there were no
    difference, at least `ENOUGH`.

    W. G. Cochran, "Some methods for strengthening the common χ² tests", Biometrics 10 (1954), 417–451.
    Counts that all went well, or all badly, have an empty cell and so are never enough.
    """
    of, well = one.of + other.of, one.well + other.well
    least = min(one.of, other.of) * min(well, of - well)
    return of > 0 and least >= ENOUGH * of


def difference(one: Counted, other: Counted) -> float:
    """The probability of rates that differ at least so much if the true ones were the same: the two-sided, pooled
    two-proportion z-test, whose z² is Pearson's χ² of the 2 × 2 table with one degree of freedom.

    With p the rate of both together and n, m how many were counted:

        z = (p₁ - p₂) / √(p (1-p) (1/n + 1/m))        probability = erfc(|z| / √2)

    K. Pearson, Philosophical Magazine 50 (1900), 157–175; Fleiss, Levin and Paik, "Statistical Methods for Rates and
    Proportions", 3rd ed. (2003), section 3.1. Nothing to compare, or no spread at all: 1.0.
    """
    of, well = one.of + other.of, one.well + other.well
    if not one.of or not other.of or well in (0, of):
        return 1.0
    p = well / of
    spread = math.sqrt(p * ((of - well) / of) * (1 / one.of + 1 / other.of))
    return math.erfc(abs(one.well / one.of - other.well / other.of) / spread / math.sqrt(2))


def together(probabilities: Sequence[float]) -> list[float]:
    """Probabilities of several tests, raised so that among all of them a false alarm is as rare as in one.

    Sorted upwards, the k-th of m is taken times m - k + 1, is never below the one before it, and at most 1.
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    raised, least = [0.0] * len(probabilities), 0.0
    order = sorted(range(len(probabilities)), key=lambda at: probabilities[at])
    for rank, at in enumerate(order):
        least = max(least, min(1.0, probabilities[at] * (len(order) - rank)))
        raised[at] = least
    return raised


def told(probability: float) -> str:
    """A level that a probability is below, such as "p < 0.01"; "" if it is below none that counts."""
    return next((f"p < {level:g}" for level in LEVELS if probability < level), "")
