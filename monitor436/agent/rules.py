"""A line of a log becomes an event. Pure."""

import re

from monitor436.agent import event as stated


class LineRule:
    """Every line that one of the patterns matches is an event; the text is the line."""

    def __init__(self, check: "object") -> None:
        self._check = check
        self._search = [re.compile(pattern.encode("utf-8")).search for pattern in check.match]  # type: ignore[attr-defined]

    def events(self, lines: "list[bytes]", at: float) -> "list[dict[str, object]]":
        """The events of these lines, in their order."""
        check = self._check
        return [
            stated.event(
                stated.LOG_LINE, check.severity, line.decode("utf-8", "backslashreplace"), at, check.name, tags=check.tags  # type: ignore[attr-defined]
            )
            for line in lines
            if any(search(line) for search in self._search)
        ]  # fmt: skip
