"""The file of host names and the keys they belong to: one JSON line each, added and never changed."""

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

    def promise(self, bound: Bound) -> None:
        """Make a binding durable, at once or, where the disk refuses, before one of the next calls of `read`."""
        self._promised.append(bound)
        self._keep_promises()

    def keep(self, bound: Bound) -> None:
        """Make a binding durable."""
        json_lines.keep(self._path, json.encode(bound))

    def _keep_promises(self) -> None:
        try:
            while self._promised:
                self.keep(self._promised[0])
                del self._promised[0]
        except OSError:  # the event log tells of a disk that fails
            pass
