"""Stories in which a log is written, rotated in every way, read, and the reader killed, as the dice fall.

What the oracle asks: each line is read once, and those of one file in their order. A line may be missing only where
nobody could have read it (it was written between the copy and the truncation of copytruncate, or its file was removed
while nobody had it open), and then a gap is told. A gap is told for each truncation, and never without a reason.
"""

import gzip
import json
import os
import random
import re
import selectors
from collections.abc import Iterator

from monitor436.agent.checks import Checks, Host
from monitor436.agent.plan import Plan
from monitor436.agent.tail.watched import Watched
from tests.agent.written import check

KEPT = 9  # rotated files: more than a story makes while nobody looks
FORMS = ("numbers", "dates", "link")  # how rotated files are called
LOOK = 0.5  # seconds between looks


class Lost(AssertionError):
    """A line was lost or read twice."""


class Muddled(AssertionError):
    """Every line was read once, but not in order, or a gap was told or not told against the truth."""


class Stream:
    """One file, open for writing. The numbers of the lines that were written to it stay in their order."""

    def __init__(self, path: str, appends: bool) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if appends else 0), 0o644)
        self.inode = os.fstat(self.fd).st_ino
        self.packed = 0  # the inode of what it was compressed to
        self.ends = {}  # type: dict[int, int]  # where each line ends, as of when it was written
        self.torn = b""  # the rest of a line that is half written

    def write(self, number: int, line: bytes, whole: bool = True) -> None:
        """Write a line, or the first half of it."""
        self.mend()
        half = len(line) if whole else len(line) // 2
        os.write(self.fd, line[:half])
        self.torn = line[half:]
        self.ends[number] = os.lseek(self.fd, 0, os.SEEK_CUR) + len(self.torn)

    def mend(self) -> None:
        """Write the rest of a line that is half written."""
        if self.torn:
            os.write(self.fd, self.torn)
            self.torn = b""


class Writer:
    """Programs that write to a log, and the tool that rotates it: each rotation in steps, between which others act."""

    def __init__(self, dice: random.Random, folder: str, form: str, burst: int) -> None:
        self.dice = dice
        self.folder = folder
        self.form = form
        self.burst = burst
        self.appends = dice.random() < 0.7  # otherwise it goes on at its old place after a truncation
        self.log = os.path.join(folder, "app.log")
        self.count = 0  # lines
        self.day = 0  # rotations
        self.streams = []  # type: list[Stream]  # all there ever were
        self.late = []  # type: list[Stream]  # of old files, still open
        self.between = set()  # type: set[int]  # lines written between a copy and a truncation
        self.truncated = []  # type: list[Stream]  # since the story asked
        self.removed = []  # type: list[Stream]  # since the story asked
        self.emptied = False  # a file was truncated that held nothing
        self.whole = 0  # the last line before the last truncation
        if form == "link":
            os.symlink("day-0.log", self.log)
        self.stream = self.open()
        self.rotation = iter(())  # type: Iterator[object]
        self.rotates = False

    def open(self) -> Stream:
        """Open the log as it is called now."""
        self.end_late()
        self.streams.append(Stream(self.log, self.appends))
        return self.streams[-1]

    def write(self, stream: "Stream | None" = None, lines: int = 0) -> None:
        """Some lines, the last one perhaps half."""
        stream = stream or self.stream
        lines = lines or self.dice.randrange(1, self.burst)
        for left in range(lines, 0, -1):
            self.count += 1
            size = self.dice.choice((0, 20, 100, 300))
            line = "{:06d} {}{:06d}\n".format(self.count, "x" * size, self.count).encode()
            stream.write(self.count, line, whole=left > 1 or self.dice.random() < 0.7)

    def step(self) -> None:
        """Write, or go on with a rotation."""
        what = self.dice.random()
        if what < 0.45:
            self.write()
        elif what < 0.5:
            self.stream.mend()
        elif what < 0.6 and self.late:
            late = self.dice.choice(self.late)
            if self.dice.random() < 0.6:
                self.write(late, self.dice.randrange(1, 4))
            else:
                self.end(late)
        elif next(self.rotation, self) is self:  # the last one is over
            self.rotates = self.dice.random() < 0.5
            self.rotation = self.dice.choice(self.rotations())() if self.rotates else iter(())

    def finish(self) -> None:
        """Come to an end with everything."""
        for _ in self.rotation:
            pass
        for late in list(self.late):
            self.end(late)
        self.stream.mend()

    def end(self, stream: Stream) -> None:
        """Nobody writes to that file any more."""
        stream.mend()
        os.close(stream.fd)
        if stream in self.late:
            self.late.remove(stream)

    def is_there(self, stream: Stream) -> bool:
        """Whether a file still has a name."""
        inodes = [os.lstat(os.path.join(self.folder, name)).st_ino for name in os.listdir(self.folder)]
        return stream.inode in inodes and [each for each in self.streams if each.inode == stream.inode][-1] is stream

    def rotations(self) -> "list[object]":
        """All the ways to rotate."""
        if self.form == "link":
            return [self.switch]
        return [
            self.create, self.create, self.create_late, self.copytruncate, self.copytruncate, self.rename_compress,
            self.copytruncate_compress, self.delay_compress, self.delete, self.away, self.obstacle,
        ]  # fmt: skip

    # The ways.

    def create(self) -> "Iterator[None]":
        """Rename; the program is told to open its log anew, and until then goes on in the old file."""
        os.rename(self.log, self.make_way())
        yield
        if self.dice.random() < 0.5:
            os.close(os.open(self.log, os.O_CREAT | os.O_WRONLY, 0o644))
            yield
        self.end(self.stream)
        self.stream = self.open()

    def create_late(self) -> "Iterator[None]":
        """One of the programs that write goes on in the old file."""
        os.rename(self.log, self.make_way())
        yield
        self.late.append(self.stream)
        self.stream = self.open()

    def copytruncate(self) -> "Iterator[None]":
        """Copy, in pieces, then truncate; the program notices nothing."""
        self.stream.mend()
        copy = self.make_way()
        copied = 0
        with open(copy, "wb") as file:
            while copied < os.path.getsize(self.log):
                with open(self.log, "rb") as log:
                    log.seek(copied)
                    piece = log.read(self.dice.choice((1000, 100000, 1 << 30)))
                file.write(piece)
                file.flush()
                copied += len(piece)
                yield
                self.stream.mend()
        window = {number for number, end in self.stream.ends.items() if number > self.whole and end > copied}
        os.truncate(self.log, 0)
        self.between |= window
        self.whole = self.count
        if copied or window:
            self.truncated.append(self.stream)
        else:
            self.emptied = True
        yield

    def copytruncate_compress(self) -> "Iterator[None]":
        """The same; the copy is compressed."""
        for _ in self.copytruncate():
            yield
        for _ in self.compress(self.rotated()[0]):
            yield

    def rename_compress(self) -> "Iterator[None]":
        """Rename, and compress at once."""
        for _ in self.create():
            yield
        for _ in self.compress(self.rotated()[0]):
            yield

    def delay_compress(self) -> "Iterator[None]":
        """Rename, and compress what was renamed the last time."""
        for _ in self.create_late():
            yield
        for path in [path for path in self.rotated()[1:2] if not path.endswith(".gz")]:
            for _ in self.compress(path):
                yield

    def delete(self) -> "Iterator[None]":
        """Delete, and begin anew; until then the program goes on in the file that has no name."""
        os.unlink(self.log)
        self.removed.append(self.stream)
        if self.dice.random() < 0.5:
            yield
        self.end(self.stream)
        self.stream = self.open()

    def away(self) -> "Iterator[None]":
        """Rename, and rename back."""
        os.rename(self.log, os.path.join(self.folder, "aside"))
        yield
        os.rename(os.path.join(self.folder, "aside"), self.log)
        yield

    def obstacle(self) -> "Iterator[None]":
        """For a while the log is none."""
        os.rename(self.log, self.make_way())
        make, remove = self.dice.choice(((os.mkdir, os.rmdir), (os.mkfifo, os.unlink)))
        make(self.log)
        yield
        remove(self.log)
        self.end(self.stream)
        self.stream = self.open()

    def switch(self) -> "Iterator[None]":
        """Let the link lead to a new file."""
        self.day += 1
        os.symlink("day-{}.log".format(self.day), os.path.join(self.folder, "next"))
        os.rename(os.path.join(self.folder, "next"), self.log)
        yield
        if self.dice.random() < 0.3:
            self.late.append(self.stream)
        else:
            self.end(self.stream)
        self.stream = self.open()

    # What they are made of.

    def rotated(self) -> "list[str]":
        """The rotated files, newest first."""
        names = [name for name in os.listdir(self.folder) if name.startswith(("app.log.", "app.log-"))]
        order = [(int(name[8:].split(".")[0]) * (1 if name[7] == "." else -1), name) for name in names]
        return [os.path.join(self.folder, name) for _, name in sorted(order)]

    def make_way(self) -> str:
        """The name for the next rotated file."""
        self.day += 1
        rotated = self.rotated()
        for path in rotated[KEPT:]:
            self.remove(path)
        if self.form == "dates":
            return "{}-{}".format(self.log, 20240100 + self.day)
        for path in rotated[:KEPT][::-1]:
            number, dot, end = path[len(self.log) + 1 :].partition(".")
            os.rename(path, "{}.{}{}{}".format(self.log, int(number) + 1, dot, end))
        return self.log + ".1"

    def end_late(self) -> None:
        """Programs do not go on in an old file for ever."""
        for late in self.late:
            if self.streams.index(late) < len(self.streams) - 4:
                self.end(late)
                return

    def compress(self, path: str) -> "Iterator[None]":
        """What gzip does: its file grows, and then the other one is removed."""
        inode = os.stat(path).st_ino
        for late in [each for each in self.late if each.inode == inode]:
            self.end(late)
        with open(path, "rb") as file:
            packed = gzip.compress(file.read())
        with open(path + ".gz", "wb") as file:
            for piece in (packed[: len(packed) // 2], packed[len(packed) // 2 :]):
                file.write(piece)
                file.flush()
                yield
        for stream in [each for each in self.streams if each.inode == inode][-1:]:
            stream.packed = os.stat(path + ".gz").st_ino
        os.unlink(path)
        yield

    def remove(self, path: str) -> None:
        """It was the oldest."""
        inode = os.stat(path).st_ino
        for late in [each for each in self.late if each.inode == inode]:
            self.end(late)
        self.removed += [each for each in self.streams if inode in (each.packed, each.inode)][-1:]
        os.unlink(path)


class Reader:
    """The agent: it reads, keeps where it stands with what it read, and is killed. `kept` is what is on its disk."""

    def __init__(self, dice: random.Random, log: str) -> None:
        self.dice = dice
        self.log = log
        self.now = 1000.0
        self.kept = {}  # type: dict[str, object]
        self.read = []  # type: list[bytes]  # lines that are kept
        self.gaps = []  # type: list[str]
        self.alive = False
        self.start()

    def start(self) -> None:
        """Start, or start again."""
        self.watched = Watched(self.log, json.loads(json.dumps(self.kept)), lambda path: "", lambda: self.now)
        self.new = []  # type: list[bytes]
        self.new_gaps = []  # type: list[str]
        self.alive = True

    def certain(self) -> bool:
        """Whether everything was read."""
        return self.watched.certain

    def look(self) -> bool:
        """One look; whether there is more."""
        self.now += LOOK
        for _, block in self.watched.read(self.dice.choice((1000, 20000, 262144))):
            if not block.endswith(b"\n"):
                raise Lost("not whole lines: {!r}".format(block[-100:]))
            self.new += block.split(b"\n")[:-1]
        self.new_gaps += [sentence for kind, _, sentence in self.watched.news() if kind == "gap"]
        return self.watched.more

    def keep(self) -> None:
        """Make durable what was read, with where reading stands."""
        for key, position in json.loads(json.dumps(self.watched.positions())).items():
            if position is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = position
        self.watched.kept()
        self.read += self.new
        self.gaps += self.new_gaps
        self.new, self.new_gaps = [], []

    def kill(self) -> None:
        """What was not kept is forgotten."""
        self.watched.close()
        self.alive = False


class Planned(Reader):
    """The agent with a plan that is edited between looks; one check in it takes every line of the log.

    What it emits is on the disk at once, as in the spool; a line that is half told does not exist there.
    """

    def start(self) -> None:
        self.new = []
        self.new_gaps = []
        self.selector = selectors.DefaultSelector()
        host = Host(lambda argv: "", lambda path: "", lambda: self.now, "boot")
        self.checks = Checks(self.emit, host, self.selector, json.loads(json.dumps(self.kept)))
        self.edit()
        self.alive = True

    def certain(self) -> bool:
        return all(log._watched.certain for log in self.checks._logs.values())

    def edit(self) -> None:
        """Put a plan in force: the same check of the log, and some that come and go."""
        others = [check("other {}".format(number), log=self.log, match="y") for number in range(8)]
        checks = [*self.dice.sample(others, self.dice.randrange(4)), check("lines", log=self.log, match="[0-9]")]
        self.dice.shuffle(checks)
        self.checks.adopt(Plan(5.0, 15.0, tuple(checks)), self.now)

    def look(self) -> bool:
        self.now += LOOK
        if self.dice.random() < 0.2:
            self.edit()
        for log in self.checks._logs.values():
            log.due = self.now  # quiet logs are looked at less often: the story counts on its looks
        return self.checks.run(self.now) <= self.now

    def emit(self, events: "list[dict[str, object]]", kept: "dict[str, object]") -> None:
        """What the spool does."""
        for key, value in json.loads(json.dumps(kept)).items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value
        self.read += [str(event["text"]).encode() for event in events if event.get("check") == "lines"]

    def keep(self) -> None:
        for log in self.checks._logs.values():
            self.emit([], log.everything(self.now))

    def kill(self) -> None:
        for log in self.checks._logs.values():
            log.close()
        self.selector.close()
        self.alive = False


LINE = re.compile(rb"([0-9]{6}) x*([0-9]{6})\Z")


class Story:
    """One story: what is written, and what is read of it."""

    reads = Reader

    def __init__(self, seed: int, folder: str, pattern: bool, burst: int = 20) -> None:
        self.dice = random.Random(seed)
        os.mkdir(folder)
        self.writer = Writer(self.dice, folder, self.dice.choice(FORMS), burst)
        self.reader = self.reads(self.dice, os.path.join(folder, "*.log*" if pattern else "app.log"))
        self.last = {self.writer.stream}  # the one that had the name when the reader kept something
        self.seen = {self.writer.stream}  # files that the reader has seen by the name of the log
        self.kept = {self.writer.stream}  # those of which it has kept that
        self.owed = []  # type: list[Stream]  # truncated, and no gap is told yet
        self.told = []  # type: list[Stream]  # truncated, and a gap is told but not kept
        self.reason = False  # something happened that may be told as a gap
        self.emptied = False  # a file was truncated that held nothing: that may be told at any time later
        self.settled = True  # the reader has seen what there is to see of it
        self.risky = []  # type: list[Stream]  # removed, and only the reader holds them
        self.excused = set()  # type: set[Stream]  # removed, and nobody holds them
        self.blank = set()  # type: set[Stream]  # without a name when the reader kept something, and without a line
        self.day = 0  # rotations when the reader kept something
        self.look()
        self.keep()

    def play(self, steps: int) -> None:
        """Let things happen, and then ask the oracle."""
        for _ in range(steps):
            what = self.dice.random()
            if self.writer.day - self.day > KEPT - 4:  # soon all by which it would know its place is removed
                (self.keep if self.reader.alive else self.start)()
            elif what < 0.5 or not self.reader.alive:
                self.write()
                if not self.reader.alive and self.dice.random() < 0.1:
                    self.start()
            elif what < 0.9:
                self.look()
            elif what < 0.96:
                self.keep()
            elif what < 0.98:
                self.kill()
            elif not (self.writer.late or self.writer.rotates or self.writer.stream.torn):
                self.reader.now += self.dice.choice((20.0, 400.0))
        self.writer.finish()
        self.account()
        if not self.reader.alive:
            self.start()
        for _ in range(5):
            while self.look():
                pass
            self.reader.now += 400.0
        self.keep()
        self.ask()
        self.reader.kill()
        self.writer.end(self.writer.stream)

    def write(self) -> None:
        """The writer's turn."""
        self.writer.step()
        self.account()

    def account(self) -> None:
        """What follows from what the writer did."""
        if self.writer.truncated or self.writer.removed or self.writer.emptied:
            self.settled = False
        known = self.seen if self.reader.alive else self.kept
        for stream in self.writer.truncated:
            if stream in known:
                self.owed.append(stream)
            else:
                self.reason = True
        self.emptied = self.emptied or self.writer.emptied
        for stream in self.writer.removed:
            self.reason = True
            if stream in self.seen and self.reader.alive:
                self.risky.append(stream)
            else:
                self.excused.add(stream)
        self.writer.truncated, self.writer.removed, self.writer.emptied = [], [], False

    def start(self) -> None:
        """The agent starts again."""
        there = {stream for stream in self.writer.streams if self.writer.is_there(stream)}
        self.reason = self.reason or not there.issuperset(self.owed)  # what is not there tells nothing
        self.owed = [stream for stream in self.owed if stream in there]
        self.excused.update(self.blank - there)  # compressed since: nothing of them is known that is in there
        if self.last <= self.excused:  # by which it would be known what is newer
            self.excused.update(set(self.writer.streams) - self.kept - {self.writer.stream})
        self.reader.start()
        self.look()
        self.keep()

    def look(self) -> bool:
        """The reader's turn; whether there is more."""
        more = self.reader.look()
        self.after_look(more)
        return more

    def after_look(self, more: bool) -> None:
        if self.reader.new_gaps:
            if not (self.owed or self.told or self.reason or self.emptied):
                raise Muddled("a gap without a reason: {}".format(self.reader.new_gaps))
            self.told += self.owed
            self.owed = []
        if not more:
            self.seen.update(self.named())
            self.settled = self.settled or self.reader.certain()

    def named(self) -> "set[Stream]":
        """The file that has the name of the log."""
        try:
            inode = os.stat(self.writer.log).st_ino
        except OSError:
            return set()
        return {each for each in self.writer.streams if each.inode == inode and each not in self.excused}

    def keep(self) -> None:
        """The reader keeps what it has."""
        self.reader.keep()
        self.after_keep()

    def after_keep(self) -> None:
        self.told = []
        self.kept = set(self.seen)
        self.last = self.named() or self.last
        self.day = self.writer.day
        self.blank = {stream for stream in self.kept - self.last if not stream.ends}
        self.reason = self.reason and not self.settled

    def kill(self) -> None:
        """The reader is killed."""
        self.reader.kill()
        self.seen = set(self.kept)
        self.reason = self.reason or not self.kept.issuperset(self.owed + self.told)
        self.owed = [stream for stream in self.owed + self.told if stream in self.kept]
        self.told = []
        self.settled = False
        self.reason = self.reason or bool(self.risky)
        self.excused.update(self.risky)
        self.risky = []

    def ask(self) -> None:
        """The oracle."""
        place = self.ask_for_lines()
        if self.owed:
            raise Muddled("{} truncations without a gap".format(len(self.owed)))
        for stream in self.writer.streams:
            places = [place[number] for number in stream.ends if number in place]
            if places != sorted(places):
                latest = [max(places[: number + 1]) for number in range(len(places))]
                early = [here for here, place, last in zip(stream.ends, places, latest) if place < last]
                raise Muddled("out of order: {}".format(early))

    def ask_for_lines(self) -> "dict[int, int]":
        """Whether each was read once; which was read at which place."""
        numbers = []
        for line in self.reader.read:
            found = LINE.match(line)
            if found is None or found.group(1) != found.group(2):
                raise Lost("no such line was written: {!r}".format(line))
            numbers.append(int(found.group(1)))
        place = {number: index for index, number in enumerate(numbers)}
        if len(place) < len(numbers):
            raise Lost("read twice: {}".format(sorted(each for each in place if numbers.count(each) > 1)))
        missing = set(range(1, self.writer.count + 1)) - set(numbers)
        unexcused = missing - self.writer.between - {number for stream in self.excused for number in stream.ends}
        if unexcused:
            raise Lost("lost: {}".format(sorted(unexcused)))
        return place


class PlannedStory(Story):
    """A story in which the plan is edited too. When gaps are told, and kept, is the agent's own affair there."""

    reads = Planned

    def ask(self) -> None:
        self.ask_for_lines()
