"""One file of the spool: a first line that tells what was kept so far, then records, each whole or absent.

A record is one line of JSON: {"n": number of its first event, "e": [events], "p": {key: what is kept under it}}. Kept
are positions of logs, counts of rules, verdicts of checks; null means that a key is forgotten. The first line is
{"spool": id, "p": everything kept so far}. A torn last line was never acknowledged to anybody, and is not read.
Of the segments before the last one, which kept everything anew, only the events and the clock are still looked at.
"""

import json
from collections.abc import Iterator

from monitor436.agent import event as stated

CLOCK = "clock"  # under which is kept how long agents have run with this spool, in seconds: its clock
CHUNK = 65536  # bytes
MAX_RECORD = 1024  # bytes of one event as JSON: it must fit a datagram with its envelope
RANKS = (stated.METRIC, "info", "warning", "critical")  # from what matters least: a metric is a sample, more will come
NOTHING = len(RANKS)  # the rank of what is not there


class Segment:
    """A segment file, and up to which number of its spool id it goes. `clock` is the spool's, when it was begun."""

    def __init__(self, path: str, spool: str, size: int = 0, last: int = 0, clock: float = 0.0) -> None:
        self.path = path
        self.spool = spool
        self.size = size
        self.last = last  # the number of its last event; of the last event before it, while it holds none
        self.begun = clock
        self.written = clock  # when its last event came
        self.least = NOTHING  # the rank of its least important event

    def holds(self, events: "list[dict[str, object]]", last: int, clock: float) -> None:
        """These came to it."""
        for event in events:
            self.least = min(self.least, rank(event))
        if events:
            self.last, self.written = last, clock


class Reader:
    """Reads the records of one segment, in order, as far as they are whole."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._file = open(segment.path, "rb")
        self.header = self.next()
        if self.header is not None:
            segment.spool = str(self.header.get("spool", segment.spool))

    def next(self) -> "dict[str, object] | None":
        """The next record; None at the end, also before a line that is torn."""
        start = self._file.tell()
        line = self._file.readline()
        try:
            record = json.loads(line.decode("utf-8")) if line.endswith(b"\n") else None
        except ValueError:
            record = None
        if not isinstance(record, dict):
            self._file.seek(start)
            return None
        return record

    def rest(self) -> "Iterator[dict[str, object]]":
        """All records from here on."""
        return iter(self.next, None)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def numbered(record: "dict[str, object]") -> "list[tuple[int, int, dict[str, object]]]":
    """(first number it stands for, its own number, event) of each event of a record."""
    number = int(str(record["n"]))
    events = []
    for event in record["e"]:  # type: ignore[attr-defined]
        last = number + int(event.get("lost", 0))
        events.append((number, last, event))
        number = last + 1
    return events


def rank(event: "dict[str, object]") -> int:
    """How much an event matters: its place in RANKS; NOTHING if it only tells of what is lost already."""
    if event["kind"] == stated.LOST:
        return NOTHING
    return 0 if event["kind"] == stated.METRIC else RANKS.index(str(event["severity"]))


def header(spool: str, kept: "dict[str, object]") -> bytes:
    """The first line of a segment."""
    return b'{"spool":%s,"p":%s}\n' % (dumped(spool), dumped(kept))


def record(first: int, events: "list[dict[str, object]]", kept: "dict[str, object]") -> bytes:
    """A record as a line."""
    return b'{"n":%d,"e":[%s],"p":%s}\n' % (first, b",".join(encode(each) for each in events), dumped(kept))


def encode(event: "dict[str, object]") -> bytes:
    """An event as JSON of at most MAX_RECORD bytes: text that escapes make longer is cut again, then fields go."""
    raw = dumped(event)
    room = stated.MAX_TEXT
    while len(raw) > MAX_RECORD and room > 16:
        room //= 2
        event = dict(event, text=stated.cut(str(event["text"]), room))
        raw = dumped(event)
    if len(raw) > MAX_RECORD:
        raw = dumped({key: value for key, value in event.items() if key not in ("fields", "tags")})
    return raw


def dumped(value: object) -> bytes:
    """A value as JSON in UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
