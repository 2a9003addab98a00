"""The machine of a server, as it is looked at: with made-up folders in the place of /proc and systemd's."""

import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from monitor436.cli import surroundings

ROOT = Path(__file__).resolve().parent.parent
UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  345: 00000000:1108 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 27130 2 0000000000000000 0
"""
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1108 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 27131 1 0000000000000000
   1: 0100007F:1108 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27132 1 0000000000000000
"""
UNIT = """\
[Service]
User={user}
WorkingDirectory={folder}
ExecStart={program} run -c etc/monitor436.yaml
ProtectSystem=strict
ReadWritePaths={writes}
"""


class FolderCase(unittest.TestCase):
    """Shared: a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)


class ProcessTests(FolderCase):
    """Processes, from a made-up /proc."""

    def process(self, number: int, *links: str, capabilities: str = "0000000000000000") -> None:
        """A process with open files."""
        folder = self.folder / str(number)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(f"program{number}\n")
        (folder / "status").write_text(f"Name:\tx\nUid:\t1000\t1001\t1000\t1000\nCapEff:\t{capabilities}\n")
        for at, link in enumerate(links):
            (folder / "fd" / str(at)).symlink_to(link)

    def test_a_process_is_known_by_its_number(self) -> None:
        """Its name and its effective user; without one, nobody's and ours."""
        self.process(7)
        self.assertEqual([surroundings.alive(each, self.folder) for each in (7, 8, 0)], [True, False, False])
        self.assertEqual([surroundings.name_of(each, self.folder) for each in (7, 8)], ["program7", ""])
        self.assertEqual([surroundings.user_of(each, self.folder) for each in (7, 0)], [1001, os.geteuid()])

    def test_who_may_exceed_buffers_has_the_capability(self) -> None:
        """CAP_NET_ADMIN, bit 12."""
        self.process(7, capabilities="0000000000001000")
        self.process(8, capabilities="ffffffffffffefff")
        self.assertEqual([surroundings.may_exceed(each, self.folder) for each in (7, 8, 9)], [True, False, False])

    def test_the_holder_of_a_port_has_its_socket_open(self) -> None:
        """A connection to the port is not the port, and UDP is not TCP."""
        (self.folder / "net").mkdir()
        (self.folder / "net" / "udp").write_text(UDP)
        (self.folder / "net" / "tcp").write_text(TCP)
        self.process(7, "/dev/null", "socket:[27130]")
        self.process(8, "socket:[27131]")
        self.process(9, "socket:[27132]")
        self.assertEqual(surroundings.holder(4360, "udp", self.folder), 7)
        self.assertEqual(surroundings.holder(4360, "tcp", self.folder), 9)
        self.assertEqual(surroundings.holder(4361, "udp", self.folder), 0)
        anywhere = TCP.replace("0100007F:1108", "0" * 32 + ":111C").replace("132", "133")
        (self.folder / "net" / "tcp6").write_text(anywhere)
        self.process(10, "socket:[27133]")
        self.assertEqual(surroundings.holder(4380, "tcp", self.folder), 10)
        shutil.rmtree(self.folder / "7")
        self.assertEqual(surroundings.holder(4360, "udp", self.folder), 0)


class FileTests(FolderCase):
    """Files and the disk."""

    def test_a_file_has_a_mode_and_an_owner(self) -> None:
        """And can be written or not."""
        path = self.folder / "file"
        self.assertFalse(surroundings.kept(path, os.geteuid()).there)
        path.touch(0o600)
        found = surroundings.kept(path, os.geteuid())
        self.assertEqual((found.mode, found.owner), (0o600, surroundings.user_name(os.geteuid())))
        self.assertTrue(found.writable)

    def test_whether_another_user_may_write_is_told_from_the_mode(self) -> None:
        """Root may, strangers may if all may."""
        path = self.folder / "file"
        for mode, stranger in ((0o600, False), (0o622, True)):
            path.touch()
            path.chmod(mode)
            self.assertEqual(surroundings.kept(path, 4_000_000).writable, stranger, oct(mode))

    def test_a_user_without_a_name_is_a_number(self) -> None:
        """As in a container."""
        self.assertEqual(surroundings.user_name(4_000_000), "4000000")

    def test_room_is_that_of_the_nearest_folder_that_exists(self) -> None:
        """The server will make the others."""
        found = surroundings.room(self.folder / "a" / "b" / "events.jsonl")
        self.assertEqual(found.path, str(self.folder))
        self.assertGreater(found.free, 0)


class UnitTests(FolderCase):
    """Units of systemd, in made-up folders."""

    def unit(self, **given: str) -> list[str] | None:
        """What is wrong with a unit; None if there is none."""
        known = {"user": "root", "folder": "/", "program": sys.executable, "writes": str(self.folder)}
        (self.folder / "m.service").write_text(UNIT.format_map({**known, **given}))
        found = surroundings.unit("m.service", [self.folder / "var"], [self.folder / "none", self.folder])
        return found and found.problems

    def test_a_good_unit_has_no_problem(self) -> None:
        """Enabled once it is linked."""
        self.assertEqual(self.unit(), [])
        find = lambda: surroundings.unit("m.service", [], [self.folder])  # noqa: E731
        found = find()
        assert found is not None
        self.assertFalse(found.enabled)
        (self.folder / "multi-user.target.wants").mkdir()
        (self.folder / "multi-user.target.wants" / "m.service").symlink_to(self.folder / "m.service")
        found = find()
        assert found is not None
        self.assertTrue(found.enabled)

    def test_every_problem_has_its_key(self) -> None:
        """User, folder, program, and where it may write."""
        for key, value, told in (
            ("user", "nobody-of-that-name", "User: "),
            ("folder", "/nowhere", "WorkingDirectory: "),
            ("program", "/nowhere/monitor436", "ExecStart: "),
            ("writes", "/srv/else", "ReadWritePaths "),
        ):
            problems = self.unit(**{key: value})
            self.assertEqual([each[: len(told)] for each in problems or []], [told], key)

    def test_no_unit_and_one_that_is_none(self) -> None:
        """Neither ends in a traceback."""
        self.assertIsNone(surroundings.unit("m.service", [], [self.folder]))
        (self.folder / "m.service").write_bytes(b"\xff[Service")
        found = surroundings.unit("m.service", [], [self.folder])
        self.assertEqual(found and len(found.problems), 1)

    def test_the_unit_that_is_shipped_is_understood(self) -> None:
        """Whatever of it is not installed here is told, and nothing else."""
        writes = [Path("/srv/monitor436/var")]
        found = surroundings.unit("monitor436-server.service", writes, [ROOT / "etc" / "systemd"])
        assert found is not None
        self.assertLessEqual({each.split(":")[0] for each in found.problems}, {"ExecStart", "User", "WorkingDirectory"})
