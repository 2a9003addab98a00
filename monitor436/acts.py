"""What operators decide by commands, for a server to make events of: a file of JSON lines, added and never changed."""

import os
from pathlib import Path

from msgspec import MsgspecError, Struct, json

from monitor436.agent.store.durable import sync_folder, write_all
from monitor436.model.event import Field

ACTS = "acts.jsonl"
MOST_LINE = 16384  # bytes


class Act(Struct, frozen=True, omit_defaults=True):
    """One of them. `kind` is that of the event it becomes, `id` no other act's, `at` epoch seconds."""

    id: str
    kind: str
    at: float
    by: str
    host: str = ""
    check: str = ""
    text: str = ""
    fields: dict[str, Field] = {}


class Acts:
    """`acts.jsonl` of a server. Raises OSError where the disk does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_to = 0  # bytes

    def add(self, act: Act) -> None:
        """Make one durable: a server that runs sees it within a second."""
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            torn = size and os.pread(file, 1, size - 1) != b"\n"
            write_all(file, (b"\n" if torn else b"") + json.encode(act) + b"\n")
            os.fsync(file)
        finally:
            os.close(file)
        if not size:
            sync_folder(str(self._path.parent))

    def read(self, acted: str = "") -> list[Act]:
        """Every act since the last call, or at first since the one with the id `acted`."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return []
        if size <= self._read_to:
            return []
        with open(self._path, "rb") as file:
            file.seek(self._read_to)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        first = not self._read_to
        self._read_to += len(whole)
        acts = []
        for line in whole.splitlines():
            try:
                acts.append(json.decode(line[:MOST_LINE], type=Act))
            except MsgspecError:
                continue
        ids = [act.id for act in acts]
        return acts[ids.index(acted) + 1 :] if first and acted in ids else acts
