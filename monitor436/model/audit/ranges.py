"""Sets of numbers as the ranges they consist of: what a spool has is mostly one."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]  # first and last, both in it


class Ranges:
    """Disjoint ranges of numbers that do not touch, in ascending order."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __iter__(self) -> Iterator[Range]:
        return zip(self._firsts, self._lasts, strict=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and (self._firsts, self._lasts) == (other._firsts, other._lasts)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]

    @property
    def total(self) -> int:
        """How many numbers."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    @property
    def last(self) -> int:
        """The highest number; 0 if there is none."""
        return self._lasts[-1] if self._lasts else 0

    @property
    def first(self) -> int:
        """The lowest number; 0 if there is none."""
        return self._firsts[0] if self._firsts else 0

    def add(self, first: int, last: int) -> None:
        """Put a range in; an empty one (`last` < `first`) is nothing. Behind the end it costs O(1)."""
        if last < first:
            return
        if self._lasts and first == self._lasts[-1] + 1:
            self._lasts[-1] = last
            return
        start = bisect_left(self._lasts, first - 1)  # of those it touches
        end = bisect_right(self._firsts, last + 1)
        if start < end:
            first, last = min(first, self._firsts[start]), max(last, self._lasts[end - 1])
        self._firsts[start:end] = [first]
        self._lasts[start:end] = [last]

    def update(self, other: "Ranges") -> None:
        """Put all of another one in."""
        for first, last in other:
            self.add(first, last)

    def within(self, first: int, last: int) -> "Ranges":
        """What of a range is in here."""
        found = Ranges()
        for at in range(bisect_left(self._lasts, first), bisect_right(self._firsts, last)):
            found.add(max(first, self._firsts[at]), min(last, self._lasts[at]))
        return found

    def outside(self, first: int, last: int) -> "Ranges":
        """What of a range is not in here."""
        found = Ranges()
        for begin, end in self.within(first, last):
            found.add(first, begin - 1)
            first = end + 1
        found.add(first, last)
        return found

    def both(self, other: "Ranges") -> "Ranges":
        """What is in here and in the other one."""
        return Ranges(each for first, last in self for each in other.within(first, last))

    def without(self, other: "Ranges") -> "Ranges":
        """What is in here and not in the other one."""
        return Ranges(each for first, last in self for each in other.outside(first, last))
