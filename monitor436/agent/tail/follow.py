"""A log, followed by its name through rename, truncation, late writers and a name that is a link.

A position is a list of file states, oldest first: one by which it is known what is newer (`done`), files that were
rotated away (`ended` if they were read to their end), the present file (a `copy` if another follower has its lines).
"""

from monitor436.agent.tail.logfile import File
from monitor436.agent.tail.past import WINDOW, Old
from monitor436.agent.tail.present import Present
from monitor436.agent.tail.rotated import is_copy

CHANCE = 4096  # bytes up to which two files may begin alike although neither is a copy


class Follower(Present):
    """The lines of the files that have or had the name. Arguments are as for Present; a position is as `read` gave."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to follow, now and from before."""
        return self._begun and not (self.problem or self.files() or self._broken or any(self._foreign))

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
        self._start_over(file)  # first, so that what it was compressed to since is known by what it holds now
        self._past.catch_up(file, self._clock())

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
