"""Events files read after the fact: where an event stands, and what came after it."""

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import MsgspecError

from monitor436.model.event import Event, read_line

CHUNK = 1 << 20  # bytes looked at together, from the end of a file backwards

Place = tuple[int, int]  # which of the files, and the byte after the line


class PastEvents:
    """The events file at `path` and those rotated away from it, oldest first. Raises OSError where the disk does."""

    def __init__(self, path: Path) -> None:
        self._files = [each for each in [*sorted(path.parent.glob(path.name + ".[0-9]*")), path] if each.exists()]

    def place(self, id: str) -> Place | None:
        """The place after the event with this id; None if no file that is kept has it."""
        needle = b'"id":"%s"' % id.encode()
        for number in range(len(self._files) - 1, -1, -1) if id else ():
            end = _after(self._files[number], needle, id)
            if end is not None:
                return number, end
        return None

    def after(self, place: Place | None) -> Iterator[tuple[Event, Place]]:
        """Every event after a place, or all of them, each with the place after it. A torn line is passed over."""
        first, offset = place or (0, 0)
        for number in range(first, len(self._files)):
            with open(self._files[number], "rb") as file:
                file.seek(offset)
                for line in file:
                    offset += len(line)
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    try:
                        yield read_line(line), (number, offset)
                    except (MsgspecError, ValueError):
                        continue
            offset = 0


def _after(path: Path, needle: bytes, id: str) -> int | None:
    """The byte after the line with the event of that id, looked for from the end."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - CHUNK)
            file.seek(start)
            part = file.read(min(end + 65536, start + CHUNK + 65536) - start)  # a line may begin here and end beyond
            at = part.rfind(needle)
            while at >= 0:
                begins = part.rfind(b"\n", 0, at) + 1
                ends = part.find(b"\n", at) + 1
                if ends and (begins or not start) and _is(part[begins:ends], id):
                    return start + ends
                at = part.rfind(needle, 0, at)
            end = start + 65536 if start else 0
    return None


def _is(line: bytes, id: str) -> bool:
    try:
        return read_line(line).id == id
    except (MsgspecError, ValueError):
        return False
