"""The file of host names and the keys they belong to: one JSON line each, added and never changed."""

import os
from pathlib import Path

from msgspec import MsgspecError, json

from monitor436.agent.store.durable import sync_folder
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
        if not self._path.exists() or self._path.stat().st_size <= self._read_to:
            return []
        with open(self._path, "rb") as file:
            file.seek(self._read_to)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read_to += len(whole)
        bound = []
        for line in whole.splitlines():
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
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            torn = size and os.pread(file, 1, size - 1) != b"\n"
            line = (b"\n" if torn else b"") + json.encode(bound) + b"\n"
            while line:  # a disk that is nearly full takes a part
                line = line[os.write(file, line) :]
            os.fsync(file)
        finally:
            os.close(file)
        if not size:
            sync_folder(str(self._path.parent))  # so that the file itself is there after a power cut

    def _keep_promises(self) -> None:
        try:
            while self._promised:
                self.keep(self._promised[0])
                del self._promised[0]
        except OSError:  # the event log tells of a disk that fails
            pass
