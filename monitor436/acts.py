"""What operators decide by commands, for a server to make events of: a file of JSON lines, added and never changed."""

from pathlib import Path

from msgspec import MsgspecError, Struct, json

from monitor436 import json_lines
from monitor436.model.event import Event, Field

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

    def event(self) -> Event:
        """What it becomes."""
        fields = {**self.fields, "by": self.by, "act": self.id}
        return Event(kind=self.kind, host=self.host, check=self.check, text=self.text, fields=fields)


class Acts:
    """`acts.jsonl` of a server. Raises OSError where the disk does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_to = 0  # bytes

    def add(self, act: Act) -> None:
        """Make one durable: a server that runs sees it within a second."""
        json_lines.keep(self._path, json.encode(act))

    def read(self, acted: str = "") -> list[Act]:
        """Every act since the last call, or at first since the one with the id `acted`."""
        first = not self._read_to
        lines, self._read_to = json_lines.new_lines(self._path, self._read_to)
        acts = []
        for line in lines:
            try:
                acts.append(json.decode(line[:MOST_LINE], type=Act))
            except MsgspecError:
                continue
        ids = [act.id for act in acts]
        return acts[ids.index(acted) + 1 :] if first and acted in ids else acts
