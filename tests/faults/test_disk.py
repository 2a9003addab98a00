"""The disk of the rig, before anything is proved with it: it forgets what it may, and nothing else."""

import random
import subprocess
import sys

from tests.faults.disk import FSYNC, WRITE
from tests.faults.small_disks import SmallDisksCase


class DiskTests(SmallDisksCase):
    """Small programs that use it."""

    def setUp(self) -> None:
        super().setUp()
        self.disk = self.made_disk("disk")

    def run_on_it(self, program: str) -> str:
        """What a program says that runs in the disk's folder."""
        run = [*self.disk.prefix(), sys.executable, "-c", f"import os\nhere = {str(self.disk.at)!r}\n{program}"]
        return subprocess.run(run, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()

    def states(self, program: str) -> set[tuple[tuple[str, str], ...]]:
        """Every state that a power cut after the program was found to leave: names and contents."""
        found = set()
        for seed in range(30):
            for path in self.disk.at.iterdir():
                if path.is_file():
                    path.unlink()
            self.run_on_it(program)
            self.disk.cut_power(random.Random(seed))
            left = {path.name: path.read_text() for path in self.disk.at.iterdir() if path.is_file()}
            found.add(tuple(sorted(left.items())))
        return found

    def test_what_was_synced_stays_and_the_rest_may_be_torn(self) -> None:
        """Anywhere, also at the very beginning."""
        program = "f = open(here + '/a', 'w'); f.write('safe.'); f.flush(); os.fsync(f.fileno()); f.write('lost')"
        left = {dict(each)["a"] for each in self.states(program)}
        self.assertEqual(left, {"safe.", "safe.l", "safe.lo", "safe.los"})

    def test_a_name_is_kept_when_its_file_or_its_folder_is_synced(self) -> None:
        """A file without any sync may be there without its content, or not at all."""
        self.assertEqual(
            self.states("f = os.open(here + '/a', os.O_CREAT | os.O_WRONLY); os.write(f, b'x')"),
            {(), (("a", ""),)},
        )
        folder = "d = os.open(here, os.O_RDONLY); os.fsync(d)"
        self.assertEqual(self.states(f"open(here + '/a', 'w').close(); {folder}"), {(("a", ""),)})

    def test_a_rename_and_a_removal_may_be_forgotten_until_the_folder_is_synced(self) -> None:
        """Then the old file is there with its old content."""
        made = "f = open(here + '/{}', 'w'); f.write('{}'); f.flush(); os.fsync(f.fileno()); f.close()\n"
        replaced = made.format("a", "old") + made.format("b", "new") + "os.replace(here + '/b', here + '/a')"
        self.assertEqual(self.states(replaced), {(("a", "new"),), (("a", "old"), ("b", "new"))})
        removed = made.format("a", "old") + "os.unlink(here + '/a')"
        self.assertEqual(self.states(removed), {(), (("a", "old"),)})
        folder = "\nd = os.open(here, os.O_RDONLY); os.fsync(d)"
        self.assertEqual(self.states(removed + folder), {()})

    def test_a_failing_sync_loses_what_the_next_one_says_is_safe(self) -> None:
        """Unless it was written again in between."""
        lost = "f = os.open(here + '/a', os.O_CREAT | os.O_RDWR); os.write(f, b'ab')\ntry: os.fsync(f)\n"
        lost += "except OSError as problem: print(problem.errno)\n"
        self.disk.fail(FSYNC, 1.0)
        self.assertEqual(self.run_on_it(lost), "5")
        self.disk.heal()
        self.run_on_it("f = os.open(here + '/a', os.O_RDWR); os.fsync(f)")
        self.disk.cut_power(random.Random(1))
        self.assertEqual((self.disk.at / "a").read_bytes(), b"\0\0")

    def test_what_was_written_again_is_safe_once_it_is_synced(self) -> None:
        """And what was synced between two failing syncs never was in danger."""
        program = "f = os.open(here + '/a', os.O_CREAT | os.O_RDWR | os.O_APPEND)\nwrite = lambda: os.write(f, b'ab')\n"
        program += "again = lambda: os.pwrite(os.open(here + '/a', os.O_WRONLY), b'ab', 0)\n"
        program += "def sync():\n    try: os.fsync(f)\n    except OSError as failed: print(failed.errno)\n"
        fails, works = (FSYNC, 1.0), (0, 0.0)
        for left, steps in (
            (b"ab", [(works, "sync()"), (fails, "write(); sync()"), (works, "again(); sync()")]),
            (b"\0\0", [(works, "sync()"), (fails, "write(); sync(); again(); sync()"), (works, "sync()")]),
            (b"", [(works, "sync()"), (fails, "write(); sync()"), (works, "os.ftruncate(f, 0); sync()")]),
            (
                b"ab",
                [
                    (works, "sync()"),
                    (fails, "write(); sync(); os.ftruncate(f, 0)"),
                    (works, "write(); sync()"),
                    (fails, "write(); sync(); os.ftruncate(f, 2)"),
                ],
            ),
        ):
            for how, step in steps:
                self.disk.fail(*how)
                said = self.run_on_it(program + step)
                self.assertEqual(said.split(), ["5"] * step.count("sync()") if how is fails else [])
            self.disk.cut_power(random.Random(1))
            self.assertEqual((self.disk.at / "a").read_bytes(), left, steps)
            (self.disk.at / "a").unlink()

    def test_what_was_safe_at_a_power_cut_stays_so(self) -> None:
        """Of what came after it only what is not synced goes, or what a failing sync loses."""
        self.run_on_it("f = os.open(here + '/a', os.O_CREAT | os.O_RDWR); os.write(f, b'safe'); os.fsync(f)")
        self.disk.cut_power(random.Random(1))
        appended = "f = os.open(here + '/a', os.O_APPEND | os.O_RDWR); os.write(f, b'x' * 99)"
        self.run_on_it(appended)
        self.disk.cut_power(random.Random(1))
        left = (self.disk.at / "a").read_bytes()
        self.assertTrue(left.startswith(b"safe") and len(left) < 103, left)
        self.disk.fail(FSYNC, 1.0)
        self.run_on_it(f"{appended}\ntry: os.fsync(f)\nexcept OSError: pass")
        self.disk.heal()
        self.run_on_it("f = os.open(here + '/a', os.O_RDWR); os.fsync(f)")
        self.disk.cut_power(random.Random(1))
        self.assertEqual((self.disk.at / "a").read_bytes(), left + bytes(99))

    def test_it_is_full_and_it_fails_when_told_so(self) -> None:
        """And no longer than that."""
        program = "f = open(here + '/a', 'ab', 0)\ntry: print(f.write(bytes(65536)))\n"
        program += "except OSError as problem: print(problem.errno)"
        self.disk.fill()
        self.assertEqual(self.run_on_it(program.replace("65536", "65536 * 4")), "8192")
        self.assertEqual(self.run_on_it(program), "28")
        self.disk.clear()
        self.assertEqual(self.run_on_it(program), "65536")
        self.disk.fail(WRITE, 1.0)
        self.assertEqual(self.run_on_it(program), "5")
        self.disk.heal()
        self.assertEqual(self.run_on_it(program), "65536")
