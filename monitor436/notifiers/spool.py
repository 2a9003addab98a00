"""The spool of notifications: a file of JSON lines, each durable before anybody is told, put together at times."""

import os
from pathlib import Path

from msgspec import MsgspecError, json

from monitor436 import json_lines
from monitor436.agent.store.durable import replace, sync_folder, write_all
from monitor436.model.notify.alarm import Entry, Memory

GROWTH = 4 << 20  # bytes of lines after which they are put together


class Spool:
    """Blocking. Raises OSError where the disk does; what was not written then is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._size = 0
        self._base = 0

    def read(self) -> Memory:
        """What all lines come to. A last line that was torn by a power cut was never answered for."""
        memory = Memory()
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return memory
        for line in content.splitlines():
            try:
                memory.add(json.decode(line, type=Entry))
            except MsgspecError:
                continue
        return memory

    def add(self, line: bytes) -> None:
        """Make a line durable."""
        if self._file < 0:
            self._open()
        try:
            write_all(self._file, line + b"\n")
            os.fdatasync(self._file)
        except OSError:
            self.close()  # and begin with a newline next time: what is there is half a line
            raise
        self._size += len(line) + 1

    @property
    def large(self) -> bool:
        """Whether the lines are worth putting together."""
        return self._size - self._base > max(GROWTH, 2 * self._base)

    def replace(self, line: bytes) -> None:
        """One line for all."""
        self.close()
        replace(str(self._path), line + b"\n")
        self._open()
        self._base = self._size

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            if not size:  # it may be new: it is to be there after a power cut, before anything is in it
                sync_folder(str(self._path.parent))
            json_lines.mend(file)
        except OSError:
            os.close(file)
            raise
        self._file, self._size = file, size
