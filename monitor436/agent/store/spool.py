"""Events on this host's disk until a server has them, with what they came from in the same record.

So an event and the position behind it can never part. The spool is a folder of segments, see `segment`; one holds the
records of one spool id. When there is no more room, what is least important goes first, see `shedding`.
"""

import json
import os

from monitor436.agent import wire
from monitor436.agent.store.durable import sync_folder, write_again, write_all
from monitor436.agent.store.segment import (
    CLOCK,
    NOTHING,
    Reader,
    Segment,
    dumped,
    header,
    numbered,
    record,
)
from monitor436.agent.store.shedding import lost_event, rest, shed

LIMIT = 16 * 1024 * 1024  # bytes of records that are not acknowledged
LOGS_WAIT = 0.75  # of LIMIT: from there on logs are not read, they are the better buffer
ROOM = 0.9  # of LIMIT: down to there it is made smaller when it is reached
SEGMENT = 1024 * 1024  # bytes after which a new segment is begun, so that acknowledged ones can go
DAY = 86400.0  # seconds of the spool's clock after which a new segment is begun too, so that events have an age
MAX_AGE = 7 * DAY  # from which on nobody wants an event any more


class Spool:
    """The events of this host that no server has acknowledged yet. Raises OSError where the disk does.

    A new id is made at each start, so cloned machines and restored backups never use a number twice; what earlier
    runs left unsent drains first, under its own id.
    """

    def __init__(self, folder: str, new_id: str, limit: int = LIMIT) -> None:
        self.id = new_id
        self.kept = {}  # type: dict[str, object]
        self._folder = folder
        self._limit = limit
        self._segments = []  # type: list[Segment]
        self._leaving = []  # type: list[str]  # ids whose segments a power cut may bring back: their removal is not safe yet
        self._acknowledged = _read_hint(os.path.join(folder, "acknowledged"))
        self._lost = 0  # events refused since the last one that was kept
        self._last = 0
        self._file = -1
        self._clock = 0.0
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for name in sorted(os.listdir(folder)):
            if name.endswith(".jsonl"):
                self._recover(os.path.join(folder, name))
            elif name.endswith(".new"):  # a crash while it was written
                os.unlink(os.path.join(folder, name))
        self._clock = float(str(self.kept.get(CLOCK, 0.0)))
        if self._segments:
            write_again(self._segments[-1].path)
        self._begin_segment()
        self._reader = Reader(self._segments[0])
        self._end = None  # type: tuple[Reader, Segment, int] | None  # where there was nothing more to take
        self._sweep()

    @property
    def size(self) -> int:
        """Bytes on disk, acknowledged ones in a segment still in use included."""
        return sum(segment.size for segment in self._segments)

    @property
    def full(self) -> bool:
        """Whether logs should wait where they are: the log is the better buffer."""
        return self.size >= self._limit * LOGS_WAIT

    def live(self) -> "list[str]":
        """The ids of which something is or may come back, the present one always, at most MAX_LIVE, oldest first.

        A server forgets what is not named here, and would take it for new.
        """
        ids = list(self._leaving)
        for segment in self._segments:
            if segment.spool not in ids:
                ids.append(segment.spool)
        return ids[: wire.MAX_LIVE - 1] + [self.id] if len(ids) > wire.MAX_LIVE else ids

    def acknowledged(self, spool: str) -> int:
        """Up to which number a server has said that it has `spool` durably."""
        return self._acknowledged.get(spool, 0)

    def append(self, events: "list[dict[str, object]]", kept: "dict[str, object]") -> None:
        """Make events and what is kept durable, as one record. A full spool makes room with what matters least."""
        if self._lost and events:
            events = [lost_event(self._lost, self._lost, float(str(events[0]["at"]))), *events]
        if events and self.size >= self._limit:
            self._make_room()
        self._write(events, kept)

    def age(self, seconds: float) -> None:
        """So much time has passed, while this agent ran: what is too old goes. Raises OSError."""
        self._clock = round(self._clock + seconds, 1)
        self._write([], {CLOCK: self._clock})
        for segment in self._segments[:-1]:
            if self._clock - segment.written > MAX_AGE and segment.least < NOTHING:
                shed(segment, NOTHING, self.acknowledged(segment.spool))
        if self._clock - self._segments[-1].begun >= DAY and self._segments[-1].last > self.acknowledged(self.id):
            self._begin_segment()

    def lose(self, count: int) -> None:
        """`count` events could not be kept: the next one that is kept says so."""
        self._lost += count

    def take(self, most: int) -> "list[tuple[str, int, int, bytes]]":
        """The next events not taken yet, at most about `most`: (spool, first number it covers, its number, JSON)."""
        taken = []  # type: list[tuple[str, int, int, bytes]]
        end = self._reader, self._segments[-1], self._segments[-1].size
        if self._end == end:  # the agent asks at each turn: that must cost nothing
            return taken
        while len(taken) < most:
            found = self._reader.next()
            if found is None:
                at = self._segments.index(self._reader.segment)
                if at + 1 == len(self._segments):
                    self._end = self._reader, *end[1:]
                    break
                self._reader.close()
                self._reader = Reader(self._segments[at + 1])
                continue
            spool = self._reader.segment.spool
            done = self.acknowledged(spool)
            for first, last, event in numbered(found):
                if first <= done < last:
                    first, event = done + 1, rest(event, done + 1 - first)
                if last > done:
                    taken.append((spool, first, last, dumped(event)))
        return taken

    def acknowledge(self, spool: str, number: int) -> None:
        """A server has everything of `spool` up to `number` durably: what is done with goes."""
        if number > self.acknowledged(spool):
            self._acknowledged[spool] = number
            self._sweep()

    def close(self) -> None:
        """Keep the hint of what was acknowledged, if the disk lets us, and let go of the files."""
        try:
            self._keep_hint()
        except OSError:
            pass
        self._reader.close()
        os.close(self._file)

    def _write(self, events: "list[dict[str, object]]", kept: "dict[str, object]") -> None:
        if self._segments[-1].size >= SEGMENT:
            self._begin_segment()
        segment = self._segments[-1]
        lost = self._lost if events else 0
        line = record(self._last + 1, events, kept)
        if os.fstat(self._file).st_size > segment.size:  # half a record is left, because it could not be cut off
            os.ftruncate(self._file, segment.size)
        try:
            write_all(self._file, line)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, segment.size)  # half a record must not stand before the next one
            raise
        segment.size += len(line)
        self._last += len(events) + lost
        segment.holds(events, self._last, self._clock)
        self._lost -= lost
        self._remember(kept)

    def _begin_segment(self) -> None:
        order = int(os.path.basename(self._segments[-1].path).split("-")[0]) + 1 if self._segments else 1
        path = os.path.join(self._folder, "{:08d}-{}.jsonl".format(order, self.id))
        first = header(self.id, self.kept)
        # There may be one: a disk that refused the first line may have refused to remove it, too.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            write_all(file, first)
            os.fsync(file)
            sync_folder(self._folder)
        except OSError:
            os.close(file)
            os.unlink(path)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file = file
        self._segments.append(Segment(path, self.id, len(first), self._last, self._clock))

    def _recover(self, path: str) -> None:
        """Read a segment that an earlier run left: its kept, and where its numbers end."""
        reader = Reader(Segment(path, ""))
        first = reader.header
        if first is None:
            reader.close()
            os.unlink(path)  # a crash while it was begun: the ones before it are still there
            return
        segment = reader.segment
        self.kept = dict(first.get("p", {}))  # type: ignore[call-overload]  # everything, as of then
        for each in reader.rest():
            self._remember(each["p"])  # type: ignore[arg-type]
            for _, last, event in numbered(each):
                segment.holds([event], last, float(str(self.kept.get(CLOCK, 0.0))))
        segment.size = os.path.getsize(path)
        reader.close()
        self._segments.append(segment)

    def _make_room(self) -> None:
        """Do without what matters least, oldest first, until there is room again."""
        if self._segments[-1].size > len(header(self.id, self.kept)):
            self._begin_segment()
        for worst in range(NOTHING):
            for segment in self._segments[:-1]:
                if self.size < self._limit * ROOM:
                    return
                if segment.least <= worst:
                    shed(segment, worst, self.acknowledged(segment.spool))

    def _remember(self, kept: "dict[str, object]") -> None:
        for key, value in kept.items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value

    def _sweep(self) -> None:
        """Remove the segments of which everything is acknowledged; the one being written stays.

        What the disk refuses is done at the next acknowledgement.
        """
        done = [each for each in self._segments[:-1] if each.last <= self.acknowledged(each.spool)]
        if not (done or self._leaving):
            return
        try:
            self._keep_hint()
            for segment in done:
                if segment.spool not in self._leaving:
                    self._leaving.append(segment.spool)
                os.unlink(segment.path)
                self._segments.remove(segment)
            sync_folder(self._folder)
            self._leaving.clear()
        except OSError:
            pass
        if self._reader.segment not in self._segments:
            self._reader.close()
            self._reader = Reader(self._segments[0])
        kept = {segment.spool for segment in self._segments}.union(self._leaving)
        self._acknowledged = {spool: last for spool, last in self._acknowledged.items() if spool in kept}

    def _keep_hint(self) -> None:
        """What was acknowledged, for the next run: only a hint, a server that has more refuses what comes twice."""
        path = os.path.join(self._folder, "acknowledged")
        with open(path + ".new", "wb") as file:
            file.write(dumped(self._acknowledged))
        os.replace(path + ".new", path)


def _read_hint(path: str) -> "dict[str, int]":
    try:
        with open(path, "rb") as file:
            hint = json.loads(file.read().decode("utf-8"))
        return {str(spool): int(last) for spool, last in hint.items()}
    except (OSError, ValueError, AttributeError):
        return {}
