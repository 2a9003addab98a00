"""What the agent reads off its host without a program. To add one: a function here, and its name in READINGS."""

import os
import time
from collections import namedtuple

from monitor436.agent.probe import counters
from monitor436.agent.probe.mounts import local
from monitor436.agent.probe.processes import HIDDEN, hides, running
from monitor436.agent.probe.procfs import ReadingError, text


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
    """How much of the memory programs could still get, by the kernel's own estimate."""
    available, total = _sizes(root, "MemAvailable", "MemTotal")
    if not total:
        raise ReadingError("/proc/meminfo does not tell MemTotal")
    return 100.0 * available / total


def swap_used_percent(of: str, root: str) -> float:
    """How much of the swap space is used; 0 where there is none."""
    free, total = _sizes(root, "SwapFree", "SwapTotal")
    return 100.0 * (total - free) / total if total else 0.0


def processes(of: str, root: str) -> float:
    """How many processes there are."""
    found = running(root)
    if hides(root):
        raise ReadingError(HIDDEN)
    return float(len(found))


def uptime_seconds(of: str, root: str) -> float:
    """Seconds since the machine booted, time asleep included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))


def filesystem_used_percent(of: str, root: str) -> float:
    """How full a file system is for ordinary users, as df says it: used / (used + available)."""
    found = _statvfs(of, root)
    used = found.f_blocks - found.f_bfree
    return 100.0 * used / max(1, used + found.f_bavail)


def filesystem_available_bytes(of: str, root: str) -> float:
    """What ordinary users can still write to a file system."""
    found = _statvfs(of, root)
    return float(found.f_bavail) * found.f_frsize


def filesystem_inodes_used_percent(of: str, root: str) -> float:
    """How many of a file system's inodes are in use; 0 for one that has no fixed number of them."""
    found = _statvfs(of, root)
    return 100.0 * (found.f_files - found.f_ffree) / found.f_files if found.f_files else 0.0


def file_age_seconds(of: str, root: str) -> float:
    """How long ago a file was written to, by the wall clock; 0 for one that says it was in the future."""
    return max(0.0, time.time() - _stat(of, root).st_mtime)


def file_size_bytes(of: str, root: str) -> float:
    """How long a file is."""
    return float(_stat(of, root).st_size)


def _load(place: int) -> float:
    try:
        return os.getloadavg()[place]
    except OSError:
        raise ReadingError("the load average cannot be had") from None


def _sizes(root: str, *names: str) -> "list[float]":
    """Lines of /proc/meminfo, in KiB."""
    sizes = {}
    for line in text(root, "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        sizes[name] = rest.split()[:1]
    try:
        return [float(sizes[name][0]) for name in names]
    except (KeyError, IndexError, ValueError):
        raise ReadingError("/proc/meminfo does not tell {}".format(" and ".join(names))) from None


def _statvfs(of: str, root: str) -> os.statvfs_result:
    try:
        return os.statvfs(local(of, root))
    except OSError as problem:
        raise ReadingError("{}: {}".format(of, problem.strerror)) from None


def _stat(of: str, root: str) -> os.stat_result:
    try:
        return os.stat(local(of, root))
    except OSError as problem:
        raise ReadingError("{}: {}".format(of, problem.strerror)) from None


class Reading(namedtuple("Reading", "take of rate")):
    """One thing that can be read.

    `take(of, root)` gives a float, or raises ReadingError; `of` says what it is about: "", "path", "device" or
    "interface". With a `rate`, what is taken is a running total, and `rate(before, after, seconds)` makes the value
    of two of them: a float, or None where they say nothing.
    """

    __slots__ = ()

    def __new__(cls, take: object, of: str, rate: object = None) -> "Reading":
        """Most have no rate."""
        return super().__new__(cls, take, of, rate)


READINGS = {
    "load1": Reading(load1, ""),
    "load5": Reading(load5, ""),
    "load15": Reading(load15, ""),
    "cpu_percent": Reading(counters.cpu_times, "", counters.busy_percent),
    "memory_available_percent": Reading(memory_available_percent, ""),
    "swap_used_percent": Reading(swap_used_percent, ""),
    "processes": Reading(processes, ""),
    "uptime_seconds": Reading(uptime_seconds, ""),
    "filesystem_used_percent": Reading(filesystem_used_percent, "path"),
    "filesystem_available_bytes": Reading(filesystem_available_bytes, "path"),
    "filesystem_inodes_used_percent": Reading(filesystem_inodes_used_percent, "path"),
    "file_age_seconds": Reading(file_age_seconds, "path"),
    "file_size_bytes": Reading(file_size_bytes, "path"),
    "disk_read_bytes_per_second": Reading(counters.disk_read, "device", counters.per_second),
    "disk_written_bytes_per_second": Reading(counters.disk_written, "device", counters.per_second),
    "network_received_bytes_per_second": Reading(counters.network_received, "interface", counters.per_second),
    "network_sent_bytes_per_second": Reading(counters.network_sent, "interface", counters.per_second),
}
