"""What the agent reads off its host by itself."""

import os
import shutil
import tempfile
import time
import unittest
from typing import Any

from monitor436.agent.probe.counters import busy_percent, per_second
from monitor436.agent.probe.mounts import AWAY, local
from monitor436.agent.probe.processes import HIDDEN
from monitor436.agent.probe.procfs import ReadingError
from monitor436.agent.probe.readings import READINGS


class HostCase(unittest.TestCase):
    """Shared: a made-up host, as a folder."""

    def setUp(self) -> None:
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        os.makedirs(os.path.join(self.root, "proc/self"))
        os.makedirs(os.path.join(self.root, "proc/net"))

    def host(self, path: str, text: str) -> None:
        """A file of that host."""
        with open(os.path.join(self.root, path), "w") as file:
            file.write(text)

    def read(self, reading: str, of: str = "") -> Any:
        """A reading on that host; of a rate, the total."""
        return READINGS[reading].take(of, self.root)

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

    def test_swap_space_in_use_is_a_share_of_all_swap_space(self) -> None:
        """Without any, nothing of it is used."""
        self.host("proc/meminfo", "SwapTotal: 2000 kB\nSwapFree: 1500 kB\n")
        self.assertEqual(self.read("swap_used_percent"), 25.0)
        self.host("proc/meminfo", "SwapTotal: 0 kB\nSwapFree: 0 kB\n")
        self.assertEqual(self.read("swap_used_percent"), 0.0)
        self.host("proc/meminfo", "SwapFree: 0 kB\n")
        self.assertIn("does not tell", self.refused("swap_used_percent"))

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

    def test_available_space_is_in_bytes(self) -> None:
        """What ordinary users can still write."""
        found = os.statvfs(self.root)
        near = found.f_blocks * found.f_frsize / 20
        self.assertAlmostEqual(
            self.read("filesystem_available_bytes", self.root), found.f_bavail * found.f_frsize, delta=near
        )

    def test_a_link_to_another_machine_is_not_followed(self) -> None:
        """Wherever on the way it stands, and through other links."""
        away = os.path.join(self.root, "away")
        os.mkdir(away)
        os.mkdir(os.path.join(self.root, "here"))
        os.symlink("../away", os.path.join(self.root, "here/link"))
        os.symlink(os.path.join(self.root, "here/link/x"), os.path.join(self.root, "second"))
        self.host("proc/self/mounts", "/dev/sda / ext4 rw 0 0\nsrv:/ {} nfs rw 0 0\n".format(away))
        os.symlink("../here", os.path.join(away, "back"))
        for way in ("here/link", "here/link/deep", "second", "here/../away", "here/link/../x/../away", "away/back/x"):
            path = os.path.join(self.root, way)
            self.assertEqual(
                self.refused("file_size_bytes", path),
                "{} is on nfs, where asking may hang the agent: use a command such as df".format(path),
            )

    def test_a_host_whose_root_is_elsewhere_is_not_asked(self) -> None:
        """Neither for / nor for what is below."""
        self.host("proc/self/mounts", "srv:/ / nfs rw 0 0\n")
        for path in ("/", "/etc"):
            self.assertIn("is on nfs", self.refused("filesystem_used_percent", path))

    def test_links_on_the_same_machine_are_followed(self) -> None:
        """As the kernel does; not for ever."""
        os.mkdir(os.path.join(self.root, "folder"))
        self.host("folder/file", "x")
        os.symlink(os.path.join(self.root, "folder"), os.path.join(self.root, "link"))
        os.symlink("link/../folder/./file", os.path.join(self.root, "second"))
        for way in ("second", "link/file", "folder//file", "link/../folder/file", "folder/none"):
            path = os.path.join(self.root, way)
            self.assertEqual(local(path, self.root), os.path.realpath(path), way)
        self.assertEqual((local("/", self.root), local("/..", self.root)), ("/", "/"))
        os.symlink("round", os.path.join(self.root, "round"))
        self.assertIn("too many symbolic links", self.refused("file_size_bytes", os.path.join(self.root, "round")))


class FileTests(HostCase):
    def test_the_age_of_a_file_is_the_time_since_it_was_written(self) -> None:
        """None for one that claims to be of the future."""
        self.host("file", "12345")
        path = os.path.join(self.root, "file")
        os.utime(path, (0, time.time() - 1000))
        self.assertAlmostEqual(self.read("file_age_seconds", path), 1000, delta=60)
        os.utime(path, (0, time.time() + 1000))
        self.assertEqual(self.read("file_age_seconds", path), 0.0)

    def test_the_size_of_a_file_is_in_bytes(self) -> None:
        """One that is not there has none."""
        self.host("file", "12345")
        self.assertEqual(self.read("file_size_bytes", os.path.join(self.root, "file")), 5.0)
        for reading in ("file_size_bytes", "file_age_seconds"):
            self.assertEqual(self.refused(reading, "/no/such"), "/no/such: No such file or directory")


class CounterTests(HostCase):
    def test_processors_tell_how_long_they_were_busy(self) -> None:
        """Waiting for a disk is not; guests are counted once."""
        self.host("proc/stat", "cpu  10 20 30 400 50 6 7 8 5 5\ncpu0 1 2 3 4 5 6 7 8 9 9\n")
        self.assertEqual(self.read("cpu_percent"), (81, 531))
        self.host("proc/stat", "cpu  10 20 30 400\n")
        self.assertIn("does not tell", self.refused("cpu_percent"))

    def test_disks_tell_what_was_read_and_written(self) -> None:
        """In sectors of 512 bytes."""
        self.host(
            "proc/diskstats",
            "   8       0 sda 100 0 2000 5 50 0 4000 9 0 1 1\n   8       1 sda1 1 0 2 5 5 0 4 9 0 1 1\n"
            " 104       0 cciss/c0d0 1 0 6 5 50 0 7 9 0 1 1\n",
        )
        read, written = "disk_read_bytes_per_second", "disk_written_bytes_per_second"
        self.assertEqual((self.read(read, "sda"), self.read(written, "sda")), (1024000.0, 2048000.0))
        self.assertEqual((self.read(read, "sda1"), self.read(read, "cciss!c0d0")), (1024.0, 3072.0))
        self.assertEqual(self.refused(read, "sdb"), "there is no disk sdb in /proc/diskstats")

    def test_interfaces_tell_what_was_received_and_sent(self) -> None:
        """Also where the number stands right behind the colon."""
        self.host(
            "proc/net/dev",
            "Inter-|   Receive   |  Transmit\n face |bytes packets|bytes packets\n"
            "    lo: 1 2 3 4 5 6 7 8 9 10 11\n  eth0:4000000000 2 3 4 5 6 7 8 90 10 11\n",
        )
        received, sent = "network_received_bytes_per_second", "network_sent_bytes_per_second"
        self.assertEqual((self.read(received, "eth0"), self.read(sent, "eth0")), (4e9, 90.0))
        self.assertEqual((self.read(received, "lo"), self.read(sent, "lo")), (1.0, 9.0))
        self.assertEqual(self.refused(sent, "eth"), "there is no interface eth in /proc/net/dev")

    def test_a_total_by_the_time_is_a_rate(self) -> None:
        """One that went back says nothing, nor does no time."""
        self.assertEqual(per_second(100.0, 400.0, 60.0), 5.0)
        self.assertIsNone(per_second(400.0, 100.0, 60.0))
        self.assertIsNone(per_second(100.0, 400.0, 0.0))

    def test_busy_time_by_all_time_is_a_share(self) -> None:
        """The kernel's idle time may go back a little."""
        self.assertEqual(busy_percent((0, 100), (25, 200), 1.0), 25.0)
        self.assertEqual(busy_percent((10, 100), (5, 200), 1.0), 0.0)
        self.assertEqual(busy_percent((0, 100), (120, 200), 1.0), 100.0)
        self.assertIsNone(busy_percent((0, 100), (0, 100), 1.0))


class ProcessesTests(HostCase):
    def test_processes_are_counted(self) -> None:
        """Those that there are a folder of."""
        for pid in ("1", "22", "333"):
            os.mkdir(os.path.join(self.root, "proc", pid))
        self.host("proc/1/stat", "1 (init) S")
        self.assertEqual(self.read("processes"), 3.0)

    def test_where_they_are_hidden_there_is_no_number(self) -> None:
        """It would be wrong."""
        os.mkdir(os.path.join(self.root, "proc/22"))
        self.assertEqual(self.refused("processes"), HIDDEN)


class OthersTests(HostCase):
    def test_loads_are_those_of_the_host(self) -> None:
        """For 1, 5 and 15 minutes, in this order."""
        for place, name in enumerate(("load1", "load5", "load15")):
            before, load, after = os.getloadavg(), self.read(name), os.getloadavg()
            low, high = sorted((before[place], after[place]))  # it may change just then
            self.assertTrue(low - 0.01 <= load <= high + 0.01, (name, before, load, after))

    def test_uptime_counts_from_the_boot(self) -> None:
        """Never less than the monotonic clock, which stands while the machine sleeps."""
        before = time.monotonic()
        self.assertGreaterEqual(self.read("uptime_seconds"), before - 1)

    def test_every_reading_can_be_had_here(self) -> None:
        """With the object it needs, and its rate can be made; disks are not everywhere."""
        for name, reading in READINGS.items():
            if reading.of == "device":
                continue
            of = {"": "", "path": "/", "interface": "lo"}[reading.of]
            taken = reading.take(of, "/")
            value = reading.rate(taken, taken, 1.0) if reading.rate else taken
            self.assertIsInstance(0.0 if value is None else value, float, name)


if __name__ == "__main__":
    unittest.main()
