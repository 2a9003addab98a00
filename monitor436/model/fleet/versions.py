"""Version against version: is the newer one worse? Pure."""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from monitor436.model.fleet.interval import Counted, difference, enough, together, told
from monitor436.model.fleet.statuses import Sum

WORSE, BETTER, ALIKE, TOO_FEW = "worse", "better", "no difference seen", "not enough data"


class Versus(Struct, frozen=True):
    """A group's success rate beside that of another: `points` is how many percentage points it is above it.

    `probability` is that of `interval.difference`, raised for the number of comparisons of the report; none where
    there is not enough data.
    """

    than: str
    verdict: str
    points: float
    probability: float | None

    def __str__(self) -> str:
        if self.verdict == TOO_FEW:
            return f"{self.verdict} to compare with {self.than}"
        if self.verdict == ALIKE:
            return f"{self.verdict} from {self.than}"
        level = told(self.probability or 0.0)
        return f"{self.verdict} than {self.than} by {abs(self.points):.3g} points, {level}"


def versions(groups: Sequence[Sum]) -> list[Versus | None]:
    """Each group against the one before it that differs from it in the last field alone; none for the first of them."""
    pairs: list[tuple[int, Sum, Sum]] = []
    for at, (before, group) in enumerate(pairwise(groups), 1):
        if before.group[:-1] == group.group[:-1] and before.counted and group.counted:
            pairs.append((at, before, group))
    found: list[Versus | None] = [None] * len(groups)
    judged = against([(before.group[-1], before.counted, group.counted) for _, before, group in pairs])
    for (at, _, _), versus in zip(pairs, judged, strict=True):
        found[at] = versus
    return found


def against(pairs: Sequence[tuple[str, Counted | None, Counted | None]]) -> list[Versus | None]:
    """Verdicts on pairs (name of the other, the other, the one), raised for their number; none without a rate."""
    judged = [at for at, (_, other, one) in enumerate(pairs) if other and one and enough(one, other)]
    raised = together([difference(pairs[at][2], pairs[at][1]) for at in judged])  # type: ignore[arg-type]
    probabilities = dict(zip(judged, raised, strict=True))
    return [
        _versus(than, other, one, probabilities.get(at)) if other and one else None
        for at, (than, other, one) in enumerate(pairs)
    ]


def _versus(than: str, other: Counted, one: Counted, probability: float | None) -> Versus:
    points = 100 * (one.well / one.of - other.well / other.of) if one.of and other.of else 0.0
    if probability is None:
        return Versus(than, TOO_FEW, points, None)
    if not told(probability):
        return Versus(than, ALIKE, points, probability)
    return Versus(than, WORSE if points < 0 else BETTER, points, probability)
