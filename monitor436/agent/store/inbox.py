"""Events that scripts on the host have stated: one file each, taken from here into the spool, once.

The file, not a running agent, is what makes such an event durable. A name is kept in the spool with its event, and the
file is removed after that; so a crash in between tells nothing twice, and loses nothing.
"""

import errno
import math
import os
import re
import stat
from collections.abc import Callable

from monitor436.agent import event as stated
from monitor436.agent.schedule import whole
from monitor436.agent.store.durable import sync_folder
from monitor436.agent.store.statement import MAX_FILES, NotAnEvent, read
from monitor436.agent.tail.notices import REST

REFUSED = "refused"  # a folder in it, for files that hold no event
MAX_SIZE = 8192  # bytes of a file
KEY = "inbox:"  # before the name of a file, in what the spool keeps
LOOK_EVERY = 1.0  # seconds between looks whether there is something new
A_TURN = 50  # files taken at once: heartbeats wait meanwhile
MAX_REFUSED = 100  # files kept that hold no event
REFUSED_EVERY = 60.0  # seconds between events that tell of such files
STALE = 3600.0  # seconds after which a file that was never finished is nobody's
FOR_GOOD = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.EISDIR)  # never to be read
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")  # of a file


class Inbox:
    """The events in `folder`, oldest first. `kept` is what the spool has kept; `wall` the wall clock.

    `tells(folders)` says whether the next change in them will be told: then `wake` is called, and nobody looks
    meanwhile.
    `take` gives events; whoever takes one makes it durable together with what `key(name)` says, and then calls
    `done(name)`. `forget()` names the keys that need not be kept any longer.
    """

    def __init__(
        self,
        folder: str,
        wall: "Callable[[], float]",
        kept: "dict[str, object]",
        tells: "Callable[[set[str]], bool]" = lambda folders: False,
    ) -> None:
        self.due = 0.0  # monotonic seconds
        self._tells = tells
        self._looked = 0.0
        self._folder = folder
        self._real = os.path.realpath(folder)
        self._wall = wall
        self._told = {key[len(KEY) :] for key in kept if key.startswith(KEY)}
        self._out = set()  # type: set[str]
        self._gone = []  # type: list[str]
        self._waiting = []  # type: list[str]
        self._seen = 0
        self._settled = False
        self._refused, self._reason = 0, ""
        self._tell_at = -math.inf
        self._prepare()

    def take(self, now: float) -> "list[tuple[str, dict[str, object]]]":
        """(name, event) of what is new, a few at a time. Call it when it is `due`."""
        self._looked = now
        rests = self._tells({self._real})
        if not self._waiting and not self._look():
            self.due = whole(now + REST, REST) if rests and self._settled else whole(now + LOOK_EVERY)
            return self._tell_refused(now)
        names, self._waiting = self._waiting[:A_TURN], self._waiting[A_TURN:]
        taken = []  # type: list[tuple[str, dict[str, object]]]
        for name in names:
            if name in self._told:
                self._remove(name)
                continue
            try:
                taken.append((name, self._read(name)))
                self._out.add(name)
            except FileNotFoundError:
                continue
            except NotAnEvent as reason:
                self._refuse(name, str(reason))
            except OSError as problem:
                if problem.errno in FOR_GOOD:
                    self._refuse(name, str(problem.strerror))
                self._seen = 0  # too many open files, a disk that fails: it is looked for again
        self.due = now if self._waiting else whole(now + LOOK_EVERY)
        return taken + self._tell_refused(now)

    def wake(self, now: float) -> None:
        """There may be something new."""
        self.due = min(self.due, max(now, self._looked + LOOK_EVERY))

    def key(self, name: str) -> str:
        """Under which the name of an event that was taken is to be kept, in one record with the event."""
        return KEY + name

    def done(self, name: str) -> None:
        """The event is durable in the spool: its file goes."""
        if name == REFUSED:
            self._gone.append(name)
            return
        self._out.discard(name)
        self._told.add(name)
        self._remove(name)

    def forget(self) -> "dict[str, object]":
        """What is to be kept no longer, for the next record: names of files that are surely gone."""
        if not self._gone:
            return {}
        try:
            sync_folder(self._folder)  # after a power cut a file must not be back when its name is forgotten
        except OSError:
            return {}
        gone, self._gone = self._gone, []
        self._told.difference_update(gone)
        return {KEY + name: None for name in gone}

    def _prepare(self) -> None:
        """The folder exists; what a script began and never finished goes, and so do names of files that are gone."""
        self._gone = sorted(name for name in self._told if not os.path.lexists(os.path.join(self._folder, name)))
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            unfinished = _names(self._folder, lambda name: name.startswith("."))
        except OSError:
            return  # `take` looks again
        for name in unfinished:
            path = os.path.join(self._folder, name)
            try:
                if self._wall() - os.lstat(path).st_mtime > STALE:
                    os.unlink(path)
            except OSError:
                continue

    def _look(self) -> bool:
        """Whether there is something new. A folder that does not change costs one stat."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
            if changed == self._seen and self._settled:
                return False
            self._settled = changed == self._seen  # once more after a change: two in one tick have one time
            self._seen = changed
            passed_over = {REFUSED, *self._out}
            self._waiting = sorted(
                _names(self._folder, lambda name: not name.startswith(".") and name not in passed_over)
            )
        except OSError:
            self._seen = 0
        return bool(self._waiting)

    def _read(self, name: str) -> "dict[str, object]":
        """The event in a file. Raises NotAnEvent, OSError."""
        if not NAME.match(name):
            raise NotAnEvent("its name is not one that `agent436.pyz event` gives")
        path = os.path.join(self._folder, name)
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise NotAnEvent("it is no file")
            raw = os.read(file, MAX_SIZE + 1)
        finally:
            os.close(file)
        if len(raw) > MAX_SIZE:
            raise NotAnEvent("it is larger than {} bytes".format(MAX_SIZE))
        return read(raw, self._wall())

    def _remove(self, name: str) -> None:
        try:
            os.unlink(os.path.join(self._folder, name))
        except FileNotFoundError:
            pass
        except OSError:
            return  # its name stays with those that were told
        self._gone.append(name)

    def _refuse(self, name: str, reason: str) -> None:
        """Out of the way, for somebody to look at; only so many of them."""
        self._refused += 1
        self._reason = "{}: {}".format(name, reason)
        path, aside = os.path.join(self._folder, name), os.path.join(self._folder, REFUSED)
        try:
            os.makedirs(aside, mode=0o700, exist_ok=True)
            if len(os.listdir(aside)) < MAX_REFUSED or os.path.isdir(path):
                os.rename(path, os.path.join(aside, name))
            else:
                os.unlink(path)
        except OSError:
            self._out.add(name)  # it cannot be moved: passed over until the next start

    def _tell_refused(self, now: float) -> "list[tuple[str, dict[str, object]]]":
        if not self._refused or now < self._tell_at:
            return []
        self._tell_at = now + REFUSED_EVERY
        text = "{} in the inbox held no event, see {}/{}; the last one: {}".format(
            "1 file" if self._refused == 1 else "{} files".format(self._refused), self._folder, REFUSED, self._reason
        )
        self._refused = 0
        return [(REFUSED, stated.event(stated.REPORTED, "warning", text, self._wall()))]


def _names(folder: str, wanted: "Callable[[str], bool]") -> "list[str]":
    """The names in a folder that are wanted, as many as the inbox takes: somebody else may have filled it."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if wanted(entry.name):
                found.append(entry.name)
                if len(found) >= MAX_FILES:
                    break
    return found
