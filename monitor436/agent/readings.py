"""What the agent reads off its host without a process. To add one: a function here, and its name in READINGS."""

import os
import time

AWAY = (
    "nfs nfs4 cifs smb3 smbfs ncpfs afs coda ceph lustre gfs2 ocfs2 glusterfs 9p autofs davfs beegfs orangefs".split()
)


class ReadingError(Exception):
    """A reading that cannot be had on this host; the text says why."""


def load1(of: str, root: str) -> float:
    """The load average over 1 minute: how many processes ran or waited to."""
    return _load(0)


def load5(of: str, root: str) -> float:
    """The load average over 5 minutes."""
    return _load(1)


def load15(of: str, root: str) -> float:
    """The load average over 15 minutes."""
    return _load(2)


def memory_available_percent(of: str, root: str) -> float:
    """How much of the memory programs could still get, by the kernel's own estimate (MemAvailable in /proc/meminfo)."""
    sizes = {}
    for line in _text(root, "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        sizes[name] = rest.split()[:1]
    try:
        return 100.0 * float(sizes["MemAvailable"][0]) / float(sizes["MemTotal"][0])
    except (KeyError, IndexError, ValueError, ZeroDivisionError):
        raise ReadingError("/proc/meminfo does not tell MemAvailable and MemTotal") from None


def filesystem_used_percent(of: str, root: str) -> float:
    """How full a file system is for ordinary users, as df says it: used / (used + available)."""
    found = _statvfs(of, root)
    used = found.f_blocks - found.f_bfree
    return 100.0 * used / max(1, used + found.f_bavail)


def filesystem_inodes_used_percent(of: str, root: str) -> float:
    """How many of a file system's inodes are in use; 0 for one that has no fixed number of them."""
    found = _statvfs(of, root)
    return 100.0 * (found.f_files - found.f_ffree) / found.f_files if found.f_files else 0.0


def uptime_seconds(of: str, root: str) -> float:
    """Seconds since the machine booted, time asleep included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))


def _load(place: int) -> float:
    try:
        return os.getloadavg()[place]
    except OSError:
        raise ReadingError("the load average cannot be had") from None


def _text(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as problem:
        raise ReadingError("/{}: {}".format(path, problem.strerror)) from None


def _statvfs(of: str, root: str) -> os.statvfs_result:
    kind = _kind(of, root)
    if kind in AWAY or kind.startswith("fuse."):
        raise ReadingError("{} is on {}, where asking may hang the agent: use a command such as df".format(of, kind))
    try:
        return os.statvfs(of)
    except OSError as problem:
        raise ReadingError("{}: {}".format(of, problem.strerror)) from None


def _kind(path: str, root: str) -> str:
    """The type of the file system that `path` is on, found without touching it; empty where it is not known."""
    kind, longest = "", -1
    try:
        mounts = _text(root, "proc/self/mounts")
    except ReadingError:
        return ""
    for line in mounts.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        at = words[1].replace("\\040", " ").rstrip("/")
        if (path + "/").startswith(at + "/") and len(at) >= longest:  # of two on one place, the later one is on top
            kind, longest = words[2], len(at)
    return kind


READINGS = {
    "load1": load1,
    "load5": load5,
    "load15": load15,
    "memory_available_percent": memory_available_percent,
    "filesystem_used_percent": filesystem_used_percent,
    "filesystem_inodes_used_percent": filesystem_inodes_used_percent,
    "uptime_seconds": uptime_seconds,
}  # each called with (of, root): what it is about, and where / is (another folder in tests)
NEEDS_OF = frozenset({"filesystem_used_percent", "filesystem_inodes_used_percent"})
