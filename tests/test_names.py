"""The file of names on a disk that does not always do what it is asked."""

import errno
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor436 import json_lines
from monitor436.model.keys.enrolment import Bound
from monitor436.names import Names


class NamesTests(unittest.TestCase):
    """One server's file; while its folder is not there, nothing can be kept in it."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory()), "state")
        self.names = Names(self.folder / "names.jsonl")

    def test_what_is_kept_is_there_at_once_and_for_the_next_server(self) -> None:
        """In the order in which it came."""
        self.folder.mkdir()
        bound = [Bound("web1", "01"), Bound("web1", "01", greeted=True)]
        for each in bound:
            self.names.keep(each)
        self.assertEqual(Names(self.folder / "names.jsonl").read(), bound)

    def test_what_is_promised_is_kept_as_soon_as_the_disk_works(self) -> None:
        """Whoever must not answer before it is durable gets the failure instead."""
        with self.assertRaises(OSError):
            self.names.keep(Bound("db1", "02"))
        promised = [Bound("web1", "01"), Bound("web2", "03")]
        for each in promised:
            self.names.promise([each])
        self.assertEqual(self.names.read(), [])
        self.folder.mkdir()
        self.assertEqual(self.names.read(), promised)
        self.assertEqual(Names(self.folder / "names.jsonl").read(), promised)
        self.assertEqual(self.names.read(), [])

    def test_nothing_is_in_a_file_that_a_power_cut_may_take_back(self) -> None:
        """A folder that could not be synced is synced before the first line, however often that is tried."""
        self.folder.mkdir()
        file, asked = self.folder / "names.jsonl", list[bytes]()

        def sync(folder: str) -> None:
            asked.append(file.read_bytes())
            if len(asked) < 3:
                raise OSError(errno.EIO, "input/output error")

        self.addCleanup(setattr, json_lines, "sync_folder", json_lines.sync_folder)
        json_lines.sync_folder = sync
        for _ in range(2):
            with self.assertRaises(OSError):
                self.names.keep(Bound("web1", "01"))
        for name in ("web1", "web2"):
            self.names.keep(Bound(name, "01"))
        self.assertEqual(asked, [b""] * 3)
        self.assertEqual([bound.name for bound in self.names.read()], ["web1", "web2"])

    def test_half_a_line_is_passed_over(self) -> None:
        """What comes after it stands on a line of its own."""
        self.folder.mkdir()
        (self.folder / "names.jsonl").write_bytes(b'{"name":"we')
        self.assertEqual(self.names.read(), [])
        self.names.keep(Bound("web1", "01"))
        self.assertEqual(self.names.read(), [Bound("web1", "01")])
