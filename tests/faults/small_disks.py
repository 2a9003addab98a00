"""What tests of one program on one disk have in common."""

import os
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.disk import Disk, made_shim

SIZE = 1 << 20


class SmallDisksCase(unittest.TestCase):
    """Shared: disks that fail and forget, in a folder of this test."""

    def setUp(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("mounting a small disk needs root")
        self.folder = Path(self.enterContext(TemporaryDirectory(prefix="m436-")))
        self.shim, why = made_shim(self.folder)
        if why:
            self.skipTest(why)

    def made_disk(self, name: str, size: int = SIZE) -> Disk:
        """An empty one of so many bytes."""
        disk = Disk(self.folder / name, size, self.shim)
        self.addCleanup(disk.close)
        return disk
