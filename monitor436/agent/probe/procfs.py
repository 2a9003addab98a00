"""Small files of /proc, read whole; and the one way in which a reading says that it cannot be had."""

import os


class ReadingError(Exception):
    """A reading that cannot be had on this host; the text says why."""


def text(root: str, path: str) -> str:
    """What is in the file at `path` below `root`. Raises ReadingError with the path and the reason."""
    try:
        file = os.open(os.path.join(root, path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts = list(iter(lambda: os.read(file, 65536), b""))
        finally:
            os.close(file)
        return b"".join(parts).decode("utf-8", "replace")  # open() takes three times as long
    except OSError as problem:
        raise ReadingError("/{}: {}".format(path, problem.strerror)) from None


def start(path: str, limit: int) -> bytes:
    """The first `limit` bytes of a file, in one call: what the kernel makes up as it is read. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, limit)
    finally:
        os.close(file)
