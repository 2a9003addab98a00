"""Which lines of a log the patterns of a rule match. Most lines are never shown to a pattern."""

import re
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from operator import length_hint

from monitor436.agent.match.block import Block
from monitor436.agent.match.budget import Budget, Overrun
from monitor436.agent.match.literals import choices

BUDGET = 0.1  # seconds of processor time for a line: heartbeats wait while patterns are tried
LINES = 8  # budgets for all lines of a block together
MAX_OVERRUNS = 3  # interruptions after which a matcher is off
TELLING = 32 * 1024  # bytes of a block that says how common a text is
WASTE = 1 / 2048  # lines for each byte that are shown for nothing, above which another text is tried
CLOCK = time.CLOCK_THREAD_CPUTIME_ID  # that of the process is as coarse as the kernel's ticks while a timer runs

Found = namedtuple("Found", "start line match")  # a line: where it starts in its block, its bytes, what matched


class Matcher:
    """Finds the lines that one of the patterns `match` matches, and none of `exclude`.

    Patterns are searched in each line for itself, as bytes, in UTF-8. A line over which they take about `budget`
    seconds of processor time is passed over; so is one at which the lines of a block have taken eight times that
    together. `overran` has the lines that were passed over in the last search. The third one is the last: then the
    matcher is `off`, and finds nothing more. For the main thread only.

    `breathe()` is called, at the latest after a budget, so that others need not wait for a whole block. It may be
    called in the middle of anything here, and must call nothing here.

    So far `seconds` of processor time were used, and `lines` lines shown to a pattern; a line that was shown to several
    counts as often. Raises what re.compile raises.
    """

    def __init__(
        self,
        match: "tuple[str, ...]",
        exclude: "tuple[str, ...]" = (),
        budget: float = BUDGET,
        breathe: "Callable[[], None]" = lambda: None,
    ) -> None:
        self._breathe = breathe
        self.off = False
        self.overran = []  # type: list[bytes]
        self.seconds = 0.0
        self.lines = 0
        self._patterns = [_Pattern(pattern) for pattern in reversed(match)]
        self._exclude = [re.compile(pattern.encode("utf-8")).search for pattern in exclude]
        self._step = budget / 2  # an interruption comes after one to two of them
        self._overruns = 0

    def search(self, block: Block) -> "list[Found]":
        """One for each line that is found, in the order of the lines; `match` is of the first pattern that matches."""
        self.overran = []
        if self.off:
            return []
        begun = time.clock_gettime(CLOCK)
        shows = [(pattern, pattern.starts(block)) for pattern in self._patterns]
        found = self._look(block, [_Show(pattern, starts) for pattern, starts in shows if starts])
        self.seconds += time.clock_gettime(CLOCK) - begun
        return found

    def _look(self, block: Block, shows: "list[_Show]") -> "list[Found]":
        """Show the patterns their lines, the last of `shows` first."""
        done = {}  # type: dict[int, Found | None]

        def progress() -> "list[int]":
            self._breathe()
            return [length_hint(show.rest) for show in shows]

        while shows and not self.off:
            try:
                with Budget(self._step, progress, 2 * LINES):
                    while shows:
                        self._show(block, shows[-1], done)
                        shows.pop()
            except Overrun:
                if shows and shows[-1].is_at_a_line():
                    self._pass_over(block, shows[-1].at(), done)
        return [found for _, found in sorted(done.items()) if found]

    def _show(self, block: Block, show: "_Show", done: "dict[int, Found | None]") -> None:
        self.lines += show.begin(block, done)
        before = len(done)
        for match in filter(None, map(show.pattern.search, show.rest)):
            start, line = show.at(), match.string
            excluded = self._exclude and any(search(line) for search in self._exclude)
            done[start] = None if excluded else Found(start, line, match)
        show.pattern.learn(len(show.starts) - (len(done) - before), block.size)

    def _pass_over(self, block: Block, start: int, done: "dict[int, Found | None]") -> None:
        done[start] = None
        self.overran.append(block.line(start))
        self._overruns += 1
        self.off = self._overruns >= MAX_OVERRUNS


class _Pattern:
    """A pattern, and the texts by which its lines are looked for.

    Texts that many lines contain for nothing give way to others of the pattern, and in the end to the best of them.
    """

    def __init__(self, pattern: str) -> None:
        self.search = re.compile(pattern.encode("utf-8")).search
        self._texts, *self._others = choices(pattern) or [()]
        self._tried = []  # type: list[tuple[float, tuple[tuple[bytes, bool], ...]]]
        self._settled = not self._others

    def starts(self, block: Block) -> "list[int]":
        """The starts of the lines that are worth showing."""
        if not self._texts:
            return block.starts()
        if len(self._texts) == 1:
            return block.lines_with(*self._texts[0])
        return list({start for text in self._texts for start in block.lines_with(*text)})

    def learn(self, wasted: int, size: int) -> None:
        """So many lines of a block of so many bytes were shown for nothing."""
        if self._settled or size < TELLING or wasted < WASTE * size:
            return
        self._tried.append((wasted / size, self._texts))
        self._settled = not self._others
        self._texts = self._others.pop(0) if self._others else min(self._tried)[1]


class _Show:
    """Lines on their way to one pattern, by their starts. After an interruption they go on with the next line."""

    def __init__(self, pattern: _Pattern, starts: "list[int]") -> None:
        self.pattern = pattern
        self.starts = starts
        self.rest: "Iterator[bytes]" = iter(())
        self._begun = False

    def begin(self, block: Block, done: "dict[int, Found | None]") -> int:
        """Take the lines that are not done, if that was not done yet; how many they are."""
        if self._begun:
            return 0
        if done:
            self.starts = [start for start in self.starts if start not in done]
        self.rest = iter(block.lines(self.starts))
        self._begun = True
        return len(self.starts)

    def at(self) -> int:
        """The start of the line that is shown now."""
        return self.starts[-1 - length_hint(self.rest)]

    def is_at_a_line(self) -> bool:
        """Whether a line is shown now."""
        return self._begun and length_hint(self.rest) < len(self.starts)
