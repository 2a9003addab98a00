"""Which file system a path is on, found without touching those of other machines: these may hold whoever asks."""

import os
import re
from collections import namedtuple

from monitor436.agent.probe.procfs import ReadingError, text

AWAY = frozenset(
    "nfs nfs4 cifs smb3 smbfs ncpfs afs coda ceph lustre gfs2 ocfs2 glusterfs 9p fuse autofs davfs beegfs "
    "orangefs".split()
)
MOST_LINKS = 40  # symbolic links on the way to a file: what the kernel follows too
_ESCAPED = re.compile(r"\\([0-7]{3})")  # how the kernel writes blanks in a path

_known = {}  # type: dict[str, list[Mount]]  # the last table that was seen

Mount = namedtuple("Mount", "at kind")  # where it is, without a slash at its end; the type of its file system


def mounts(root: str) -> "list[Mount]":
    """Every mount in the order in which they were made; none where the kernel does not tell."""
    try:
        table = text(root, "proc/self/mounts")
    except ReadingError:
        return []
    if table not in _known:
        _known.clear()
        rows = [line.split() for line in table.splitlines()]
        _known[table] = [Mount(_ESCAPED.sub(_meant, row[1]).rstrip("/"), row[2]) for row in rows if len(row) > 2]
    return _known[table]


def local(path: str, root: str) -> str:
    """The absolute `path` with all links resolved. Raises ReadingError if that leads to another machine."""
    known = mounts(root)
    reached, ahead = "", path.split("/")[::-1]
    links = 0
    while ahead:
        step = ahead.pop()
        if step in ("", "."):
            continue
        reached = os.path.dirname(reached) if step == ".." else reached + "/" + step
        reached = "" if reached == "/" else reached
        _refuse_away(reached or "/", path, known)
        try:
            target = os.readlink(reached or "/")
        except OSError:  # no link; what is not there at all is told by whoever opens it
            continue
        links += 1
        if links > MOST_LINKS:
            raise ReadingError("{}: too many symbolic links".format(path))
        reached = "" if target.startswith("/") else os.path.dirname(reached).rstrip("/")
        ahead += target.split("/")[::-1]
    _refuse_away(reached or "/", path, known)
    return reached or "/"


def kind(path: str, root: str = "/") -> str:
    """The type of the file system that a path without links is on; empty where the kernel does not tell."""
    return _kind(path, mounts(root))


def _refuse_away(reached: str, path: str, known: "list[Mount]") -> None:
    found = _kind(reached, known)
    if found in AWAY or found.startswith("fuse."):
        raise ReadingError("{} is on {}, where asking may hang the agent: use a command such as df".format(path, found))


def _kind(path: str, known: "list[Mount]") -> str:
    """The type of the file system that `path` is on; empty where it is not known."""
    found, longest = "", -1
    for mount in known:
        if len(mount.at) >= longest and (path.rstrip("/") + "/").startswith(mount.at + "/"):
            found, longest = mount.kind, len(mount.at)  # of two on one place, the later one is on top
    return found


def _meant(escaped: "re.Match[str]") -> str:
    return chr(int(escaped.group(1), 8))
