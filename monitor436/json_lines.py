"""Files of JSON lines that are added and never changed: what was added is durable, also if the power goes meanwhile."""

import os
from pathlib import Path

from monitor436.agent.store.durable import sync_folder, write_all

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def keep(path: Path, line: bytes) -> None:
    """Make a line durable at the end of the file, which is made if need be, for its owner only. Raises OSError."""
    file = os.open(path, FLAGS | os.O_CREAT, 0o600)
    try:
        os.fchmod(file, 0o600)
        if not os.fstat(file).st_size:  # it may be new: it is to be there after a power cut, before anything is in it
            sync_folder(str(path.parent))
        add(file, line)
    finally:
        os.close(file)


def add(file: int, line: bytes) -> None:
    """The same for a file that is open. Raises OSError."""
    mend(file)
    write_all(file, line + b"\n")
    os.fsync(file)


def mend(file: int) -> None:
    """Half a line at the end, left by a power cut or a full disk, was never answered for: end it. Raises OSError."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        write_all(file, b"\n")


def new_lines(path: Path, read_to: int) -> tuple[list[bytes], int]:
    """The whole lines that came after so many bytes, and how many bytes were read by now. Raises OSError."""
    try:
        if path.stat().st_size <= read_to:
            return [], read_to
    except FileNotFoundError:
        return [], read_to
    with open(path, "rb") as file:
        file.seek(read_to)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    return whole.splitlines(), read_to + len(whole)
