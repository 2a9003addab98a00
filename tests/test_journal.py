"""The events file: appended, rotated, read again."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

from monitor436.journal import LOOK_EVERY, RETRY, ROOM, Journal
from tests.faulty_disk import FaultyDisk


class JournalTests(unittest.TestCase):
    """One file over several runs; the clocks are told."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "events.jsonl"
        self.now = 0.0
        self.disk = FaultyDisk()

    def open(self, rotate_at: int = 1 << 20, rotate_every: float = 1e9, keep: int = 3) -> Journal:
        """The next run of the server."""
        journal = Journal(
            self.path, rotate_at, rotate_every, keep, lambda: 1.7e9 + self.now, lambda: self.now, self.disk
        )
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
        first = journal.rotated()[0]
        first.rename(f"{first}.gz")
        self.assertEqual([path.read_bytes() for path in journal.rotated()], [b"a\n", b"b\n", b"c\n"], "packed or not")

    def test_age_rotates_a_file_that_holds_something(self) -> None:
        """An empty one may become old."""
        journal = self.open(rotate_every=60)
        self.now = 100
        self.assertFalse(journal.wants_rotation())
        journal.write(b"a\n")
        self.assertTrue(journal.wants_rotation())

    def test_a_file_that_was_moved_away_is_begun_anew(self) -> None:
        """Soon after; until then lines go where it was moved to, which is as good."""
        journal = self.open()
        journal.write(b"a\n")
        os.rename(self.path, self.folder / "elsewhere")
        journal.write(b"b\n")
        self.now += LOOK_EVERY
        journal.write(b"c\n")
        self.assertEqual(self.path.read_bytes(), b"c\n")
        self.assertEqual((self.folder / "elsewhere").read_bytes(), b"a\nb\n")

    def test_no_line_goes_into_a_file_that_was_removed_or_replaced(self) -> None:
        """Nobody could read it there: it is written once more, into the file of that name."""
        journal = self.open()
        journal.write(b"a\n")
        self.path.unlink()
        journal.write(b"b\n")
        self.assertEqual(self.path.read_bytes(), b"b\n")
        other = self.folder / "other"
        other.write_bytes(b"somebody's\n")
        os.replace(other, self.path)
        journal.write(b"c\n")
        self.assertEqual(self.path.read_bytes(), b"somebody's\nc\n")

    def test_a_file_that_is_removed_while_it_is_written_loses_no_line(self) -> None:
        """Between the write and the end of the sync."""
        journal = self.open()
        journal.write(b"a\n")
        self.disk.before_sync = lambda: self.path.unlink() if self.disk.syncs == 2 else None
        journal.write(b"b\n")
        self.assertEqual(self.path.read_bytes(), b"b\n")

    def test_a_file_that_was_moved_away_may_then_be_packed_or_removed(self) -> None:
        """The new one's checkpoint has the numbers of all that went before."""
        journal = self.open()
        journal.write(b"a\n")
        os.rename(self.path, self.folder / "elsewhere")
        self.now += LOOK_EVERY
        journal.write(b"b\n", lambda: {"h": {"s": 1}})
        (self.folder / "elsewhere").unlink()
        self.assertEqual(self.found(self.open()), ({"h": {"s": 1}}, [b"b\n"]))

    def test_writing_rotates_a_file_that_is_large_enough(self) -> None:
        """Before the lines, so that the numbers hold for all that is in the old file."""
        journal = self.open(rotate_at=4)
        journal.write(b"aaaa\n", lambda: self.fail("there is nothing to rotate yet"))
        journal.write(b"b\n", lambda: {"h": {"s": 1}})
        self.assertEqual([path.read_bytes() for path in journal.rotated()], [b"aaaa\n"])
        self.assertEqual(self.found(self.open()), ({"h": {"s": 1}}, [b"b\n"]))

    def test_a_rotation_that_fails_costs_no_line(self) -> None:
        """The file grows until it works; it is not tried with every line."""
        journal = self.open(rotate_at=4)
        journal.write(b"aaaa\n")
        in_the_way = self.folder / ".events.jsonl.checkpoint.new"
        in_the_way.mkdir()
        journal.write(b"b\n")
        self.assertIn("cannot be rotated", journal.complaint)
        in_the_way.rmdir()
        journal.write(b"c\n")
        self.assertEqual(self.path.read_bytes(), b"aaaa\nb\nc\n")
        self.now += RETRY
        journal.write(b"d\n")
        self.assertEqual((self.path.read_bytes(), journal.complaint), (b"d\n", ""))

    def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_them_all(self) -> None:
        """A short write is no failure."""
        self.disk.most = 3
        self.open().write(b"a line of some length\nanother\n")
        self.assertEqual(self.path.read_bytes(), b"a line of some length\nanother\n")

    def test_a_full_disk_tears_a_line_and_the_next_one_is_whole(self) -> None:
        """Nothing is removed, and nothing is written while there is hardly room."""
        journal = self.open()
        journal.write(b"a\n")
        self.disk.room = self.disk.free = 3
        with self.assertRaisesRegex(OSError, "No space left"):
            journal.write(b"bbbbbbbb\n")
        self.disk.room = 1
        with self.assertRaisesRegex(OSError, "No space left"):
            journal.mend()
        self.disk.room = self.disk.free = ROOM
        journal.mend()
        journal.write(b"c\n")
        self.assertEqual(self.path.read_bytes(), b"a\nbbb\nc\n")

    def test_what_a_failed_sync_left_in_memory_is_made_durable_before_it_counts(self) -> None:
        """The kernel believes it to be written, and a later sync would not do it."""
        journal = self.open()
        journal.write(b"a\n")
        self.disk.broken = "input/output error"
        with self.assertRaises(OSError):
            journal.write(b"b\n")
        with self.assertRaises(OSError):
            journal.mend()
        self.disk.broken = ""
        journal.mend()
        _, lines = journal.recover({"h": {"s": 1}})
        self.assertEqual(list(lines), [b"b\n"])
        journal.write(b"c\n")
        self.disk.cut_power(self.path)
        self.assertEqual(self.path.read_bytes(), b"a\nb\nc\n")

    def test_a_file_that_was_begun_since_the_last_good_sync_is_made_durable_from_its_first_byte(self) -> None:
        """It has other bytes than that which was synced."""
        journal = self.open(rotate_at=1)
        journal.write(b"a long line that was synced\n")
        self.disk.broken = "input/output error"
        with self.assertRaises(OSError):
            journal.write(b"b\n")
        self.disk.broken = ""
        journal.mend()
        _, lines = journal.recover({"h": {"s": 1}})
        self.assertEqual(list(lines), [b"b\n"])
        self.disk.cut_power(self.path)
        self.assertEqual(self.path.read_bytes(), b"b\n")

    def test_what_a_run_left_without_a_good_sync_is_safe_when_the_next_one_has_begun(self) -> None:
        """It ended before the disk worked again. What reads well from memory need not be on the disk, and no sync
        would tell."""
        journal = self.open()
        journal.write(b"a\n")
        journal.checkpoint({})
        self.disk.broken = "input/output error"
        with self.assertRaises(OSError):
            journal.write(b"b\n")
        self.disk.broken = ""
        after = Journal(self.path, 1 << 20, 1e9, 3, lambda: 1.7e9, lambda: self.now, self.disk)
        self.addCleanup(after.close)
        after.begin()
        self.assertEqual(self.found(after), ({}, [b"b\n"]))
        self.disk.cut_power(self.path)
        self.assertEqual(self.path.read_bytes(), b"a\nb\n")

    def test_a_damaged_or_foreign_checkpoint_counts_as_none(self) -> None:
        """Then every file kept is read."""
        journal = self.open()
        journal.write(b"a\n")
        for content in (b"", b"{", b"[]", b'{"device":0,"inode":0,"offset":0,"numbers":{}}'):
            (self.folder / ".events.jsonl.checkpoint").write_bytes(content)
            self.assertEqual(self.found(self.open()), ({}, [b"a\n"]), content)

    def test_what_begins_with_its_name_is_an_events_file(self) -> None:
        """So `monitor436 verify events.jsonl*` means no other, at whatever moment a shell looks."""
        journal = self.open(keep=9)
        journal.write(b"a\n")
        journal.rotate({})
        (self.folder / ".events.jsonl.checkpoint").unlink()
        (self.folder / ".events.jsonl.checkpoint").mkdir()
        with self.assertRaises(IsADirectoryError):  # what is to become the checkpoint stays
            journal.checkpoint({})
        self.assertEqual(len(list(self.folder.iterdir())), 4)
        self.assertEqual(sorted(self.folder.glob("events.jsonl*")), [self.path, *journal.rotated()])

    def test_after_a_failed_write_only_what_came_since_the_last_good_one_is_read(self) -> None:
        """The numbers are those that held then."""
        journal = self.open()
        journal.write(b"a\n")
        with open(self.path, "ab") as file:
            file.write(b"b\nhal")
        journal.mend()
        numbers, lines = journal.recover({"h": {"s": 1}})
        self.assertEqual((numbers, list(lines)), ({"h": {"s": 1}}, [b"b\n", b"hal\n"]))
