"""The file of host names and the keys they belong to: one JSON line each, added and never changed."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import MsgspecError, json

from monitor436 import json_lines
from monitor436.model.keys.enrolment import Bound


class Names:
    """`names.jsonl` of a server. Raises OSError where the disk does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_to = 0  # bytes
        self._promised: list[Bound] = []

    def read(self) -> list[Bound]:
        """Every binding since the last call, the latest of a name last: this server's own, and those of commands.

        Half a line, left by a power cut, was never answered for. What was promised is kept first, if the disk works.
        """
        self._keep_promises()
        lines, self._read_to = json_lines.new_lines(self._path, self._read_to)
        bound = []
        for line in lines:
            try:
                bound.append(json.decode(line, type=Bound))
            except MsgspecError:
                continue
        return bound

    def promise(self, bound: Sequence[Bound]) -> None:
        """Make bindings durable, at once or, where the disk refuses, before one of the next calls of `read`."""
        self._promised += bound
        self._keep_promises()

    def keep(self, *bound: Bound) -> None:
        """Make bindings durable, with one sync."""
        json_lines.keep(self._path, b"\n".join(map(json.encode, bound)))

    def _keep_promises(self) -> None:
        if self._promised:
            with suppress(OSError):  # the event log tells of a disk that fails
                self.keep(*self._promised)
                self._promised.clear()
