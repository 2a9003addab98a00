"""The events file: appended, rotated, read again."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

from monitor436.journal import Journal


class JournalTests(unittest.TestCase):
    """One file over several runs; the clocks are told."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "events.jsonl"
        self.now = 0.0

    def open(self, rotate_at: int = 1 << 20, rotate_every: float = 1e9, keep: int = 3) -> Journal:
        """The next run of the server."""
        journal = Journal(self.path, rotate_at, rotate_every, keep, lambda: 1.7e9 + self.now, lambda: self.now)
        self.addCleanup(journal.close)
        journal.open()
        return journal

    def found(self, journal: Journal) -> tuple[dict[str, dict[str, int]], list[bytes]]:
        """What reading again gives."""
        numbers, lines = journal.recover({})
        return numbers, list(lines)

    def test_lines_are_appended(self) -> None:
        """After those of an earlier run."""
        self.open().write(b"a\n")
        self.open().write(b"b\n")
        self.assertEqual(self.path.read_bytes(), b"a\nb\n")

    def test_a_torn_last_line_is_finished_never_removed(self) -> None:
        """Whoever tails the file sees nothing vanish."""
        self.path.write_bytes(b'{"whole":1}\n{"tor')
        self.open().write(b"next\n")
        self.assertEqual(self.path.read_bytes(), b'{"whole":1}\n{"tor\nnext\n')

    def test_after_a_checkpoint_only_newer_lines_are_read(self) -> None:
        """Without one, every line."""
        journal = self.open()
        journal.write(b"a\n")
        self.assertEqual(self.found(self.open()), ({}, [b"a\n"]))
        journal.checkpoint({"h": {"s": 1}})
        journal.write(b"b\n")
        self.assertEqual(self.found(self.open()), ({"h": {"s": 1}}, [b"b\n"]))

    def test_rotation_moves_the_file_aside_and_loses_no_line(self) -> None:
        """Two in one second get names that sort; the oldest go."""
        journal = self.open(rotate_at=4, keep=2)
        for letter in b"abcde":
            journal.write(bytes([letter]) * 4 + b"\n")
            self.assertTrue(journal.wants_rotation())
            journal.rotate({"h": {"s": letter}})
        journal.write(b"last\n")
        self.assertEqual([path.read_bytes() for path in journal.rotated()], [b"dddd\n", b"eeee\n"])
        self.assertEqual(self.found(self.open()), ({"h": {"s": ord("e")}}, [b"last\n"]))

    def test_a_clock_set_back_does_not_mix_up_the_order(self) -> None:
        """Files sort as they came."""
        journal = self.open(keep=9)
        for letter, now in ((b"a", 1000.0), (b"b", 0.0), (b"c", 2000.0)):
            self.now = now
            journal.write(letter + b"\n")
            journal.rotate({})
        self.assertEqual([path.read_bytes() for path in journal.rotated()], [b"a\n", b"b\n", b"c\n"])

    def test_age_rotates_a_file_that_holds_something(self) -> None:
        """An empty one may become old."""
        journal = self.open(rotate_every=60)
        self.now = 100
        self.assertFalse(journal.wants_rotation())
        journal.write(b"a\n")
        self.assertTrue(journal.wants_rotation())

    def test_a_file_that_was_moved_away_or_removed_is_begun_anew(self) -> None:
        """With the next line, which is in the file of that name."""
        journal = self.open()
        journal.write(b"a\n")
        os.rename(self.path, self.folder / "elsewhere")
        journal.write(b"b\n")
        self.path.unlink()
        journal.write(b"c\n")
        self.assertEqual(self.path.read_bytes(), b"c\n")
        self.assertEqual((self.folder / "elsewhere").read_bytes(), b"a\n")

    def test_a_damaged_or_foreign_checkpoint_counts_as_none(self) -> None:
        """Then every file kept is read."""
        journal = self.open()
        journal.write(b"a\n")
        for content in (b"", b"{", b"[]", b'{"device":0,"inode":0,"offset":0,"numbers":{}}'):
            (self.folder / "events.jsonl.checkpoint").write_bytes(content)
            self.assertEqual(self.found(self.open()), ({}, [b"a\n"]), content)

    def test_after_a_failed_write_only_what_came_since_the_last_good_one_is_read(self) -> None:
        """The numbers are those that held then."""
        journal = self.open()
        journal.write(b"a\n")
        with open(self.path, "ab") as file:
            file.write(b"b\nhal")
        journal.open()
        numbers, lines = journal.recover({"h": {"s": 1}})
        self.assertEqual((numbers, list(lines)), ({"h": {"s": 1}}, [b"b\n", b"hal\n"]))
