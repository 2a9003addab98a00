"""Counting processes: from /proc, or from the table that a ps command prints."""

import errno
import fnmatch
import os
import re
import time

from monitor436.agent.match.budget import Budget, Overrun
from monitor436.agent.probe.procfs import ReadingError, start

KERNEL_THREAD = 0x00200000  # PF_KTHREAD among the flags of a task (include/linux/sched.h): it has no command line
STATE, FLAGS, THREADS = 0, 6, 17  # places in /proc/PID/stat after the name (proc(5))
STAT_START = 512  # bytes of it that have these
LINE_START = 65536  # bytes of a command line: Java puts the name of the program after all its libraries
DEAD = (b"Z", b"X", b"x")
WAITS = b"D"  # uninterruptibly: whoever asks for its memory, and the command line is in that, may have to wait too
PATIENCE = 0.5  # seconds of processor time for the pattern of a check in one run
NO_PROC = '/proc does not tell about processes here: give the check a "ps" command'
HIDDEN = (
    '/proc hides the processes of other users from the agent (hidepid): give the check a "ps" command that may see '
    "them, or run the agent as root or in the group that the mount names (gid=)"
)

_COMMAND = (b"COMMAND", b"CMD", b"ARGS")
_USER = (b"USER", b"UID", b"EUSER", b"RUSER")
_STATE = (b"STAT", b"S", b"STATE")
_SHORT = 8  # characters of a user's name in the tables of ps programs that cut it


class Wanted:
    """Which processes count: a shell pattern on the name, a regular expression in the command line, a user."""

    def __init__(self, process: str, command_line: str = "", user: str = "") -> None:
        self._names = re.compile(fnmatch.translate(process)).match
        self._any = process == "*"
        self._search = re.compile(command_line.encode("utf-8")).search if command_line else None
        self.by_line = bool(command_line)
        self.user = user
        self._uid = None  # type: int | None
        self._left = PATIENCE

    def begin(self) -> None:
        """A run begins: the pattern has its time anew."""
        self._left = PATIENCE

    def named(self, *names: bytes) -> bool:
        """Whether one of the names of a process is wanted."""
        return self._any or any(self._names(name.decode("utf-8", "backslashreplace")) for name in names if name)

    def has_line(self, line: bytes) -> bool:
        """Whether a command line is wanted. Raises ReadingError when that takes too long."""
        if self._search is None:
            return True
        begun = time.process_time()
        try:
            with Budget(self._left):
                found = self._search(line) is not None
        except Overrun:
            raise ReadingError("its pattern takes too long") from None
        self._left = max(0.001, self._left - (time.process_time() - begun))
        return found

    def uid(self) -> "int | None":
        """Whose processes count; None for anybody's. Raises ReadingError for a user whom this host does not know."""
        if self.user and self._uid is None:
            self._uid = int(self.user) if self.user.isdigit() else _uid(self.user)
        return self._uid

    def owns(self, cell: bytes) -> bool:
        """Whether a cell of a table names the user: by name, cut or not, or by number."""
        told = cell.decode("utf-8", "backslashreplace")
        cut = told[:-1] if told.endswith("+") else told if len(told) == _SHORT else ""
        if told == self.user or (cut and self.user.startswith(cut)):
            return True
        try:
            return told.isdigit() and int(told) == self.uid()
        except ReadingError:  # the table may be of another place, where the user has a name
            return False


def running(root: str) -> "list[str]":
    """The numbers of all processes that /proc below `root` shows. Raises ReadingError where it shows none."""
    try:
        found = [name for name in os.listdir(os.path.join(root, "proc")) if name.isdigit()]
    except OSError:
        found = []
    if not found:
        raise ReadingError(NO_PROC)
    return found


def hides(root: str) -> bool:
    """Whether /proc keeps the processes of other users from us: the first one is there for whoever may see it."""
    try:
        return not start(os.path.join(root, "proc/1/stat"), STAT_START)
    except OSError:
        return True


def count(wanted: Wanted, root: str, enough: int = 0) -> int:
    """How many processes are wanted, by /proc below `root`; zombies are none.

    Raises ReadingError where /proc is not there, or cannot be trusted to show as many as `enough`.
    """
    wanted.begin()
    uid = wanted.uid()
    pids = running(root)
    if uid != os.geteuid() and hides(root):
        raise ReadingError(HIDDEN)
    found = hidden = waiting = 0
    folder = os.path.join(root, "proc") + "/"
    for pid in pids:
        try:
            verdict = _is_wanted(folder + pid, wanted, uid)
        except OSError as problem:  # most often it has just ended
            hidden += problem.errno in (errno.EACCES, errno.EPERM)
            continue
        found += verdict is True
        waiting += verdict is None
    if found < enough and hidden:
        raise ReadingError(HIDDEN)
    if found < enough <= found + waiting:
        raise ReadingError(
            "{} that might be it wait for a disk, and their command lines cannot be read".format(waiting)
        )
    return found


def count_in(wanted: Wanted, table: bytes) -> int:
    """How many rows of a table that ps has printed are wanted. Raises ReadingError for what is no such table."""
    wanted.begin()
    lines = table.split(b"\n")
    rows = iter(lines)
    header = next((words for words in map(bytes.split, rows) if words and words[-1] in _COMMAND), None)
    if header is None:
        said = next((line.strip() for line in lines if line.strip()), b"nothing").decode("utf-8", "backslashreplace")
        raise ReadingError("no header with COMMAND, CMD or ARGS as its last column: {}".format(said))
    if b"STARTED" in header:
        raise ReadingError("a column STARTED has blanks in it: leave it out")
    owner, state = _column(header, _USER), _column(header, _STATE)
    if wanted.user and owner is None:
        raise ReadingError("no column USER or UID: {}".format(b" ".join(header).decode("utf-8", "backslashreplace")))
    found = 0
    for row in rows:
        cells = row.split(None, len(header) - 1)
        if len(cells) < len(header) or _is_dead(cells, state):
            continue
        if wanted.user and not wanted.owns(cells[owner or 0]):
            continue
        names, line = _told(cells[-1])
        found += wanted.named(*names) and wanted.has_line(line)
    return found


def _is_wanted(folder: str, wanted: Wanted, uid: "int | None") -> "bool | None":
    """None: that cannot be told without reading what might make us wait. Raises OSError if it has ended meanwhile.

    The name in `stat` is cut at 15 bytes, and that of a script is the script's; the first word of the command line has
    the rest, and whose name that is. It is only read where it matters.
    """
    stat = start(folder + "/stat", STAT_START)
    before, _, after = stat.rpartition(b")")
    name, fields = before.partition(b"(")[2], after.split()
    if len(fields) <= THREADS or (fields[STATE] in DEAD and fields[THREADS] in (b"0", b"1")):
        return False  # with more threads only the first one has ended
    if uid is not None and os.stat(folder).st_uid != uid:
        return False
    by_name = wanted.named(name)
    if by_name and not wanted.by_line:
        return True
    if int(fields[FLAGS]) & KERNEL_THREAD:
        return by_name and wanted.has_line(b"[" + name + b"]")
    if fields[STATE] == WAITS:
        return None if by_name else False
    words = start(folder + "/cmdline", LINE_START)
    if not by_name and not wanted.named(_program(words.split(b"\0", 1)[0])):
        return False
    return wanted.has_line(words.rstrip(b"\0").replace(b"\0", b" ") or b"[" + name + b"]")


def _program(word: bytes) -> bytes:
    """The name of a program by the first word of its command line: also of a login shell, or one that set a title."""
    title = word.split(b" ", 1)[0]
    if title.endswith(b":"):
        word = title[:-1]
    return word[word.rfind(b"/") + 1 :].lstrip(b"-")


def _told(cell: bytes) -> "tuple[list[bytes], bytes]":
    """The names and the command line in the last cell of a row: "nginx -g x", "[kthreadd]", "{script} python3 x"."""
    if cell.startswith(b"["):
        return [cell[1:].rpartition(b"]")[0]], cell
    if cell.startswith(b"{"):
        name, _, line = cell[1:].partition(b"} ")
        return [name, _program(line.split(b" ", 1)[0])], line
    return [_program(cell.split(b" ", 1)[0])], cell


def _is_dead(cells: "list[bytes]", state: "int | None") -> bool:
    return cells[-1].rstrip().endswith(b"<defunct>") or (state is not None and cells[state][:1] in DEAD)


def _column(header: "list[bytes]", names: "tuple[bytes, ...]") -> "int | None":
    return next((place for place, name in enumerate(header[:-1]) if name in names), None)


def _uid(user: str) -> int:
    import pwd  # only where a plan asks for a user

    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ReadingError("this host has no user {}".format(user)) from None
