"""The file of a sink: each line once, on the disk or not there."""

import errno
import os
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from monitor436.model.sweep.rows import Row, Tally, read_row
from monitor436.queues.row_file import RowFile


class FullDisk:
    """What `os` does, until it is full: then half of what is written gets there."""

    def __init__(self) -> None:
        self.full = False

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def pwrite(self, file: int, content: bytes, at: int) -> int:
        if not self.full:
            return os.pwrite(file, content, at)
        if len(content) < 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.pwrite(file, content[: len(content) // 2], at)


class RowFileTests(unittest.TestCase):
    """In a folder of its own."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "rows")

    def opened(self, disk: Any = os) -> tuple[RowFile, list[bytes]]:
        """A file that is open, and the lines that it had."""
        file, found = RowFile(self.path, disk), []
        file.open(found.append)
        self.addCleanup(file.close)
        return file, found

    def test_lines_are_found_again(self) -> None:
        """And new ones come behind them."""
        file, found = self.opened()
        self.assertEqual(found, [])
        file.append([b"a", b"b"])
        file.close()
        file, found = self.opened()
        self.assertEqual(found, [b"a", b"b"])
        file.append([b"c"])
        self.assertEqual(self.path.read_bytes(), b"a\nb\nc\n")

    def test_a_torn_last_line_is_removed(self) -> None:
        """Nobody was told that it is kept, so it comes again."""
        self.path.write_bytes(b'{"a": 1}\n{"b": ')
        file, found = self.opened()
        self.assertEqual(found, [b'{"a": 1}'])
        file.append([b"c"])
        self.assertEqual(self.path.read_bytes(), b'{"a": 1}\nc\n')

    def test_one_process_writes_it(self) -> None:
        """Another is told so."""
        self.opened()
        with self.assertRaises(BlockingIOError):
            RowFile(self.path).open(lambda line: None)

    def test_a_disk_that_is_full_takes_all_lines_or_none(self) -> None:
        """And goes on when there is room."""
        disk = FullDisk()
        file, _ = self.opened(disk)
        file.append([b"first"])
        disk.full = True
        with self.assertRaises(OSError):
            file.append([b"second", b"third"])
        self.assertEqual(self.path.read_bytes(), b"first\n")
        disk.full = False
        file.append([b"second", b"third"])
        self.assertEqual(self.path.read_bytes(), b"first\nsecond\nthird\n")


class RowTests(unittest.TestCase):
    """What workers send."""

    def test_what_is_no_row_of_this_host_is_a_failure_of_it(self) -> None:
        """So that the host is accounted for."""
        good = Row("h", 1.0, 0.1, 60.0, batch="b", worker="w1_1")
        line = b'{"host":"h","time":1.0,"took":0.1,"seconds":60.0,"batch":"b","worker":"w1_1"}'
        self.assertEqual(read_row(line, "b", "h", 5.0), good)
        for body in (b"", b"\xff", b"[]", b'{"host":"h"}', line.replace(b"60.0", b'"x"')):
            row = read_row(body, "b", "h", 5.0)
            self.assertEqual((row.host, row.batch, row.time, row.reason), ("h", "b", 5.0, "protocol"))
        self.assertIn("the row of h in b", read_row(line, "b", "other", 5.0).error)

    def test_a_batch_ends_with_its_counts(self) -> None:
        """Well, failed by class, lost."""
        tally = Tally()
        for reason in ("", "refused", "", "name", "refused"):
            tally.add(reason)
        counts = "2 ok, 3 failed (2 refused, 1 name)"
        self.assertEqual(tally.told("b", 6), f"batch b: 6 hosts: {counts}, 1 lost")
        self.assertEqual(tally.told("b", None), f"batch b: 5 hosts: {counts}, nobody knows how many are lost")
