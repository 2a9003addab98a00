"""The stores that need no server of their own, and what SQLite does about a disk that fails."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from twisted.trial.unittest import TestCase

from monitor436.model.metrics.line import Part
from monitor436.storage.life import Life
from monitor436.storage.memory import Memory
from monitor436.storage.sqlite import Sqlite
from monitor436.storage.store import StoreAway
from tests.storage.contract import NOON, Receiver, StoreContract, at_once, part


class MemoryTests(StoreContract, TestCase):
    """Nothing is kept."""

    keeps = False

    def store(self) -> Memory:
        return Memory()


class Stumbling(Sqlite):
    """The disk fails once, behind the first page."""

    pages = 0

    def _page(self) -> list[Part]:
        self.pages += 1
        if self.pages == 2:
            raise sqlite3.OperationalError("disk I/O error")
        return super()._page()


class SqliteTests(StoreContract, TestCase):
    """A file, and what may happen to it."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "state" / "summaries.sqlite"
        self.stores: list[Sqlite] = []

    def store(self, kind: type[Sqlite] = Sqlite) -> Sqlite:
        self.stores.append(kind(self.path, at_once, "boot1"))
        self.addCleanup(self.stores[-1]._close)
        return self.stores[-1]

    async def killed(self, receiver: Receiver) -> None:
        self.stores[-1]._close()

    def files(self) -> list[str]:
        """What lies in the folder."""
        return sorted(path.name for path in self.path.parent.iterdir())

    async def full(self) -> None:
        """A file with one sum in it, and nothing beside it that could stand in for a spoilt page."""
        receiver = Receiver(self.store())
        receiver.take(2.0)
        await receiver.rollups._last()
        with contextlib.closing(sqlite3.connect(self.path)) as base:
            self.assertEqual(base.execute("PRAGMA journal_mode=DELETE").fetchall(), [("delete",)])

    async def test_nobody_else_may_read_it(self) -> None:
        """Names of hosts and what they do are nobody's business."""
        store = self.store()
        await store.open(NOON)
        await store.write([part(NOON)], NOON)
        self.assertEqual({os.stat(self.path.parent / name).st_mode & 0o77 for name in self.files()}, {0})

    async def test_a_spoilt_file_is_moved_aside_and_begun_anew(self) -> None:
        """Its head, or a page in the middle; it is said where it is now."""
        for where in (0, 4096 + 8):
            await self.full()
            with open(self.path, "r+b") as file:
                file.seek(where)
                file.write(b"\xff" * 600)
            receiver = Receiver(self.store())
            await receiver.rollups.keep()
            await receiver.rollups.keep()
            self.assertIn("metrics_store begun_anew", receiver.kinds())
            aside = [name for name in self.files() if "spoilt" in name]
            self.assertIn(aside[0], "".join(event.text for event in receiver.told))
            receiver.take(1.0)
            await receiver.rollups._last()
            again = Receiver(self.store())
            await again.rollups.keep()
            self.assertEqual(await again.sums(), {"load": (1, 1.0)})
            self.assertEqual(again.rollups.degraded, "")
            await again.rollups._last()
            shutil.rmtree(self.path.parent)

    async def test_a_file_that_is_spoilt_while_it_is_open_loses_nothing_that_is_in_memory(self) -> None:
        """Everything is written anew into the next one."""
        receiver = Receiver(self.store())
        receiver.take(2.0)
        await receiver.rollups.keep()
        base = self.stores[-1]._base
        assert base is not None
        base.execute("DROP TABLE windows")
        receiver.take(3.0, label="other")
        await receiver.rollups.keep()
        self.assertIn("no such table", receiver.rollups.degraded)
        await receiver.rollups.keep()
        self.assertEqual(receiver.rollups.degraded, "")
        await receiver.rollups._last()
        other = Receiver(self.store())
        await other.rollups.keep()
        self.assertEqual(await other.sums(), {"load": (1, 2.0), "other": (1, 3.0)})

    async def test_a_file_that_was_taken_away_is_made_again(self) -> None:
        """By somebody who cleans up."""
        receiver = Receiver(self.store())
        receiver.take(2.0)
        await receiver.rollups.keep()
        for name in self.files():
            os.unlink(self.path.parent / name)
        await receiver.rollups.keep()
        self.assertIn("taken away", receiver.rollups.degraded)
        await receiver.rollups.keep()
        await receiver.rollups._last()
        other = Receiver(self.store())
        await other.rollups.keep()
        self.assertEqual(await other.sums(), {"load": (1, 2.0)})

    async def test_a_full_disk_is_told_once_and_nothing_is_lost_when_there_is_room(self) -> None:
        """SQLite's own bound on pages stands for the disk."""
        receiver = Receiver(self.store())
        await receiver.rollups.keep()
        base = self.stores[-1]._base
        assert base is not None
        base.execute("PRAGMA max_page_count = 4")
        for number in range(300):
            receiver.take(float(number), label=f"label {number % 90:0150}")
        for _ in range(3):
            await receiver.rollups.keep()
        self.assertIn("full", receiver.rollups.degraded)
        receiver.take(5.0, label="meanwhile")
        base.execute("PRAGMA max_page_count = 100000")
        await receiver.rollups.keep()
        self.assertEqual(receiver.kinds(), ["metrics_store degraded", "metrics_store well"])
        expected = await receiver.sums()
        self.assertEqual(len(expected), 91)
        await receiver.rollups._last()
        other = Receiver(self.store())
        await other.rollups.keep()
        self.assertEqual(await other.sums(), expected)

    async def test_two_servers_do_not_write_one_file(self) -> None:
        """The second says why it keeps nothing, and does once the first is gone."""
        await self.store().open(NOON)
        base = sqlite3.connect(self.path, timeout=0)
        self.addCleanup(base.close)
        self.assertRaises(sqlite3.OperationalError, base.execute, "SELECT * FROM life")
        second = Receiver(self.store())
        second.take(1.0)
        await second.rollups.keep()
        self.assertIn("another process has it open", second.rollups.degraded)
        await self.stores[0].close(NOON)
        await second.rollups.keep()
        self.assertEqual((second.rollups.degraded, await second.sums()), ("", {"load": (1, 1.0)}))

    async def test_a_file_of_a_later_version_is_left_as_it_is(self) -> None:
        """The way back to it stays open."""
        await self.full()
        base = sqlite3.connect(self.path)
        base.execute("PRAGMA user_version = 99")
        base.close()
        before = self.lives()
        store = self.store()
        with self.assertRaises(StoreAway) as caught:
            await store.open(NOON)
        self.assertIn("version 99", str(caught.exception))
        await store.close(NOON)
        self.assertEqual(self.lives(), before)

    async def test_a_disk_that_fails_while_the_file_is_read_doubles_nothing(self) -> None:
        """The file is opened again, and what was read of it is not read again."""
        await self.full()
        receiver = Receiver(self.store(Stumbling))
        await receiver.rollups.keep()
        self.assertIn("disk I/O error", receiver.rollups.degraded)
        await receiver.rollups.keep()
        self.assertEqual((receiver.rollups.degraded, await receiver.sums()), ("", {"load": (1, 2.0)}))

    def lives(self) -> list[object]:
        """What the file says of the process that wrote last."""
        with contextlib.closing(sqlite3.connect(self.path)) as base:
            return base.execute("SELECT * FROM life").fetchall()

    async def test_a_clock_that_is_behind_at_the_start_forgets_nothing(self) -> None:
        """A machine without a battery starts in 1970."""
        await self.full()
        receiver = Receiver(self.store())
        receiver.wall = 100.0
        await receiver.rollups.keep()
        await receiver.rollups.expire()
        receiver.wall = NOON + 60
        self.assertEqual(await receiver.sums(), {"load": (1, 2.0)})


class LifeTests(TestCase):
    """For how long nobody was there."""

    def test_within_one_start_of_the_machine_its_own_clock_tells(self) -> None:
        """Whatever the wall clock did meanwhile."""
        self.assertEqual(Life(9e9, 100.0, "b", False).silent(Life(1e9, 107.5, "b", False)), 7.5)

    def test_after_another_start_the_wall_clock_has_to_do(self) -> None:
        """Never less than nothing, never more than a month."""
        for wall, seconds in ((1e9 + 30, 30.0), (1.0, 0.001), (9e9, 30 * 86400.0)):
            self.assertEqual(Life(1e9, 100.0, "b", False).silent(Life(wall, 5.0, "c", False)), seconds)

    def test_whoever_said_goodbye_is_not_missed(self) -> None:
        """However long ago."""
        self.assertEqual(Life(1e9, 100.0, "b", True).silent(Life(2e9, 107.5, "b", False)), 0.0)
