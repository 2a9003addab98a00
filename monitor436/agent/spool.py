"""Events on this host's disk until a server has them, with the log positions they came from in the same record.

One line of JSON is one record: {"n": number of its first event, "e": [events], "p": {log path: position}}. A record is
whole or absent, so an event and the position behind it can never part. A segment file holds the records of one spool
id; its first line is {"spool": id, "p": every position so far}. A torn last line was never acknowledged to anybody.
"""

import json
import os

from monitor436.agent import event as stated
from monitor436.agent import wire

LIMIT = (
    16 * 1024 * 1024
)  # bytes of unacknowledged records after which logs are not read on and new events are counted as lost
SEGMENT = 1024 * 1024  # bytes after which a new segment is begun, so that acknowledged ones can go
MAX_RECORD = 1024  # bytes of one event as JSON: it must fit a datagram with its envelope


class Segment:
    """One file of the spool: the events `first`…`last` of one spool id."""

    def __init__(self, path: str, spool: str, size: int = 0, last: int = 0) -> None:
        self.path = path
        self.spool = spool
        self.size = size
        self.last = last  # the number of its last event; of the last event before it, while it holds none


class Spool:
    """The events of this host that no server has acknowledged yet. Raises OSError where the disk does.

    A new id is made at each start, so cloned machines and restored backups never use a number twice; what earlier
    runs left unsent drains first, under its own id.
    """

    def __init__(self, folder: str, new_id: str, limit: int = LIMIT) -> None:
        self.id = new_id
        self.positions = {}  # type: dict[str, object]
        self._folder = folder
        self._limit = limit
        self._segments = []  # type: list[Segment]
        self._acknowledged = _read_hint(os.path.join(folder, "acknowledged"))
        self._lost = 0  # events refused since the last one that was kept
        self._last = 0
        self._file = -1
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for name in sorted(os.listdir(folder)):
            if name.endswith(".jsonl"):
                self._recover(os.path.join(folder, name))
        self._begin_segment()
        self._reader = _Reader(self._segments[0])
        self._sweep()

    @property
    def size(self) -> int:
        """Bytes on disk, acknowledged ones in a segment still in use included."""
        return sum(segment.size for segment in self._segments)

    @property
    def full(self) -> bool:
        """Whether logs should wait where they are: the log is the better buffer."""
        return self.size >= self._limit

    def live(self) -> "list[str]":
        """The ids of which something is unacknowledged, the present one always, at most MAX_LIVE, oldest first."""
        ids = []  # type: list[str]
        for segment in self._segments:
            if segment.spool not in ids:
                ids.append(segment.spool)
        return ids[: wire.MAX_LIVE - 1] + [self.id] if len(ids) > wire.MAX_LIVE else ids

    def acknowledged(self, spool: str) -> int:
        """Up to which number a server has said that it has `spool` durably."""
        return self._acknowledged.get(spool, 0)

    def append(self, events: "list[dict[str, object]]", positions: "dict[str, object]") -> None:
        """Make events and positions durable, as one record. While the spool is full, events are counted as lost."""
        if self.size >= self._limit and events:
            self._lost += len(events)
            events = []
            if not positions:
                return
        elif self._lost and events:
            events = [_lost_event(self._lost, events[0])] + events
        self._write(events, positions)

    def lose(self, count: int) -> None:
        """`count` events could not be kept: the next one that is kept says so."""
        self._lost += count

    def take(self, most: int) -> "list[tuple[str, int, int, bytes]]":
        """The next events not taken yet, at most about `most`: (spool, first number it covers, its number, JSON)."""
        taken = []  # type: list[tuple[str, int, int, bytes]]
        while len(taken) < most:
            record = self._reader.next()
            if record is None:
                at = self._segments.index(self._reader.segment)
                if at + 1 == len(self._segments):
                    break
                self._reader.close()
                self._reader = _Reader(self._segments[at + 1])
                continue
            spool = self._reader.segment.spool
            for first, last, text in _numbered(record):
                if last > self.acknowledged(spool):
                    taken.append((spool, first, last, text))
        return taken

    def acknowledge(self, spool: str, number: int) -> None:
        """A server has everything of `spool` up to `number` durably: what is done with goes."""
        if number > self.acknowledged(spool):
            self._acknowledged[spool] = number
            self._sweep()

    def close(self) -> None:
        """Keep the hint of what was acknowledged, and let go of the files."""
        self._keep_hint()
        self._reader.close()
        os.close(self._file)

    def _write(self, events: "list[dict[str, object]]", positions: "dict[str, object]") -> None:
        if self._segments[-1].size >= SEGMENT:
            self._begin_segment()
        segment = self._segments[-1]
        lost = self._lost if events else 0
        encoded = b",".join(encode(each) for each in events)
        line = b'{"n":%d,"e":[%s],"p":%s}\n' % (self._last + 1, encoded, _json(positions))
        try:
            _write_all(self._file, line)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, segment.size)  # half a record must not stand before the next one
            raise
        segment.size += len(line)
        self._last += len(events) + lost
        segment.last = self._last
        self._lost -= lost
        self.positions.update(positions)

    def _begin_segment(self) -> None:
        order = int(os.path.basename(self._segments[-1].path).split("-")[0]) + 1 if self._segments else 1
        path = os.path.join(self._folder, "{:08d}-{}.jsonl".format(order, self.id))
        header = b'{"spool":%s,"p":%s}\n' % (_json(self.id), _json(self.positions))
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_all(file, header)
            os.fsync(file)
            _sync_folder(self._folder)
        except OSError:
            os.close(file)
            os.unlink(path)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file = file
        self._segments.append(Segment(path, self.id, len(header), self._last))

    def _recover(self, path: str) -> None:
        """Read a segment that an earlier run left: its positions, and where its numbers end."""
        reader = _Reader(Segment(path, ""))
        header = reader.header
        if header is None:
            os.unlink(path)  # a crash while it was begun: the ones before it are still there
            return
        segment = reader.segment
        self.positions.update(header.get("p", {}))  # type: ignore[call-overload]
        while True:
            record = reader.next()
            if record is None:
                break
            self.positions.update(record["p"])  # type: ignore[call-overload]
            for _, last, _ in _numbered(record):
                segment.last = last
        segment.size = os.path.getsize(path)
        reader.close()
        self._segments.append(segment)

    def _sweep(self) -> None:
        """Remove the segments of which everything is acknowledged; the one being written stays."""
        done = [each for each in self._segments[:-1] if each.last <= self.acknowledged(each.spool)]
        if not done:
            return
        self._keep_hint()
        for segment in done:
            self._segments.remove(segment)
            os.unlink(segment.path)
        if self._reader.segment in done:
            self._reader.close()
            self._reader = _Reader(self._segments[0])
        kept = {segment.spool for segment in self._segments}
        self._acknowledged = {spool: last for spool, last in self._acknowledged.items() if spool in kept}

    def _keep_hint(self) -> None:
        """What was acknowledged, for the next run: only a hint, a server that has more refuses what comes twice."""
        path = os.path.join(self._folder, "acknowledged")
        with open(path + ".new", "wb") as file:
            file.write(_json(self._acknowledged))
        os.replace(path + ".new", path)


class _Reader:
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

    def close(self) -> None:
        self._file.close()


def encode(event: "dict[str, object]") -> bytes:
    """An event as JSON of at most MAX_RECORD bytes: text that escapes make longer is cut again, then fields go."""
    raw = _json(event)
    room = stated.MAX_TEXT
    while len(raw) > MAX_RECORD and room > 16:
        room //= 2
        event = dict(event, text=stated.cut(str(event["text"]), room))
        raw = _json(event)
    if len(raw) > MAX_RECORD:
        raw = _json({key: value for key, value in event.items() if key not in ("fields", "tags")})
    return raw


def _lost_event(count: int, before: "dict[str, object]") -> "dict[str, object]":
    text = "{} events were lost: the spool was full".format(count)
    lost = stated.event(stated.LOST, "critical", text, float(str(before["at"])), fields={"count": count})
    lost["lost"] = count  # how many numbers before its own this event stands for
    return lost


def _numbered(record: "dict[str, object]") -> "list[tuple[int, int, bytes]]":
    """(first number covered, number, JSON) of each event of a record."""
    number = int(str(record["n"]))
    numbered = []
    for event in record["e"]:  # type: ignore[attr-defined]
        last = number + int(event.get("lost", 0))
        numbered.append((number, last, _json(event)))
        number = last + 1
    return numbered


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: str) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _read_hint(path: str) -> "dict[str, int]":
    try:
        with open(path, "rb") as file:
            hint = json.loads(file.read().decode("utf-8"))
        return {str(spool): int(last) for spool, last in hint.items()}
    except (OSError, ValueError, AttributeError):
        return {}
