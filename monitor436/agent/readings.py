"""What the agent reads off its host without starting a process. To add one: a function here, and its name in READINGS."""

import os
import time


class ReadingError(Exception):
    """A reading that cannot be had on this host; the text says why."""


def load(minutes: int) -> "object":
    """The load average over 1, 5 or 15 minutes: how many processes ran or waited to."""
    place = {1: 0, 5: 1, 15: 2}[minutes]
    return lambda of, root: os.getloadavg()[place]


def memory_available_percent(of: str, root: str) -> float:
    """How much of the memory programs could still get, by the kernel's own estimate (MemAvailable in /proc/meminfo)."""
    sizes = {}
    try:
        with open(os.path.join(root, "proc/meminfo")) as file:
            for line in file:
                name, _, rest = line.partition(":")
                sizes[name] = float(rest.split()[0])
        return 100.0 * sizes["MemAvailable"] / sizes["MemTotal"]
    except (OSError, KeyError, ValueError, IndexError, ZeroDivisionError) as problem:
        raise ReadingError("/proc/meminfo: {}".format(problem)) from None


def filesystem_used_percent(of: str, root: str) -> float:
    """How full a file system is for ordinary users, as df says it: used / (used + available)."""
    found = _statvfs(of)
    used = found.f_blocks - found.f_bfree
    return 100.0 * used / max(1, used + found.f_bavail)


def filesystem_inodes_used_percent(of: str, root: str) -> float:
    """How many of a file system's inodes are in use; 0 for one that has no fixed number of them."""
    found = _statvfs(of)
    return 100.0 * (found.f_files - found.f_ffree) / found.f_files if found.f_files else 0.0


def uptime_seconds(of: str, root: str) -> float:
    """Seconds since the machine booted, time asleep included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))


def _statvfs(of: str) -> os.statvfs_result:
    try:
        return os.statvfs(of)
    except OSError as problem:
        raise ReadingError("{}: {}".format(of, problem.strerror)) from None


READINGS = {
    "load1": load(1),
    "load5": load(5),
    "load15": load(15),
    "memory_available_percent": memory_available_percent,
    "filesystem_used_percent": filesystem_used_percent,
    "filesystem_inodes_used_percent": filesystem_inodes_used_percent,
    "uptime_seconds": uptime_seconds,
}  # each called with (of, root): what it is about, and where / is (another folder in tests)
NEEDS_OF = frozenset({"filesystem_used_percent", "filesystem_inodes_used_percent"})
