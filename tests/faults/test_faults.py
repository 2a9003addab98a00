"""Everything goes wrong, every half second; every log line arrives once.

M436_FAULTS: for how many seconds.  M436_SEED: another seed, which draws other faults.
"""

import os
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from tests.faults.rig import Rig
from tests.faults.table import HEADS, kinds_table, run_row, table

SECONDS = float(os.environ.get("M436_FAULTS") or 20.0)
SEED = int(os.environ.get("M436_SEED") or 436)
LAST = 60  # faults that are told if something is wrong


class FaultsTests(unittest.TestCase):
    """Three agents and two servers, on machines that can lose power, their disks and their network."""

    longMessage = False

    def setUp(self) -> None:
        folder = Path(self.enterContext(TemporaryDirectory(prefix="m436-")))
        self.rig = Rig(folder, SEED, SECONDS)
        self.addCleanup(self.rig.close)
        self.addCleanup(self.keep)
        self.good = False

    def keep(self) -> None:
        """What was found fault with stays, for whoever has to find out why."""
        if not self.good:
            kept = Path(mkdtemp(prefix="m436-kept-"))
            self.rig.keep(kept)
            print(f"kept in {kept}; the last faults:", *self.rig.chaos.story[-LAST:], sep="\n")

    def test_every_line_is_told_once_whatever_goes_wrong(self) -> None:
        """Each line of a log is in some events file; no file has an id twice; of two files that have it one says so;
        `verify` finds everything complete and `merge` makes one stream of it. No program met what it did not expect."""
        rig = self.rig
        rig.begin()
        rig.run()
        found = rig.judge()
        chaos = rig.chaos
        row = run_row(SEED, SECONDS, chaos.faults.total(), rig.segment.done, found)
        print(table(HEADS, [row]), kinds_table(chaos.faults), sep="\n\n")
        print(
            f"\n{chaos.forgotten} bytes and names forgotten in power cuts; all had arrived {rig.drained:.1f} s after it"
        )
        self.assertGreater(found.lines, SECONDS, "the rig hardly wrote anything")
        self.assertGreater(rig.segment.done["lost"], 0, "the rig lost no frame")
        self.assertGreaterEqual(chaos.faults.total(), SECONDS, "the rig hardly harmed anything")
        self.assertTrue(found.good, found.told())
        self.assertEqual(rig.exceptions(), [], "\n\n".join(rig.exceptions()))
        self.good = True
        if rig.notes:
            self.skipTest("; ".join(rig.notes))
