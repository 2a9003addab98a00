"""A log, followed by its name through rename, truncation, late writers and a name that is a link.

A position is a list of file states, oldest first: one by which it is known what is newer (`done`), files that were
rotated away (`ended` if they were read to their end), the present file (a `copy` if another follower has its lines).
"""

import os
import time
from collections.abc import Callable

from monitor436.agent.company import ALONE, Company
from monitor436.agent.logfile import PRINT, File
from monitor436.agent.name import Name
from monitor436.agent.past import TRUNCATED, WINDOW, Old, Past
from monitor436.agent.regular import anything
from monitor436.agent.rotated import is_copy, is_related

CHANCE = 4096  # bytes up to which two files may begin alike although neither is a copy


class Follower:
    """The lines of the file at `path`, whichever file that is. `position` is one that `read` gave, or None.

    Without a position, reading starts at the end of a file that is there (at its start, if `fresh`), and at the start
    of one that comes later. While the file cannot be opened nothing is decided: the position stays what it was.
    `refusal` is as for File; `company` are others who follow files that this one may get in touch with.
    """

    def __init__(
        self,
        path: str,
        position: object = None,
        refusal: "Callable[[str], str]" = anything,
        company: Company = ALONE,
        clock: "Callable[[], float]" = time.monotonic,
        fresh: bool = False,
    ) -> None:
        self.path = path
        self.more = False  # the last read stopped at its limit
        self.changed = False  # the position is another one; for the caller to reset
        self.gaps = []  # type: list[str]  # sentences about lines that cannot be had; for the caller to empty
        self._name = Name(path, refusal, clock)
        self._past = Past(path, refusal, company, self, self.gaps)
        self._company = company
        self._clock = clock
        self._fresh = fresh
        self._given = _states(position) if isinstance(position, list) else None
        self._begun = False
        self._file = None  # type: File | None
        self._broken = None  # type: dict[str, object] | None  # the state of a present file that the disk refuses
        self._failed = ""  # why it does
        self._unread = None  # type: File | None  # the present file, if nothing of it was read at the last look
        self._foreign = (0, 0)  # the file that has the name, if another one follows it
        self._judged = company.alone  # it is known whether the present file is a copy of one that another one reads
        self._parked = False  # it is one
        if company.alone:
            self._try_to_begin()

    @property
    def problem(self) -> str:
        """Why the file cannot be read, as a sentence; empty if it can, and if there is none."""
        return self._name.problem or self._failed

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to follow, now and from before."""
        return self._begun and not (self.problem or self.files() or self._broken or any(self._foreign))

    def files(self) -> "list[File]":
        """The files that are open, oldest first; one that is a copy of what another one reads does not count."""
        present = [] if self._file is None or self._parked else [self._file]
        return [old.file for old in self._past.files] + present

    def read(self, limit: int = 262144) -> "tuple[bytes, list[dict[str, object]] | None]":
        """The next whole lines, out of about `limit` bytes, and the position after them.

        What is left of files that were rotated away comes first.
        """
        return self.take(limit), self.position()

    def take(self, limit: int = 262144) -> bytes:
        """The next whole lines."""
        self.more = False
        if not self._begun:
            self._try_to_begin()
        try:
            if self._begun:
                self._failed = ""
                self.look()
                block = self._take(limit)
                self._unread = self._file if self._file is not None and not self._file.offset else None
                return block
        except OSError as problem:
            self._failed = str(problem.strerror)
        return b""

    def position(self) -> "list[dict[str, object]] | None":
        """Where reading stands, as JSON-able data; None while nothing was ever seen of the file."""
        if not self._begun:
            return self._given
        states = self._past.states()
        if self._file is not None:
            states.append(dict(self._file.state(), copy=True) if self._parked else self._file.state())
        return states if self._broken is None else [*states, self._broken]

    def close(self) -> None:
        """Let go of the files."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._past.close()

    # Where to begin.

    def begin(self, in_place: bool = False) -> None:
        """Find the place to start at; tried again as long as the file cannot be opened. Raises OSError.

        `in_place`: only if the file that has the name is the one in which reading stopped.
        """
        found = self._name.look()
        self._file = None if found is None else self._name.open(found)
        try:
            known = self._continued()
            if not self.problem and (known is not None or not in_place):
                self._start(known)
                self._look_back()
                self._begun = self.changed = True
        finally:
            if not self._begun:
                self.close()

    def _try_to_begin(self) -> None:
        try:
            self.begin()
            self._failed = ""
        except OSError as problem:
            self._failed = str(problem.strerror)

    def awaits(self, file: File) -> bool:
        """Whether this one has not begun yet and will go on in that file. Raises OSError."""
        if self._begun:
            return False
        related = is_related(os.path.basename(file.path), os.path.basename(self.path))
        likely = [
            each for each in self._given or [] if related or int(str(each["offset"])) >= PRINT or file.is_same(each)
        ]
        return any(file.continues(state) for state in likely)

    def _continued(self) -> "dict[str, object] | None":
        """The state, of those that were given, of the present file; reading goes on from there."""
        if self._file is not None:
            for state in reversed(self._given or []):
                if not state.get("done") and self._file.continues(state):
                    return state
        return None

    def _start(self, known: "dict[str, object] | None") -> None:
        file = self._file
        if file is not None and self._company.holds(file.identity, self):
            given, known = self._company.give(file.identity, self), None
            self._leave_to_others(file)
            if given is not None:
                self._turn_to(given)
                self._judged, self._fresh = True, True
        elif file is not None and known is None and self._company.is_awaited(file, self):
            self._leave_to_others(file)
        if self._given is not None:
            self._judged = self._judged or known is not None
            self._parked = known is not None and bool(known.get("copy"))
            self._past.recall(self._given, known, self._file, self._clock())
        elif self._file is not None and not self._fresh:
            self._file.to_end()
            self._judged = True

    # Which file it is.

    def adopt(self, file: File) -> bool:
        """Go on in a file that another one has read to its end, if it has this one's name now. Raises OSError."""
        found = self._name.look()
        if found is None or (found.st_dev, found.st_ino) != file.identity:
            return False
        if self._begun:
            self.look()
        else:
            self.begin()
        return self._file is file

    def give(self, identity: "tuple[object, object]") -> "File | None":
        """Part with a file that is about to be let go."""
        return self._past.give(identity)

    def has_made(self, file: File) -> bool:
        """Whether that is what a file of this one was compressed to. Raises OSError."""
        related = is_related(os.path.basename(file.path), os.path.basename(self.path))
        marks = [mine.mark() for mine in self.files()] + ([] if self._past.last is None else [self._past.last])
        return related and any(file.continues(mark) for mark in marks)

    def has_read(self, file: File) -> bool:
        """Whether that file was let go by this one; then it is where reading stopped. Raises OSError."""
        last = self._past.last
        return last is not None and bool(last["offset"]) and file.is_same(last) and file.continues(last)

    def look(self) -> None:
        """See which file has the name; if it is another one, that is next, and the one before is read on a while.

        Raises OSError.
        """
        if not self._begun:
            return
        found = self._name.look()
        if found is None:
            if not self.problem:
                self._foreign = (0, 0)
                self._leave()
            return
        identity = (found.st_dev, found.st_ino)
        if self._file is not None and self._file.identity == identity and not self._parked:
            return
        if self._company.holds(identity, self):
            given = self._company.give(identity, self)
            if given is not None:
                self._leave()
                self._turn_to(given)
                self._judged = True
            elif not self._parked and identity != self._foreign:
                self._leave()
                self._foreign = identity
            return
        if self._parked and self._file is not None and self._file.identity == identity:
            return
        back = self._past.take_back(identity)
        file = back or self._name.open(found)
        self._leave()
        if file is not None:
            self._turn_to(file)
            self._judged = self._judged or back is not None
            if back is None:
                self._meet(file)

    def _meet(self, file: File) -> None:
        """This file has the name now: it went away and came back, or it is new and will be read from its start."""
        last, now = self._past.last, self._clock()
        broken, self._broken = self._broken, None
        if broken is None and self._company.is_awaited(file, self):
            self._leave_to_others(file)
            return
        if broken is None and last is not None and last["offset"] and file.is_same(last):
            again = file.continues(last)
        else:
            again = broken is not None and file.continues(broken)
        self._judged = self._judged or again
        if not again:
            if broken is not None:
                self._tell(self._past.find(broken, file, now))
            self._past.catch_up(file, now)

    def _turn_to(self, file: File) -> None:
        self._file = file
        self._unread = None
        self._foreign = (0, 0)
        self._parked = False
        self._judged = self._company.alone
        self.changed = True

    def _leave(self) -> None:
        """The present file has lost its name."""
        if self._file is None:
            return
        if self._parked:
            self._file.close()
        else:
            self._past.files.append(Old(self._file, self._clock()))
            if self._file is self._unread:  # it may have been truncated before
                self._past.catch_up(None, self._clock())
        self._file = None
        self._parked = False
        self.changed = True

    def _leave_to_others(self, file: File) -> None:
        self._foreign = file.identity
        self._file = None
        file.close()

    # Reading on.

    def _take(self, limit: int) -> bytes:
        blocks = []  # type: list[bytes]
        for old in list(self._past.files):
            if old.file.is_news():
                blocks.append(self._read_old(old, limit))
                limit -= len(blocks[-1])
                self.more = self.more or limit <= 0
                if self.more:  # the rest of this one comes before anything of the next
                    return b"".join(blocks)
        if self._file is not None and self._file.is_news(self._name.found) and self._is_ours(self._file):
            blocks.append(self._read_present(self._file, limit))
        if not self.more:
            blocks.append(self._let_go())
        return b"".join(blocks)

    def _read(self, file: File, limit: int) -> bytes:
        before = file.offset
        block = file.read(limit)
        self.changed = self.changed or file.offset != before
        self.more = self.more or file.more
        return block

    def _read_old(self, old: Old, limit: int) -> bytes:
        if not old.file.offset and self._file is not None and is_copy(old.file, self._file):
            self._past.drop(old)  # it was empty when it was found: it is what the present file is being copied to
            return b""
        try:
            block = self._read(old.file, limit)
        except OSError as problem:
            self._failed = str(problem.strerror)
            old.file.more = True  # it is worth another try
            return b""
        if old.file.rewritten:
            self._copied(old.file)
            self._past.put_last(old)
        if block:
            old.quiet = self._clock()
        if old.ended == old.file.more:
            old.ended = not old.file.more
            self.changed = True
        return block

    def _read_present(self, file: File, limit: int) -> bytes:
        try:
            block = self._read(file, limit)
        except OSError as problem:
            self._failed = str(problem.strerror)
            self._broken = file.state()
            self._file = None
            self.changed = True
            file.close()
            return b""
        if file.rewritten:
            self._copied(file)
        return block

    def _copied(self, file: File) -> None:
        """It was truncated. If it was copied before (logrotate's copytruncate), its rest is in the copy."""
        self._tell(self._past.find(file.state(), file, self._clock()))
        self._past.catch_up(file, self._clock())
        self._start_over(file)

    def _start_over(self, file: File) -> None:
        """Read from the start again, at the next turn: what is to be read before that comes first."""
        file.restart()
        file.more = self.more = self.changed = True

    def _is_ours(self, file: File) -> bool:
        """Whether there is something in the present file that is for us to read, and now."""
        if file is self._unread and self._past.catch_up(file, self._clock()):
            self._tell(WINDOW)  # it was filled, copied and truncated since the last look
            self._start_over(file)
            return False
        if not self._judged or self._parked:
            if not file.size():
                return False
            if not self._parked and self._company.has_read(file, self):
                self._judged = self.changed = True
                return True
            if self._company.is_copy(file, self):
                file.to_end()
                self._parked = self._judged = self.changed = True
                return False
            if self._parked and (file.offset < CHANCE or not file.stands()):
                file.restart()
            self._parked, self._judged, self.changed = False, True, True
        return True

    def _let_go(self) -> bytes:
        """Everything was read to its end: part with files to which nothing comes any more."""
        last = self._past.last
        left = self._past.let_go(self._file, self._clock())
        self._look_back()
        self.changed = self.changed or last is not self._past.last
        return left

    def _look_back(self) -> None:
        """While there is nothing to know the present file by, what is beside it tells whether it was rotated."""
        known = self._past.looked or self._past.files or self._past.last
        if not known and (self._file is None or not self._file.offset):
            self._past.look_back(self._file)

    def _tell(self, gap: str) -> None:
        if gap:
            self.gaps.append(gap)


def _states(position: "list[object]") -> "list[dict[str, object]]":
    """Those of the states that make sense: a damaged one must not stop anything."""
    return [each for each in position if isinstance(each, dict) and _is_state(each)]


def _is_state(each: "dict[str, object]") -> bool:
    offset = each.get("offset")
    return isinstance(offset, int) and offset >= 0 and isinstance(each.get("print"), str)
