"""The events file on a disk that fails while it is rotated, and then loses its power."""

import random
import subprocess
import sys

from tests.e2e.processes import ROOT
from tests.faults.small_disks import SmallDisksCase

SEEDS = 10
PROGRAM = """
import os, struct, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from monitor436 import journal

def fail(what):
    with open(os.environ["M436_FAILS"], "r+b") as fails:
        fails.write(struct.pack("III", what, 5, 1000000))

sync = journal.sync_folder

def fails_once(folder):
    journal.sync_folder = sync
    fail(2)  # every fsync
    try:
        sync(folder)
    finally:
        fail(0)

log = journal.Journal(Path(sys.argv[2]), 1, 1e9, 100)
log.begin()
for line in ("one", "two", "three"):
    if line == "two":
        journal.sync_folder = fails_once
    try:
        log.write(line.encode() + b"\\n")
    except OSError:
        log.mend()
    else:
        print(line)
    if line == sys.argv[3]:
        break
"""  # it tells which lines are durable, and is killed


class RotationTests(SmallDisksCase):
    """A new file is made under the old name; until the folder is synced, a power cut may take that back."""

    def test_no_line_is_durable_in_a_file_whose_name_is_not(self) -> None:
        """Neither at once nor later, when the disk is well again."""
        for last in ("two", "three"):
            for seed in range(SEEDS):
                disk = self.made_disk(f"{last}-{seed}", 4 << 20)
                given = [str(ROOT), str(disk.at / "events.jsonl"), last]
                told = subprocess.run(
                    [*disk.prefix(), sys.executable, "-c", PROGRAM, *given], check=True, text=True, capture_output=True
                ).stdout.split()
                disk.cut_power(random.Random(seed))
                found = b"".join(path.read_bytes() for path in disk.at.glob("events.jsonl*")).decode().split()
                self.assertLessEqual(set(told), set(found), (last, seed))
