"""Writing what must be there after a power cut. All of it raises OSError where the disk refuses."""

import os

CHUNK = 65536  # bytes


def write_all(file: int, data: bytes) -> None:
    """Write all of it."""
    while data:
        data = data[os.write(file, data) :]


def write_again(path: str) -> None:
    """Make durable what is in a file, whatever went before: who wrote it may have ended before it was synced, or after
    that failed. What then reads well from memory would be gone after a power cut, and no later sync would tell."""
    file, offset = os.open(path, os.O_RDWR | os.O_CLOEXEC), 0
    try:
        data = os.pread(file, CHUNK, offset)
        while data:
            offset += os.pwrite(file, data, offset)
            data = os.pread(file, CHUNK, offset)
        os.fsync(file)
    finally:
        os.close(file)


def sync_folder(folder: str) -> None:
    """Make what was created, renamed or removed in a folder durable."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def replace(path: str, content: bytes) -> None:
    """Replace a file, for its owner alone: after a power cut it is the old one or the new one."""
    file = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(path + ".new", path)
    sync_folder(os.path.dirname(path))
