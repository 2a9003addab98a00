"""An inventory as a file: read whole, with every mistake in its place, and stamped so that an edit is seen."""

import os
import stat

from monitor436.model.fleet.inventory import PATTERN, Inventory, read_inventory
from monitor436.model.source import Problem, SettingsError

MOST = 16 << 20  # bytes: more than 100,000 targets of the length that people write

Stamp = tuple[int, int, int]
GONE: Stamp = (0, -1, -1)


def inventory_stamp(path: str) -> Stamp:
    """What differs after an edit: time of change (ns), size and inode."""
    try:
        found = os.stat(path)
    except OSError:
        return GONE
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def read_inventory_file(path: str, pattern: str = PATTERN) -> Inventory:
    """What the file lists. Blocks. Raises SettingsError with all problems, also for a file that cannot be read."""
    try:
        with open(path, "rb", opener=_opened) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(0, "is not a regular file")
            content = file.read(MOST + 1)
    except OSError as wrong:
        raise SettingsError([Problem(path, 0, 0, "", f"cannot be read: {wrong.strerror}")]) from None
    if len(content) > MOST:
        raise SettingsError([Problem(path, 0, 0, "", f"is larger than {MOST >> 20} MiB")])
    return read_inventory(decoded(content, path), path, pattern)


def decoded(content: bytes, name: str) -> str:
    """The text of an inventory. Raises SettingsError with the place of what is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        begin = content.rfind(b"\n", 0, wrong.start) + 1
        column = len(content[begin : wrong.start].decode("utf-8")) + 1
        raise SettingsError([Problem(name, line, column, "", "not UTF-8")]) from None


def _opened(path: str, flags: int) -> int:
    """A descriptor that waits for nobody: a pipe in the place of a file must not stop the server."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
