"""Summaries in a SQLite file, in a thread of its own.

With write-ahead logging and synchronous=NORMAL a process that is killed loses no transaction, and a power cut the
last few at most, never the file: of values that are summaries and a few seconds old anyway, that is enough, and spares
an fsync for each write. The file is locked for as long as it is open.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from monitor436.model.metrics.line import HOUR, HOURS, MINUTE, MINUTES, Part, Window
from monitor436.model.metrics.rollup import Latest
from monitor436.storage.life import Life, here
from monitor436.storage.store import Opened, Store, StoreAway

VERSION = 1
WIDTHS = ((MINUTE, MINUTES), (HOUR, HOURS))
FIRST = (0, 0, "", "")  # before all keys
NAMES = ("", "-wal", "-shm", "-journal")  # of files that belong together
SPOILT = ("malformed", "not a database", "file is encrypted", "no such table", "no such column", "unsupported file")
SCHEMA = """
CREATE TABLE IF NOT EXISTS windows (
  width INTEGER, start INTEGER, host TEXT, label TEXT,
  count INTEGER, sum REAL, min REAL, max REAL, last REAL, last_at REAL,
  PRIMARY KEY (width, start, host, label)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS life (id INTEGER PRIMARY KEY, wall REAL, monotonic REAL, boot TEXT, clean INTEGER);
"""
PRAGMAS = ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL", "journal_size_limit=8388608")
WRITE = "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
READ = """SELECT width, start, host, label, count, sum, min, max, last, last_at FROM windows
WHERE (width, start, host, label) > (?, ?, ?, ?) ORDER BY width, start, host, label LIMIT 2000"""
LIVE = "INSERT OR REPLACE INTO life VALUES (0, ?, ?, ?, ?)"

Outcome = TypeVar("Outcome")
InThread = Callable[[Callable[[], Any]], "Deferred[Any]"]


class Gone(OSError):
    """The file that was open does not have the name any more."""


class Sqlite(Store):
    """The file `path`; its folder is made. `boot`: which start of this machine it is.

    A file that is spoilt is moved aside and begun anew.
    """

    shared = False

    def __init__(self, path: Path, in_thread: InThread, boot: str) -> None:
        self._path = path
        self._in_thread = in_thread
        self._boot = boot
        self._base: sqlite3.Connection | None = None
        self._inode = 0
        self._page_at: tuple[int, int, str, str] = FIRST
        self._wrong = ""  # what is wrong with the file

    async def open(self, wall: float) -> Opened:
        return await self._do(lambda: self._opened(wall))

    async def more(self) -> Sequence[Part]:
        return await self._do(self._page)

    async def write(self, parts: Sequence[Part], wall: float) -> None:
        life = here(wall, self._boot)  # what is taken while the thread is still busy is not among the parts
        await self._do(lambda: self._write(parts, life))

    async def read(self, host: str, wall: float) -> list[Part]:
        return []  # nobody else writes here

    async def hosts(self, wall: float) -> list[str]:
        return []

    async def latest(self, wall: float) -> list[Latest]:
        return []

    async def expire(self, wall: float) -> None:
        await self._do(lambda: self._expire(wall))

    async def close(self, wall: float) -> None:
        with contextlib.suppress(StoreAway):
            await self._do(lambda: self._write((), here(wall, self._boot, clean=True)))
        with contextlib.suppress(StoreAway):
            await self._do(self._close)

    # in the thread

    async def _do(self, call: Callable[[], Outcome]) -> Outcome:
        try:
            return await self._in_thread(call)  # type: ignore[no-any-return]
        except (sqlite3.Error, OSError) as wrong:
            if _spoilt(wrong):
                self._wrong = str(wrong)
            raise StoreAway(f"{self._path}: {_why(wrong)}", bool(self._wrong) or isinstance(wrong, Gone)) from None

    def _opened(self, wall: float) -> Opened:
        self._close()
        if not self._wrong:
            try:
                return self._load(wall)
            except (sqlite3.DatabaseError, OSError) as wrong:
                self._close()  # a later version's file, too: nothing may be written there at the end
                if not _spoilt(wrong):
                    raise
                self._wrong = str(wrong)
        aside, why = self._move_aside(wall), self._wrong
        opened, self._wrong = self._load(wall), ""
        return opened._replace(told=f"{self._path} was spoilt ({why}): it is {aside} now, and summaries begin anew")

    def _load(self, wall: float) -> Opened:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # SQLite's own would be for everybody
        before, self._inode = self._inode, os.fstat(file).st_ino
        os.close(file)
        if self._inode != before:
            self._page_at = FIRST  # of a file that failed while it was read, the rest is still to be read
        base = self._base = sqlite3.connect(self._path, timeout=0.1, isolation_level=None, check_same_thread=False)
        for pragma in (
            "locking_mode=EXCLUSIVE",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "journal_size_limit=8388608",
            "cache_size=-1024",  # KiB: windows of one time lie together
        ):
            base.execute(f"PRAGMA {pragma}").fetchall()
        version = base.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise OSError(f"is of version {version}; this program writes {VERSION}")
        base.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        self._expire(wall)
        row = base.execute("SELECT wall, monotonic, boot, clean FROM life").fetchone()
        silent = Life(*row).silent(here(wall, self._boot)) if row else 0.0
        self._write((), here(wall, self._boot))
        return Opened(silent)

    def _page(self) -> list[Part]:
        rows = self._there().execute(READ, self._page_at).fetchall()
        if rows:
            self._page_at = rows[-1][:4]
        return [Part(host, label, width, Window(start, *rest)) for width, start, host, label, *rest in rows]

    def _write(self, parts: Sequence[Part], life: Life) -> None:
        base = self._there()
        rows = sorted((each.width, each.window[0], *each[:2], *each.window[1:]) for each in parts)  # fills pages
        base.execute("BEGIN IMMEDIATE")
        try:
            base.executemany(WRITE, rows)
            base.execute(LIVE, life)
            base.execute("COMMIT")
        except BaseException:
            if base.in_transaction:
                base.execute("ROLLBACK")
            raise

    def _expire(self, wall: float) -> None:
        """What lies ahead stays: a machine that starts may think for a while that it is 1970."""
        base = self._there()
        for width, shown in WIDTHS:
            first = (int(wall) // width - shown + 1) * width
            base.execute("DELETE FROM windows WHERE width = ? AND start < ?", (width, first))

    def _there(self) -> sqlite3.Connection:
        """The open file, if it is still the one that has the name."""
        if self._base is None:
            raise Gone("is not open")
        try:
            same = os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            raise Gone("was taken away")
        return self._base

    def _move_aside(self, wall: float) -> Path:
        aside = self._path.with_name(f"{self._path.name}.spoilt-{int(wall)}")
        for name in NAMES:
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self._path}{name}", f"{aside}{name}")
        return aside

    def _close(self) -> None:
        base, self._base = self._base, None
        if base is not None:
            base.close()


def _spoilt(wrong: Exception) -> bool:
    return isinstance(wrong, sqlite3.DatabaseError) and any(words in str(wrong) for words in SPOILT)


def _why(wrong: Exception) -> str:
    if "locked" in str(wrong):
        return "another process has it open"
    return wrong.strerror or str(wrong) if isinstance(wrong, OSError) else str(wrong)
