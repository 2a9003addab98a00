"""The file that has the name of a log: where reading begins in it, and when another one takes its place."""

import os
import time
from collections.abc import Callable

from monitor436.agent.tail.company import ALONE, Company
from monitor436.agent.tail.logfile import PRINT, File
from monitor436.agent.tail.name import Name
from monitor436.agent.tail.past import Old, Past
from monitor436.agent.tail.regular import anything
from monitor436.agent.tail.rotated import is_related


class Present:
    """What is known of the files at `path`, now and before; `position` is where an earlier run stopped, or None.

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

    def files(self) -> "list[File]":
        """The files that are open, oldest first; one that is a copy of what another one reads does not count."""
        present = [] if self._file is None or self._parked else [self._file]
        return [old.file for old in self._past.files] + present

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

    def _look_back(self) -> None:
        """While there is nothing to know the present file by, what is beside it tells whether it was rotated."""
        known = self._past.looked or self._past.files or self._past.last
        if not known and (self._file is None or not self._file.offset):
            self._past.look_back(self._file)

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
        marks = [mark for mine in self.files() for mark in mine.marks()] + (
            [] if self._past.last is None else [self._past.last]
        )
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
                self._leave(given)
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
        self._leave(file)
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

    def _leave(self, following: "File | None" = None) -> None:
        """The present file has lost its name; `following` has it now."""
        if self._file is None:
            return
        if self._parked:
            self._file.close()
        else:
            old = Old(self._file, self._clock())
            self._past.files.append(old)
            if self._file is self._unread:  # it may have been truncated before
                self._past.catch_up(following, self._clock(), newest=old)
        self._file = None
        self._parked = False
        self.changed = True

    def _leave_to_others(self, file: File) -> None:
        self._foreign = file.identity
        self._file = None
        file.close()

    def _tell(self, gap: str) -> None:
        if gap:
            self.gaps.append(gap)


def _states(position: "list[object]") -> "list[dict[str, object]]":
    """Those of the states that make sense: a damaged one must not stop anything."""
    return [each for each in position if isinstance(each, dict) and _is_state(each)]


def _is_state(each: "dict[str, object]") -> bool:
    offset = each.get("offset")
    return isinstance(offset, int) and offset >= 0 and isinstance(each.get("print"), str)
