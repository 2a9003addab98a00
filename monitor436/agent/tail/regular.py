"""A regular file, opened for reading: nothing else is ever opened, or waited for."""

import fcntl
import os
import stat
import struct
import sys
from collections.abc import Callable

_GET_GENERATION = 2 << 30 | struct.calcsize("l") << 16 | ord("v") << 8 | 1  # FS_IOC_GETVERSION of linux/fs.h


class Unreadable(Exception):
    """The file is there and cannot be followed; the text says why."""


def anything(path: str) -> str:
    """Why a file may not be read: no reason."""
    return ""


def opened(path: str, refusal: "Callable[[str], str]") -> int:
    """A descriptor of the file at `path`, for reading. Raises FileNotFoundError, Unreadable.

    `refusal(path)` gives the sentence why this host does not let the file at that path, without links, be read, or "".
    """
    try:
        real = os.path.realpath(path)
        _permit(refusal(real))
        if not stat.S_ISREG(os.stat(real).st_mode):
            raise Unreadable("not a regular file")
        fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise Unreadable(problem.strerror) from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # another one than a moment ago
            raise Unreadable("not a regular file")
        there = _path_of(fd)
        if there not in ("", real):  # a link on the way was switched meanwhile
            _permit(refusal(there))
    except Unreadable:
        os.close(fd)
        raise
    return fd


def generation(fd: int) -> int:
    """Which of the files that had its inode one after another this is; 0 where the file system does not tell."""
    number = bytearray(8)
    try:
        fcntl.ioctl(fd, _GET_GENERATION, number)
    except OSError:
        return 0
    return int.from_bytes(number[:4], sys.byteorder)


def _permit(sentence: str) -> None:
    if sentence:
        raise Unreadable(sentence)


def _path_of(fd: int) -> str:
    """Under which path the kernel knows an open file; empty where it does not tell."""
    try:
        return os.readlink("/proc/self/fd/{}".format(fd))
    except OSError:
        return ""
