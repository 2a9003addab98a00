"""A piece of a log: whole lines, in which a text is found without a look at each of them."""

from monitor436.agent.tail.logfile import MAX_LINE


class Block:
    """Lines, each ended by a newline; a last one may lack it. What was found is kept: patterns and rules share it.

    A line is known by its start, the place of its first byte in the block. Lines are cut at MAX_LINE bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.size = len(data)  # bytes
        self._data = data if not data or data.endswith(b"\n") else data + b"\n"
        self._folded = None  # type: bytes | None
        self._with = {}  # type: dict[tuple[bytes, bool], list[int]]
        self._lines = {}  # type: dict[int, bytes]
        self._starts = None  # type: list[int] | None

    def lines_with(self, literal: bytes, folded: bool) -> "list[int]":
        """The starts, in ascending order, of the lines that contain a text, be it behind their MAX_LINE bytes.

        `folded`: the text is in lower case, and is looked for in the lines in lower case (ASCII letters only).
        """
        known = self._with.get((literal, folded))
        if known is None:
            known = self._with[literal, folded] = self._found(self._lower() if folded else self._data, literal)
        return known

    def starts(self) -> "list[int]":
        """The starts of all lines, in ascending order."""
        if self._starts is None:
            lines, start = {}, 0
            for line in self._data.split(b"\n"):
                lines[start] = line[:MAX_LINE]
                start += len(line) + 1
            lines.popitem()  # what is behind the last newline: nothing
            self._lines = lines
            self._starts = list(lines)
        return self._starts

    def line(self, start: int) -> bytes:
        """The line that starts there, without its newline."""
        line = self._lines.get(start)
        return self._cut(start, self._data.find(b"\n", start)) if line is None else line

    def lines(self, starts: "list[int]") -> "list[bytes]":
        """Several lines, all of which were found before."""
        return list(map(self._lines.__getitem__, starts))

    def _found(self, data: bytes, text: bytes) -> "list[int]":
        found = []
        at = data.find(text)
        while at >= 0:
            start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
            found.append(start)
            if start not in self._lines:
                self._lines[start] = self._cut(start, end)
            at = data.find(text, end)
        return found

    def _cut(self, start: int, end: int) -> bytes:
        return self._data[start : min(end, start + MAX_LINE)]

    def _lower(self) -> bytes:
        if self._folded is None:
            self._folded = self._data.lower()
        return self._folded
