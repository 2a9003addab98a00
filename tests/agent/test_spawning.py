"""Programs of the system are spawned; those that may be on a file server are not."""

import os
import shutil
import tempfile
import unittest

from monitor436.agent.spawning import spawn

PATH = {"PATH": "/usr/bin:/bin"}
CAN = hasattr(os, "posix_spawn")  # Python 3.8 and newer; before, every program is forked


class SpawnTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.reads, self.writes = os.pipe()
        self.nothing = os.open("/dev/null", os.O_RDONLY)
        for fd in (self.reads, self.writes, self.nothing):
            self.addCleanup(os.close, fd)

    def spawn(self, *argv: str) -> int:
        """The process; it is waited for at the end."""
        pid = spawn(argv, self.nothing, self.writes, PATH)
        if pid:
            self.addCleanup(os.waitpid, pid, 0)
        return pid

    def test_a_program_of_the_system_is_spawned(self) -> None:
        """By its name or its place; it leads a session of its own."""
        for program in ("sleep", shutil.which("sleep", path="/bin") or ""):
            pid = self.spawn(program, "0.01")
            self.assertEqual(bool(pid), CAN, program)
            self.assertTrue(not CAN or os.getsid(pid) == pid)

    def test_one_from_elsewhere_is_not(self) -> None:
        """Nor what a link in the system's folders would lead to: that is judged by where it goes."""
        place = os.path.join(self.folder, "echo")
        shutil.copy("/bin/echo", place)
        self.assertEqual(self.spawn(place), 0)
        self.assertEqual(self.spawn("/usr/bin/../.." + place), 0)
        self.assertEqual(self.spawn("/usr/local/bin/echo"), 0)

    def test_what_cannot_be_run_is_left_to_the_fork(self) -> None:
        """Which can tell why."""
        for argv in (
            ("/usr/bin/no-such-program",),
            ("no-such-program",),
            ("nul\0byte",),
            ("/usr/bin",),
            ("echo", "\0"),
        ):
            self.assertEqual(self.spawn(*argv), 0, argv)


if __name__ == "__main__":
    unittest.main()
