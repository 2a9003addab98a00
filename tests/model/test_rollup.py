"""Summaries against what a recomputation over all samples gives."""

import math
import tracemalloc
import unittest
from collections import defaultdict
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor436.model.metrics.line import HOUR, HOURS, MINUTE, MINUTES, Part, Window, merged
from monitor436.model.metrics.rollup import AHEAD, Refused, Rollup, Sample
from monitor436.model.server import budget

NOON = 1_700_006_400.0  # a full hour
ROLLUP = (1000, 100)

values = st.floats(-1e12, 1e12) | st.integers(-(10**6), 10**6).map(float)
steps = st.floats(0, 4000) | st.sampled_from([0.0, 1.0, 59.9, 60.0, 3600.0, 86400.0, 200_000.0])
offsets = st.floats(-90_000, AHEAD + 5) | st.sampled_from([0.0, -60.0, -3599.0, -3600.0, -86_400.0, AHEAD])
streams = st.lists(st.tuples(steps, offsets, values), max_size=60)


def recomputed(
    samples: Sequence[Sample], taken_at: Sequence[float], width: int, shown: int, now: float
) -> list[Window]:
    """The windows of a width that are shown at `now`, over all samples ever."""
    found = defaultdict(list)
    for sample, wall in zip(samples, taken_at, strict=True):
        number = sample.at // width
        if sample.at <= wall + AHEAD and number > wall // width - shown:
            found[int(number * width)].append(sample)
    kept = []
    for start, inside in sorted(found.items()):
        if now // width - shown < start // width <= now // width + 1:
            last = max(reversed(inside), key=lambda sample: int((sample.at - start) * 1000))
            numbers = [sample.value for sample in inside]
            kept.append(Window(start, len(inside), math.fsum(numbers), min(numbers), max(numbers), last.value, last.at))
    return kept


class RecomputedTests(unittest.TestCase):
    """Any samples in any order, while time passes."""

    def same(self, found: list[Window], expected: list[Window], samples: list[Sample]) -> None:
        """Equal but for the last bits of sums."""
        self.assertEqual([window.start for window in found], [window.start for window in expected])
        room = 1e-15 * sum(abs(sample.value) for sample in samples)
        for one, other in zip(found, expected, strict=True):
            self.assertEqual(one[1:2] + one[3:6], other[1:2] + other[3:6])
            self.assertAlmostEqual(one.sum, other.sum, delta=room)
            self.assertAlmostEqual(one.last_at, other.last_at, delta=0.0011)

    @given(streams)
    @settings(max_examples=200, deadline=None)
    def test_windows_are_those_of_a_recomputation(self, stream: list[tuple[float, float, float]]) -> None:
        """Late ones, early ones and those that are refused among them."""
        rollup, wall = Rollup(*ROLLUP), NOON
        samples: list[Sample] = []
        walls: list[float] = []
        for step, offset, value in stream:
            wall += step
            sample = Sample("web1", "load", value, wall + offset)
            samples.append(sample)
            walls.append(wall)
            try:
                rollup.take(sample, wall)
            except Refused as refused:
                self.assertEqual(refused.which, "future" if offset > 0 else "late")
        read = rollup.read("web1", "", wall)
        minutes, hours = (read[0].minutes, read[0].hours) if read else ([], [])
        self.same(minutes, recomputed(samples, walls, MINUTE, MINUTES, wall), samples)
        self.same(hours, recomputed(samples, walls, HOUR, HOURS, wall), samples)

    @given(streams, st.integers(0, 2))
    @settings(max_examples=100, deadline=None)
    def test_what_changed_makes_the_same_summaries_elsewhere(
        self, stream: list[tuple[float, float, float]], every: int
    ) -> None:
        """Parts that are put over each other at any moments, as a store keeps them, are the whole."""
        rollup, wall = Rollup(*ROLLUP), NOON
        kept: dict[tuple[str, int, int], Part] = {}
        for number, (step, offset, value) in enumerate(stream):
            wall += step
            try:
                rollup.take(Sample("web1", "load", value, wall + offset), wall)
            except Refused:
                continue
            if every and number % every == 0:
                kept.update({(part.label, part.width, part.window.start): part for part in rollup.changed(10)})
        kept.update({(part.label, part.width, part.window.start): part for part in rollup.changed(10)})
        self.assertEqual(rollup.changed(10), [])
        other = Rollup(*ROLLUP)
        for part in sorted(kept.values(), key=lambda part: part.window.start):
            self.assertTrue(other.put(part))
        shown = [series._replace(every=0.0) for series in rollup.read("web1", "", wall)]
        self.assertEqual(other.read("web1", "", wall), shown)

    @given(st.lists(values, min_size=2, max_size=40), st.integers(1, 39))
    @settings(max_examples=100, deadline=None)
    def test_two_receivers_are_as_exact_as_one(self, numbers: list[float], cut: int) -> None:
        """Whichever of them had which samples; the last value is that of the latest time."""
        parts = []
        for inside in (numbers[:cut], numbers[cut:]):
            rollup = Rollup(*ROLLUP)
            for value in inside:
                rollup.take(Sample("web1", "load", value, NOON), NOON)
            parts += [part.window for part in rollup.changed(10) if part.width == HOUR]
        whole = merged(parts)
        self.assertEqual(whole.count, len(numbers))
        self.assertAlmostEqual(whole.sum, math.fsum(numbers), delta=1e-15 * sum(map(abs, numbers)))
        self.assertEqual((whole.min, whole.max), (min(numbers), max(numbers)))


class RollupTests(unittest.TestCase):
    """Bounds, names, and what is forgotten."""

    def setUp(self) -> None:
        self.rollup = Rollup(2, 3)

    def refused(self, sample: Sample) -> str:
        """Which way a sample is refused."""
        with self.assertRaises(Refused) as caught:
            self.rollup.take(sample, NOON)
        return caught.exception.which

    def test_a_sum_of_a_day_keeps_what_floats_would_lose(self) -> None:
        """A tenth a second, on top of a large number."""
        self.rollup.take(Sample("web1", "bytes", 1e16, NOON), NOON)
        for second in range(3599):
            self.rollup.take(Sample("web1", "bytes", 0.1, NOON + second), NOON + second)
        self.assertEqual(self.rollup.read("web1", "", NOON)[0].hours[0].sum, math.fsum([1e16, *[0.1] * 3599]))

    def test_what_cannot_be_added_up_is_refused(self) -> None:
        """Infinities, what is no number, and numbers whose sum would be infinite; times too."""
        for value in (math.nan, math.inf, -math.inf, 1e300, 10**400):
            self.assertEqual(self.refused(Sample("web1", "load", value, NOON)), "value")
        self.assertEqual(self.refused(Sample("web1", "load", 1.0, math.nan)), "future")
        self.assertEqual(self.refused(Sample("web1", "load", 1.0, math.inf)), "future")
        self.assertEqual(self.refused(Sample("web1", "load", 1.0, -math.inf)), "late")
        with self.assertRaises(Refused):
            self.rollup.take(Sample("web1", "load", 1.0, -5.0), 5.0)
        self.assertEqual(self.rollup.hosts(), [])

    def test_there_are_only_so_many_series_in_all(self) -> None:
        """One that expires makes room for another."""
        self.rollup.most_series = 2
        for label in ("load", "users"):
            self.rollup.take(Sample("web1", label, 1.0, NOON), NOON)
        self.assertEqual(self.refused(Sample("web1", "swap", 1.0, NOON)), "series")
        self.assertEqual(self.refused(Sample("web2", "load", 1.0, NOON)), "series")
        self.rollup.take(Sample("web1", "load", 1.0, NOON), NOON, 2)
        self.assertEqual((self.rollup.expire(1), len(self.rollup)), (1, 1))
        self.rollup.take(Sample("web2", "load", 1.0, NOON), NOON, 2)

    def test_milliseconds_are_not_seconds(self) -> None:
        """As JavaScript gives them."""
        self.assertEqual(self.refused(Sample("web1", "load", 1.0, NOON * 1000)), "future")

    def test_names_that_would_harm_a_terminal_or_a_key_are_refused(self) -> None:
        """Empty, long, or not printable."""
        for host, label in (("", "a"), ("h", ""), ("h" * 254, "a"), ("h", "a" * 201), ("h\n", "a"), ("h", "\x1b[2J")):
            self.assertEqual(self.refused(Sample(host, label, 1.0, NOON)), "name")

    def test_hosts_and_labels_are_bounded(self) -> None:
        """What is there already goes on."""
        for host in ("web1", "web2"):
            for label in "abc":
                self.rollup.take(Sample(host, label, 1.0, NOON), NOON)
        self.assertEqual(self.refused(Sample("web3", "a", 1.0, NOON)), "hosts")
        self.assertEqual(self.refused(Sample("web1", "d", 1.0, NOON)), "labels")
        self.rollup.take(Sample("web1", "a", 2.0, NOON), NOON)
        self.assertEqual(len(self.rollup), 6)

    def test_labels_are_found_by_a_part_of_them_in_any_case(self) -> None:
        """An empty one finds all, in order; a host is named exactly."""
        for label in ("CPU user", "cpu idle", "memory"):
            self.rollup.take(Sample("web1", label, 1.0, NOON), NOON)
        self.assertEqual([each.label for each in self.rollup.read("web1", "Cpu", NOON)], ["CPU user", "cpu idle"])
        self.assertEqual(len(self.rollup.read("web1", "", NOON)), 3)
        self.assertEqual(self.rollup.read("web", "", NOON), [])

    def test_how_often_a_series_comes_is_learnt(self) -> None:
        """Also when the first two came together by chance."""
        times = [0.0, 0.1, *range(10, 600, 10)]
        for at in times:
            self.rollup.take(Sample("web1", "load", 1.0, NOON + at), NOON + at)
        self.assertAlmostEqual(self.rollup.read("web1", "", NOON + 600)[0].every, 10.0, delta=0.5)

    def test_silent_series_are_forgotten_and_others_are_not_looked_at(self) -> None:
        """One that was heard since stays, also if it was forgotten once; the room is free again."""
        for label in "ab":
            self.rollup.take(Sample("web1", label, 1.0, NOON), NOON, 0)
        self.rollup.take(Sample("web2", "a", 1.0, NOON), NOON, 0)
        self.rollup.take(Sample("web1", "a", 1.0, NOON), NOON, 5)
        self.assertEqual(self.rollup.expire(5), 2)
        self.assertEqual(self.rollup.hosts(), ["web1"])
        self.assertEqual(self.rollup.expire(5), 0)
        self.rollup.take(Sample("web2", "a", 1.0, NOON), NOON, 6)
        self.assertEqual(self.rollup.expire(6), 1)
        self.assertEqual([each[:2] for each in self.rollup.latest()], [("web2", "a")])

    def test_a_clock_that_was_ahead_does_no_lasting_harm(self) -> None:
        """A server's clock goes a day ahead and comes back: the windows of now are those of now."""
        self.rollup.take(Sample("web1", "load", 9.0, NOON + 86_400), NOON + 86_400)
        for second in range(120):
            self.rollup.take(Sample("web1", "load", 1.0, NOON + second), NOON + second)
        series = self.rollup.read("web1", "", NOON + 119)[0]
        self.assertEqual([(window.count, window.max) for window in series.minutes], [(60, 1.0), (60, 1.0)])
        self.assertEqual([(window.count, window.max) for window in series.hours], [(120, 1.0)])

    def test_what_could_not_be_kept_is_given_again_as_it_is_by_then(self) -> None:
        """And nothing else."""
        self.rollup.take(Sample("web1", "a", 1.0, NOON), NOON)
        self.rollup.take(Sample("web1", "b", 1.0, NOON), NOON)
        parts = self.rollup.changed(100)
        self.rollup.again(part for part in parts if part.label == "a")
        self.rollup.take(Sample("web1", "a", 2.0, NOON), NOON)
        self.assertEqual([(part.label, part.window.count) for part in self.rollup.changed(100)], [("a", 2), ("a", 2)])
        self.rollup.all_again()
        self.assertEqual(len(self.rollup.changed(100)), 4)

    def test_a_series_weighs_what_the_budget_says(self) -> None:
        """However many samples come, over days."""
        rollup = Rollup(100, 10)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for hour in range(30):
            for number in range(1000):
                at = NOON + hour * 3600
                rollup.take(Sample(f"host-{number // 10:07}", f"cpu used {number % 10}", 1.5, at), at, hour)
            rollup.expire(hour - 25)
        each = tracemalloc.get_traced_memory()[0] / 1000
        self.assertLess(abs(budget.SERIES - each), each / 5, f"told {budget.SERIES}, measured {each}")
