"""The file of host names and the keys they belong to: one JSON line each, added and never changed."""

import os
from pathlib import Path

from msgspec import MsgspecError, json

from monitor436.model.enrolment import Bound


class Names:
    """`names.jsonl` of a server. Raises OSError where the disk does."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Bound]:
        """Every binding, the latest of a name last. Half a line, left by a power cut, was never answered for."""
        bound = []
        for line in self._path.read_bytes().splitlines() if self._path.exists() else []:
            try:
                bound.append(json.decode(line, type=Bound))
            except MsgspecError:
                continue
        return bound

    def keep(self, bound: Bound) -> None:
        """Make a binding durable."""
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            torn = size and os.pread(file, 1, size - 1) != b"\n"
            os.write(file, (b"\n" if torn else b"") + json.encode(bound) + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
