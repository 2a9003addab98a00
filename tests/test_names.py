"""The file of names on a disk that does not always do what it is asked."""

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

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

    def test_half_a_line_is_passed_over(self) -> None:
        """What comes after it stands on a line of its own."""
        self.folder.mkdir()
        (self.folder / "names.jsonl").write_bytes(b'{"name":"we')
        self.assertEqual(self.names.read(), [])
        self.names.keep(Bound("web1", "01"))
        self.assertEqual(self.names.read(), [Bound("web1", "01")])
