"""The files that had the name of a log before: read on until nobody writes to them, and known again later."""

import os
from collections.abc import Callable

from monitor436.agent.tail.company import Company
from monitor436.agent.tail.logfile import File
from monitor436.agent.tail.rotated import Rotated

LATE = 300.0  # seconds without anything new after which a file is let go
GONE = 10.0  # and one that was removed: as long as it is held, its room on the disk is not free
MAX_OLD = 16  # files read to their end that are waited for at once

# Kept while all that will be found beside the log is newer than what was read: there was nothing at the first look.
NOTHING = {"offset": 0, "print": "", "device": 0, "inode": 0, "done": True}  # type: dict[str, object]

WINDOW = "copied and truncated: lines written between the one and the other are in neither file"
TRUNCATED = "truncated, and no copy of what it was is found: lines written after byte {} are lost{}"
REPLACED = "the file that was read is gone, and is not found by another name: lines written after byte {} are lost{}"


class Old:
    """A file that lost its name."""

    def __init__(self, file: File, now: float, ended: bool = False) -> None:
        self.file = file
        self.quiet = now  # since when nothing came
        self.ended = ended  # it was read to its end
        self.goes = False  # it is about to be let go

    def state(self) -> "dict[str, object]":
        """What is to be kept of it."""
        return dict(self.file.state(), ended=True) if self.ended else self.file.state()

    def is_unread(self) -> bool:
        """Whether nothing was read of it, although there is something, or may be soon."""
        return not self.file.offset and (not self.ended or self.file.size() > 0)

    def is_removed(self) -> bool:
        """Whether it has no name left at all."""
        return os.fstat(self.file.fd).st_nlink == 0

    def is_done(self, now: float) -> bool:
        """Whether nobody needs to wait for more of it."""
        return not self.file.grows or now - self.quiet > (GONE if self.is_removed() else LATE)


class Past:
    """Such files of one log, oldest first. `mine` is the follower, whose path, company and gaps these are."""

    def __init__(
        self, path: str, refusal: "Callable[[str], str]", company: Company, mine: object, gaps: "list[str]"
    ) -> None:
        self.files = []  # type: list[Old]
        self.last = None  # type: dict[str, object] | None  # of the last one let go: what is rotated later is newer
        self.looked = False  # whether it was looked for: without it, nothing is older than the files that are followed
        self._path = path
        self._refusal = refusal
        self._company = company
        self._mine = mine
        self._gaps = gaps
        self._told = []  # type: list[str]

    def states(self) -> "list[dict[str, object]]":
        """What is to be kept of them."""
        states = [old.state() for old in self.files]
        last = NOTHING if self.looked and self.last is None else self.last
        return states if last is None or any(old.file.is_same(last) for old in self.files) else [last, *states]

    def take_back(self, identity: "tuple[int, int]") -> "File | None":
        """The file that has its name again."""
        for old in self.files:
            if old.file.identity == identity:
                self.files.remove(old)
                return old.file
        return None

    def give(self, identity: "tuple[object, object]") -> "File | None":
        """Part with a file that is about to be let go."""
        for old in self.files:
            if old.file.identity == identity and old.goes:
                self.files.remove(old)
                self.last = dict(old.file.state(), done=True)
                return old.file
        return None

    def find(self, state: "dict[str, object]", present: "File | None", now: float) -> str:
        """Look for the file of which `state` was taken, to read on in it. Returns "" or why lines of it are lost.

        The sentence, if there is one, is to be told.
        """
        rotated = self._rotated(present, (state.get("inode"),))
        file = rotated.find(state)
        copied = file is not None and file.grows and not file.is_same(state)
        truncated = bool(state["offset"]) and (
            copied or rotated.still_has(state, file) or (present is not None and present.is_same(state))
        )
        if file is not None:
            self.files.append(Old(file, now, bool(state.get("ended"))))
        if file is None and self._company.holds((state.get("device"), state.get("inode")), self._mine):
            return ""
        if state.get("ended"):  # what came late is lost, if anything did: nobody can tell
            return ""
        if file is not None:
            return WINDOW if truncated else ""
        why = "".join("; " + problem for problem in rotated.problems[:1])
        return (TRUNCATED if truncated else REPLACED).format(state["offset"], why)

    def recall(
        self, states: "list[dict[str, object]]", known: "dict[str, object] | None", present: "File | None", now: float
    ) -> None:
        """Go on where an earlier run of the agent stopped. `known` is the state of the present file, if it is."""
        lost, blank = [], 0
        for state in states:
            if state == NOTHING:
                self.looked = True
            elif state.get("done"):
                self.last = state
            elif state is not known and not state.get("copy"):
                held = len(self.files)
                lost.append((state, self.find(state, present, now)))
                blank = 0 if len(self.files) > held else blank + (not state["offset"])
        self.looked = self.looked or not any(state["offset"] or state.get("done") for state in states)
        copies = 0 if known is not None and known["offset"] else self.catch_up(present, now, blank)
        if copies and known is not None:
            self._gaps.append(WINDOW)
        self._gaps += [why for state, why in lost if why and state["offset"]]  # of an empty one nothing may be missing

    def catch_up(self, present: "File | None", now: float, blank: int = 0, newest: "Old | None" = None) -> int:
        """Add what was rotated away after the newest file that is known, and has not been found for being empty.

        There are `blank` of those. `newest` has just lost its name: if it has no place beside the log, all that has
        one is older. Returns how many more are newer than all that is known: copies of the present one.
        """
        marks = [mark for old in self.files for mark in old.file.marks()]
        if self.last is not None:
            marks.append(self.last)
        rotated = self._rotated(present)

        # Nothing of these was read, so there may be copies of what they held before.
        unread = [each.file.identity for each in self.files if each.is_unread()]

        def is_next(file: File) -> bool:
            return file.identity in unread

        def is_known(file: File) -> bool:
            try:
                if self._is_held(file.identity, present) or any(file.continues(mark) for mark in marks):
                    return True
                return self._company.is_awaited(file, self._mine) or self._company.has_made(file, self._mine)
            except OSError:
                return False

        found = rotated.since(present, is_known, is_next, all_new=self.looked and self.last is None)
        if found is None:
            return 0
        if newest is not None and newest.is_unread() and newest.file.identity not in found:
            found.append(newest.file.identity)
        new = []  # type: list[Old]
        for file in found:
            if isinstance(file, File):
                new.append(Old(file, now))
            elif file is None:
                blank = max(0, blank - 1)
            elif new:  # one of ours, nothing of which was read: what is older and new was copied from it
                place = [old.file.identity for old in self.files].index(file)
                self.files[place:place] = new
                self._gaps += [WINDOW] * (len(new) > blank)
                blank = max(0, blank - len(new))
                new = []
        self.files += new
        self._gaps += [problem for problem in rotated.problems if problem not in self._told]
        self._told = rotated.problems
        return max(0, len(new) - blank)

    def look_back(self, present: "File | None") -> None:
        """Remember which file beside the log is the newest; all of them are accounted for."""
        newest = self._rotated(present).newest(present)
        self.last = None if newest is None else dict(newest, done=True)
        self.looked = True

    def let_go(self, present: "File | None", now: float) -> bytes:
        """Part with those for which nobody needs to wait any more, in their order; what is left of them.

        All must have been read to their ends.
        """
        left = b""
        while self.files and (len(self.files) > MAX_OLD or self.files[0].is_done(now)):
            old = self.files[0]
            if old.file.problem:
                self._gaps.append("{} is {}".format(old.file.path, old.file.problem))
            old.ended = old.goes = True
            if self._company.take_over(old.file, self._mine):
                continue
            self.files.remove(old)
            try:
                left += old.file.rest()
            except OSError as problem:
                self._gaps.append("{}: {}".format(old.file.path, problem.strerror))
            self.last = dict(old.file.state(), done=True)
            if old.is_removed():  # nothing will be known by it
                self.catch_up(present, now)
                self.look_back(present)
            old.file.close()
        return left

    def put_last(self, old: Old) -> None:
        """Others are older than it, after all."""
        self.files.remove(old)
        self.files.append(old)

    def drop(self, old: Old) -> None:
        """It is none of them after all."""
        self.files.remove(old)
        old.file.close()

    def close(self) -> None:
        """Let go of the files."""
        while self.files:
            self.files.pop().file.close()

    def _is_held(self, identity: "tuple[int, int]", present: "File | None") -> bool:
        """Whether a file is being followed, by whomever."""
        mine = [old.file.identity for old in self.files] + ([] if present is None else [present.identity])
        return identity in mine or self._company.holds(identity, self._mine)

    def _rotated(self, present: "File | None", inodes: "tuple[object, ...]" = ()) -> Rotated:
        return Rotated(self._path, self._refusal, lambda identity: self._is_held(identity, present), inodes)
