"""What the agent reads off its host by itself."""

import os
import shutil
import tempfile
import time
import unittest

from monitor436.agent.readings import AWAY, NEEDS_OF, READINGS, ReadingError


class HostCase(unittest.TestCase):
    """Shared: a made-up host, as a folder."""

    def setUp(self) -> None:
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        os.makedirs(os.path.join(self.root, "proc/self"))

    def host(self, path: str, text: str) -> None:
        """A file of that host."""
        with open(os.path.join(self.root, path), "w") as file:
            file.write(text)

    def read(self, reading: str, of: str = "") -> float:
        """A reading on that host."""
        return READINGS[reading](of, self.root)

    def refused(self, reading: str, of: str = "") -> str:
        """Why it cannot be had."""
        with self.assertRaises(ReadingError) as caught:
            self.read(reading, of)
        return str(caught.exception)


class MemoryTests(HostCase):
    def test_the_kernels_estimate_is_a_share_of_all_memory(self) -> None:
        """Other lines do not matter, not even odd ones."""
        self.host(
            "proc/meminfo", "MemTotal:  2000 kB\nMemFree: 10 kB\nMemAvailable:   500 kB\nHugePages_Total: 0\nOdd\n"
        )
        self.assertEqual(self.read("memory_available_percent"), 25.0)

    def test_without_the_kernels_estimate_there_is_no_reading(self) -> None:
        """No file, an old kernel, nonsense: the sentence says it."""
        self.assertIn("/proc/meminfo: No such file", self.refused("memory_available_percent"))
        for text in ("MemTotal: 2000 kB\n", "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "MemTotal: x\nMemAvailable:\n"):
            self.host("proc/meminfo", text)
            self.assertIn("does not tell", self.refused("memory_available_percent"))


class FilesystemTests(HostCase):
    def test_used_space_is_what_df_says(self) -> None:
        """Space that is kept for root counts as used up for others."""
        found = os.statvfs(self.root)
        used = found.f_blocks - found.f_bfree
        read = self.read("filesystem_used_percent", self.root)
        self.assertAlmostEqual(read, 100 * used / (used + found.f_bavail), delta=1)

    def test_inodes_are_a_share_too(self) -> None:
        """Zero where a file system makes them as they are needed."""
        self.assertTrue(0 <= self.read("filesystem_inodes_used_percent", "/") <= 100)
        self.assertEqual(self.read("filesystem_inodes_used_percent", "/proc"), 0.0)

    def test_a_place_that_is_not_there_is_told(self) -> None:
        """By its name."""
        self.assertEqual(self.refused("filesystem_used_percent", "/no/such"), "/no/such: No such file or directory")

    def test_a_file_system_of_another_machine_is_not_touched(self) -> None:
        """A dead server would hold the agent, heartbeats and all."""
        self.host(
            "proc/self/mounts", "a:/ /srv nfs4 rw 0 0\nx /mnt/a\\040b fuse.sshfs rw 0 0\n/dev/sda / ext4 rw 0 0\n"
        )
        self.assertIn("/srv is on nfs4", self.refused("filesystem_used_percent", "/srv"))
        self.assertIn("/srv/x is on nfs4", self.refused("filesystem_inodes_used_percent", "/srv/x"))
        self.assertIn("fuse.sshfs", self.refused("filesystem_used_percent", "/mnt/a b"))
        self.read("filesystem_used_percent", "/")
        self.assertIn("No such file", self.refused("filesystem_used_percent", "/srv-not"))

    def test_of_two_file_systems_on_one_place_the_later_counts(self) -> None:
        """It covers the other."""
        self.host("proc/self/mounts", "auto / autofs rw 0 0\n/dev/sda / ext4 rw 0 0\n\n")
        self.read("filesystem_used_percent", "/")
        self.assertIn("autofs", AWAY)


class OthersTests(HostCase):
    def test_loads_are_those_of_the_host(self) -> None:
        """For 1, 5 and 15 minutes, in this order."""
        for place, name in enumerate(("load1", "load5", "load15")):
            self.assertAlmostEqual(self.read(name), os.getloadavg()[place], delta=1)

    def test_uptime_counts_from_the_boot(self) -> None:
        """Never less than the monotonic clock, which stands while the machine sleeps."""
        self.assertGreaterEqual(self.read("uptime_seconds"), time.monotonic() - 1)

    def test_every_reading_can_be_had_here(self) -> None:
        """With the object it needs."""
        for name, reading in READINGS.items():
            self.assertIsInstance(reading("/" if name in NEEDS_OF else "", "/"), float, name)
        self.assertLessEqual(NEEDS_OF, set(READINGS))


if __name__ == "__main__":
    unittest.main()
