"""Pages of the events files: forwards from a cursor, backwards from the end, through all that happens to files."""

import gzip
import os
import random
import shutil
import tempfile
import unittest
from pathlib import Path

from monitor436 import event_pages
from monitor436.event_pages import LONGEST, STRIDE, CursorError, EventPages, Page
from monitor436.journal import Journal


def everything(line: bytes) -> bool:
    """No filter."""
    return True


class PagesCase(unittest.TestCase):
    """Shared: an events file that a journal writes and rotates."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "events.jsonl"
        self.journal = Journal(self.path, 1 << 40, 1e9, 3)
        self.journal.open()
        self.addCleanup(self.journal.close)
        self.pages = EventPages(self.files)
        self.written: list[bytes] = []

    def files(self) -> list[Path]:
        return [*self.journal.rotated(), self.path]

    def write(self, count: int = 1, pad: int = 0) -> None:
        """So many lines more, each another."""
        lines = [b'{"id":"h/s/%d"%s}' % (len(self.written) + n, b" " * pad) for n in range(count)]
        self.written += lines
        self.journal.write(b"".join(line + b"\n" for line in lines))

    def rest(self, cursor: str, most: int = 7) -> list[bytes]:
        """All lines behind a cursor, page by page."""
        found: list[bytes] = []
        while True:
            page = self.pages.after(cursor, most, everything)
            self.assertLessEqual(len(page.lines), most)
            found += page.lines
            cursor = page.cursor
            if not page.more:
                return found


class AfterTests(PagesCase):
    def test_every_line_comes_once_whatever_the_pages_hold(self) -> None:
        """Over three files."""
        for count in (10, 1, 25):
            self.write(count)
            self.journal.rotate({})
        self.write(4)
        for most in (1, 2, 7, 40, 100):
            self.assertEqual(self.rest("", most), self.written, most)

    def test_a_reader_at_the_end_gets_what_comes_next(self) -> None:
        """Also if the file was rotated away meanwhile, was packed, and another was begun."""
        self.write(3)
        cursor = self.pages.after("", 100, everything).cursor
        self.assertEqual(self.pages.after(cursor, 100, everything), Page([], cursor, False, cursor))
        self.write(2)
        self.journal.rotate({})
        old = self.journal.rotated()[0]
        self.assertEqual(self.rest(cursor), self.written[3:5])
        with gzip.open(f"{old}.gz", "wb") as packed:
            packed.write(old.read_bytes())
        self.assertEqual(self.rest(cursor), self.written[3:5], "while it is being packed there are both")
        old.unlink()
        self.assertEqual(self.rest(cursor), self.written[3:5])
        self.write(2)
        self.assertEqual(self.rest(cursor), self.written[3:])

    def test_a_cursor_into_an_empty_file_is_one_behind_the_file_before(self) -> None:
        """As a file without a line has no name yet."""
        self.write(2)
        self.journal.rotate({})
        cursor = self.pages.after("", 100, everything).cursor
        self.write(1)
        self.assertEqual(self.rest(cursor), self.written[2:])

    def test_nothing_is_read_where_there_is_nothing(self) -> None:
        """And what is read next is all."""
        self.assertEqual(self.pages.after("", 10, everything), Page([], "", False, ""))
        self.assertEqual(self.pages.before("", 10, everything), Page([], "", False, ""))
        self.write(1)
        self.assertEqual(self.rest(""), self.written)

    def test_a_file_that_is_kept_no_more_is_told_and_not_skipped(self) -> None:
        """So that nobody takes a gap for the whole."""
        self.write(1)
        cursor = self.pages.after("", 1, everything).cursor
        for _ in range(4):
            self.journal.rotate({})
            self.write(1)
        with self.assertRaises(CursorError) as told:
            self.pages.after(cursor, 1, everything)
        self.assertTrue(told.exception.gone)

    def test_a_file_that_was_cut_or_written_anew_is_told(self) -> None:
        """The place is behind its end, or amid a line."""
        self.write(3)
        cursor = self.pages.after("", 3, everything).cursor
        first = self.path.read_bytes().split(b"\n")[0] + b"\n"
        for written in (first, first + b"x" * 500 + b"\n"):
            self.path.write_bytes(written)
            with self.assertRaises(CursorError) as told:
                self.pages.after(cursor, 3, everything)
            self.assertTrue(told.exception.gone)

    def test_what_is_no_cursor_is_refused(self) -> None:
        """Whatever it is."""
        self.write(1)
        for text in ("0", "x" * 500, "../../etc/passwd-0", f"{'a' * 16}-", f"{'a' * 16}--1", "\x00", f"{'a' * 16}-1\n"):
            with self.assertRaises(CursorError) as told:
                self.pages.after(text, 1, everything)
            self.assertFalse(told.exception.gone, text)

    def test_a_line_that_is_being_written_waits(self) -> None:
        """It comes whole."""
        self.write(1)
        with open(self.path, "ab") as file:
            file.write(b'{"half":')
        page = self.pages.after("", 10, everything)
        self.assertEqual((page.lines, page.more), (self.written, False))
        with open(self.path, "ab") as file:
            file.write(b"1}\n")
        self.assertEqual(self.rest(page.cursor), [b'{"half":1}'])

    def test_a_monstrous_line_is_passed_over(self) -> None:
        """Whatever its length is to the pieces in which it is read."""
        for size in (LONGEST - 1, LONGEST, LONGEST + 1, 3 * LONGEST, 3 * LONGEST + 5):
            with self.subTest(size=size):
                self.write(1)
                with open(self.path, "ab") as file:
                    file.write(b"x" * size + b"\n")
                self.write(1)
                kept = [line for line in self.rest("") if not line.startswith(b"x")]
                self.assertEqual(kept, self.written)

    def test_a_page_is_bounded_by_bytes(self) -> None:
        """Of what it looks at, and of what it holds; it goes on where it ended."""
        self.write(100, pad=1000)
        self.pages = EventPages(self.files, scan=10_000)
        looked = self.pages.after("", 1000, lambda line: False)
        self.assertEqual((looked.lines, looked.more), ([], True))
        self.assertEqual(self.rest("", 1000), self.written)
        self.pages = EventPages(self.files, size=5000)
        self.assertEqual(len(self.pages.after("", 1000, everything).lines), 4)
        self.assertEqual(self.rest("", 1000), self.written)
        self.pages = EventPages(self.files, size=10)
        self.assertEqual(len(self.pages.after("", 1000, everything).lines), 1)

    def test_only_what_is_wanted_is_held(self) -> None:
        """The cursor is behind the rest all the same."""
        self.write(20)
        page = self.pages.after("", 100, lambda line: b"/s/7" in line)
        self.assertEqual(page.lines, [self.written[7]])
        self.assertEqual(self.rest(page.cursor), [])

    def test_a_rotation_between_two_looks_hides_nothing(self) -> None:
        """The list of files is taken again until it holds still."""
        self.write(2)
        moves = iter([True, True])

        def files() -> list[Path]:
            listed = self.files()
            if next(moves, False):
                self.journal.rotate({})
                self.write(2)
            return listed

        self.pages = EventPages(files)
        self.assertEqual(self.rest("", 100), self.written)
        self.assertEqual(len(self.written), 6)

    def test_the_files_are_closed(self) -> None:
        """However often it is asked."""
        self.write(2)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            self.pages.after("", 1, everything)
            self.pages.before("", 1, everything)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class LastTests(PagesCase):
    def test_the_last_lines_come_in_their_order_over_files(self) -> None:
        """As many as are asked for, and the cursor is behind the end."""
        for count in (10, 1, 25):
            self.write(count)
            self.journal.rotate({})
        self.write(2)
        for most in (1, 2, 3, 27, 30, 100):
            page = self.pages.before("", most, everything)
            self.assertEqual(page.lines, self.written[-most:], most)
            self.assertEqual(self.rest(page.cursor), [])
        self.write(1)
        self.assertEqual(self.rest(page.cursor), self.written[-1:])

    def test_blocks_end_anywhere_in_a_line(self) -> None:
        """Random lengths, many blocks, a torn end."""
        dice = random.Random(436)
        for _ in range(60):
            self.write(3, pad=dice.randrange(12_000))
        self.assertGreater(self.path.stat().st_size, 3 * STRIDE)
        with open(self.path, "ab") as file:
            file.write(b"torn")
        self.pages = EventPages(self.files, scan=1 << 30, size=1 << 30)
        self.assertEqual(self.pages.before("", 1000, everything).lines, self.written)

    def test_a_packed_file_is_read_from_its_end_too(self) -> None:
        """Though it can only be unpacked from its start."""
        self.write(5)
        self.journal.rotate({})
        old = self.journal.rotated()[0]
        with gzip.open(f"{old}.gz", "wb") as packed:
            packed.write(old.read_bytes())
        old.unlink()
        self.write(1)
        page = self.pages.before("", 4, everything)
        self.assertEqual(page.lines, self.written[-4:])
        self.assertEqual(self.rest(page.cursor), [])

    def test_a_damaged_packed_file_gives_what_can_be_had_of_it(self) -> None:
        """And does not keep what is in the others from anybody."""
        self.write(2000, pad=100)
        self.journal.rotate({})
        old = self.journal.rotated()[0]
        cursor = self.pages.after("", 1, everything).cursor
        packed = bytearray(gzip.compress(old.read_bytes()))
        for place in range(len(packed) // 2, len(packed) // 2 + 64):
            packed[place] ^= 0x55
        Path(f"{old}.gz").write_bytes(packed)
        old.unlink()
        self.write(1)
        self.assertEqual(self.pages.before("", 1, everything).lines, self.written[-1:])
        self.assertEqual(self.rest(cursor)[-1:], self.written[-1:])
        Path(f"{old}.gz").write_bytes(b"\x1f\x8b" + b"damaged" * 20)
        self.assertEqual(self.rest(""), self.written[-1:])

    def test_it_looks_back_only_so_far(self) -> None:
        """For something that is rare it gives what it has found by then."""
        self.write(100, pad=1000)
        self.pages = EventPages(self.files, scan=20_000)
        page = self.pages.before("", 10, lambda line: b"/s/3" in line)
        self.assertEqual(page.lines, [])
        self.assertEqual(self.rest(page.cursor), [])


class BeforeTests(PagesCase):
    def back(self, most: int = 7, cursor: str = "") -> list[bytes]:
        """All lines before a cursor, page by page, the oldest first."""
        found: list[bytes] = []
        while True:
            page = self.pages.before(cursor, most, everything)
            self.assertLessEqual(len(page.lines), most)
            found = page.lines + found
            cursor = page.older
            if not cursor:
                return found

    def pack(self) -> None:
        """The oldest of the rotated files that is not packed yet."""
        old = next(path for path in self.journal.rotated() if path.suffix != ".gz")
        Path(f"{old}.gz").write_bytes(gzip.compress(old.read_bytes()))
        old.unlink()

    def test_every_line_comes_once_whatever_the_pages_hold(self) -> None:
        """Over four files, of which two are packed."""
        for count in (10, 1, 25):
            self.write(count)
            self.journal.rotate({})
        self.pack()
        self.pack()
        self.write(4)
        for most in (1, 2, 7, 40, 100):
            self.assertEqual(self.back(most), self.written, most)

    def test_a_page_back_and_one_forward_meet(self) -> None:
        """A cursor is a place between two lines, in either direction."""
        self.write(30)
        for _ in range(2):
            last = self.pages.before("", 4, everything)
            page = self.pages.before(last.older, 5, everything)
            self.assertEqual(page.lines, self.written[-9:-4])
            self.assertEqual(self.rest(page.cursor), self.written[-4:])
            self.assertEqual(self.back(cursor=self.pages.after(page.cursor, 3, everything).older), self.written[:-4])
            self.journal.rotate({})
            self.write(10)
            self.pack()

    def test_what_comes_meanwhile_moves_nothing(self) -> None:
        """Lines, a rotation, and packing."""
        self.write(10)
        older = self.pages.before("", 4, everything).older
        self.write(5)
        self.journal.rotate({})
        self.write(5)
        self.pack()
        self.assertEqual(self.back(cursor=older), self.written[:6])

    def test_blocks_end_anywhere_in_a_line(self) -> None:
        """Random lengths, plain and packed, with pages smaller than what is looked at for one."""
        dice = random.Random(436)
        for _ in range(60):
            self.write(3, pad=dice.randrange(12_000))
        self.assertGreater(self.path.stat().st_size, 3 * STRIDE)
        self.pages = EventPages(self.files, scan=100_000, size=40_000)
        self.assertEqual(self.back(50), self.written)
        self.journal.rotate({})
        self.pack()
        self.assertEqual(self.back(50), self.written)

    def test_a_monstrous_line_is_passed_over(self) -> None:
        """What is before it is had all the same."""
        for size in (LONGEST, STRIDE - 1, STRIDE, 5 * STRIDE + 5):
            self.write(1)
            with open(self.path, "ab") as file:
                file.write(b"x" * size + b"\n")
        self.write(1)
        self.assertEqual(self.back(), self.written)

    def test_what_is_rare_takes_more_pages(self) -> None:
        """Each looks at a bounded part of the file, and the next one goes on where it ended."""
        self.write(100, pad=1000)
        self.pages = EventPages(self.files, scan=20_000)
        cursor, found, pages = "", [], 0
        while pages == 0 or cursor:
            page = self.pages.before(cursor, 10, lambda line: b"/s/3" in line)
            cursor, found, pages = page.older, page.lines + found, pages + 1
        self.assertEqual(found, [self.written[3], *self.written[30:40]])
        self.assertGreater(pages, 3)

    def test_a_file_that_is_kept_no_more_is_told(self) -> None:
        """As it is forwards."""
        self.write(3)
        cursor = self.pages.before("", 1, everything).older
        for _ in range(4):
            self.journal.rotate({})
            self.write(1)
        with self.assertRaises(CursorError) as told:
            self.pages.before(cursor, 1, everything)
        self.assertTrue(told.exception.gone)

    def test_a_damaged_packed_file_gives_what_can_be_had_of_it(self) -> None:
        """Its beginning."""
        self.write(4000, pad=100)
        self.journal.rotate({})
        self.pack()
        [packed] = self.journal.rotated()
        packed.write_bytes(packed.read_bytes()[: packed.stat().st_size // 2])
        self.write(1)
        found = self.back(1000)
        self.assertEqual(found, [*self.written[: len(found) - 1], self.written[-1]])
        self.assertGreater(len(found), 1000)


class ContentTests(PagesCase):
    def test_a_packed_file_is_unpacked(self) -> None:
        """By how it begins, whatever its name is."""
        for path, text in ((self.folder / "a", b"plain\n"), (self.folder / "b", gzip.compress(b"plain\n"))):
            path.write_bytes(text)
            with event_pages.content(path) as file:
                self.assertEqual(file.read(), b"plain\n")
