"""The agent is installed into an image, again and again, and removed from it."""

import os
import pwd
import shutil
import stat
import tempfile
import unittest

from monitor436.agent.options import HelpWanted, InTheWay, UsageError
from monitor436.agent.tools import unit
from monitor436.agent.tools.install import install, main
from monitor436.agent.tools.place import Place
from monitor436.agent.tools.uninstall import uninstall

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICE = "/etc/systemd/system/" + unit.UNIT
WANTED = "/etc/systemd/system/multi-user.target.wants/" + unit.UNIT


class UnitTests(unittest.TestCase):
    """The unit, and what stands for it elsewhere."""

    def test_the_unit_of_the_project_is_what_install_writes(self) -> None:
        """Byte by byte, where nothing is said."""
        path = os.path.join(ROOT, "etc", "systemd", unit.UNIT)
        with open(path) as file:
            self.assertEqual(file.read(), unit.text(unit.USER, unit.STATE, []))

    def test_options_are_kept_as_systemd_reads_them(self) -> None:
        """Spaces, quotes, and what systemd would replace."""
        text = unit.text("root", "/srv/agent", ["--name", "a", "--server", 'x "%$'])
        self.assertIn('ExecStart={} --state /srv/agent --name a --server "x \\"%%$$"\n'.format(unit.FILE), text)
        self.assertIn("\nReadWritePaths=/srv/agent\n", text)
        self.assertNotIn("StateDirectory", text)
        self.assertEqual(unit.state_of(text), "/srv/agent")

    def test_an_agent_of_root_keeps_the_rights_of_root(self) -> None:
        """It needs them to run commands as somebody else."""
        self.assertNotIn("User=", unit.text("root", unit.STATE, []))
        self.assertNotIn("Cap", unit.text("root", unit.STATE, []))

    def test_there_is_one_line_where_there_is_no_systemd(self) -> None:
        """For cron, and for init; a shell reads back what was meant."""
        line = unit.other_ways("eva", unit.STATE, ["--name", "it's"], False).splitlines()[-1]
        self.assertEqual(line, "@reboot eva {} --state {} --name 'it'\\''s'".format(unit.FILE, unit.STATE))
        line = unit.other_ways("eva", unit.STATE, [], True).splitlines()[-1]
        told = "m436:2345:respawn:/bin/su -s /bin/sh eva -c 'exec {} --state {}'"
        self.assertEqual(line, told.format(unit.FILE, unit.STATE))


@unittest.skipIf(os.geteuid() != 0, "installing needs root")
class InstallTests(unittest.TestCase):
    """An image with users, groups and systemd."""

    def setUp(self) -> None:
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\neva:x:1000:1000::/home/eva:/bin/sh\n")
        self.write("/etc/group", "root:x:0:\nadm:x:4:\neva:x:1000:\n")
        os.makedirs(self.path("/usr/lib/systemd/system"))
        self.said = []  # type: list[str]
        self.place = Place(self.root, self.said.append)

    def path(self, path: str) -> str:
        """A path of the image."""
        return self.root + path

    def write(self, path: str, text: str) -> None:
        """A file of the image."""
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w") as file:
            file.write(text)

    def read(self, path: str) -> str:
        """What a file of the image holds."""
        with open(self.path(path)) as file:
            return file.read()

    def install(self, content: bytes = b"agent", user: str = "eva", state: str = unit.STATE, *options: str) -> None:
        """Install."""
        del self.said[:]
        install(self.place, content, user, state, list(options), True)

    def tree(self) -> "dict[str, tuple[int, int, int, object]]":
        """Everything in the image: mode, owner, group, content."""
        found = {}  # type: dict[str, tuple[int, int, int, object]]
        for above, folders, files in os.walk(self.root):
            for name in folders + files:
                path = os.path.join(above, name)
                info = os.lstat(path)
                if stat.S_ISREG(info.st_mode):
                    with open(path) as file:
                        found[path] = info.st_mode, info.st_uid, info.st_gid, file.read()
                else:
                    found[path] = info.st_mode, info.st_uid, info.st_gid, info.st_mtime
        return found

    def test_everything_is_put_in_place(self) -> None:
        """The agent file is a secret: its user can run it and not change it; the state folder is the user's alone."""
        self.install()
        file, state = os.stat(self.path(unit.FILE)), os.stat(self.path(unit.STATE))
        self.assertEqual((file.st_mode & 0o7777, file.st_uid, file.st_gid), (0o750, 0, 1000))
        self.assertEqual((state.st_mode & 0o7777, state.st_uid, state.st_gid), (0o700, 1000, 1000))
        self.assertEqual(self.read(SERVICE), unit.text("eva", unit.STATE, []))
        self.assertEqual(os.readlink(self.path(WANTED)), SERVICE)
        self.assertEqual(
            self.said,
            [
                unit.FILE + ": written",
                unit.STATE + ": made for the agent",
                SERVICE + ": written",
                unit.UNIT + ": enabled",
            ],
        )

    def test_doing_it_again_changes_nothing_and_says_so(self) -> None:
        """Not even a time."""
        self.install()
        before = self.tree()
        self.install()
        self.assertEqual(self.tree(), before)
        self.assertEqual(self.said, [each + ": as it was" for each in (unit.FILE, unit.STATE, SERVICE)])

    def test_a_newer_file_and_other_options_replace_what_was_there(self) -> None:
        """The state stays, and becomes that of another user with all that is in it."""
        self.install()
        self.write(unit.STATE + "/spool/1.jsonl", "events")
        self.install(b"newer", "root", unit.STATE, "--commands", "none")
        self.assertEqual(self.read(unit.FILE), "newer")
        self.assertIn("--commands none\n", self.read(SERVICE))
        self.assertEqual(os.stat(self.path(unit.FILE)).st_mode & 0o7777, 0o700)
        self.assertEqual(os.stat(self.path(unit.STATE + "/spool/1.jsonl")).st_uid, 0)
        self.assertEqual(self.read(unit.STATE + "/spool/1.jsonl"), "events")

    def test_a_folder_of_somebody_else_is_left_alone(self) -> None:
        """A typing mistake must not give /etc away."""
        self.write("/srv/data/x", "")
        before = self.tree()
        with self.assertRaisesRegex(InTheWay, "/srv/data holds something else"):
            self.install(b"agent", "eva", "/srv/data")
        self.assertEqual(self.tree(), before)

    def test_an_unknown_user_is_told_before_anything_is_done(self) -> None:
        """Only the usual one is made."""
        before = self.tree()
        with self.assertRaisesRegex(InTheWay, "there is no user bob"):
            self.install(b"agent", "bob")
        self.assertEqual(self.tree(), before)

    def test_the_usual_user_is_made_and_put_in_the_groups_that_read_logs(self) -> None:
        """Those that exist; a group that comes later is joined the next time."""
        if shutil.which("useradd", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            self.skipTest("no useradd")
        self.install(b"agent", unit.USER)
        self.assertEqual(self.said[0], "user {}: made, in adm".format(unit.USER))
        self.assertIn("adm:x:4:{}\n".format(unit.USER), self.read("/etc/group"))
        uid, gid = self.place.user(unit.USER) or (0, 0)
        self.assertGreater(uid, 0)
        self.assertEqual(os.stat(self.path(unit.FILE)).st_gid, gid)
        self.write("/etc/group", self.read("/etc/group") + "systemd-journal:x:99:\n")
        self.install(b"agent", unit.USER)
        self.assertEqual(self.said[0], "user {}: put in systemd-journal".format(unit.USER))
        self.install(b"agent", unit.USER)
        self.assertEqual(self.said[0], "user {}: as it was".format(unit.USER))
        with self.assertRaises(KeyError):
            pwd.getpwnam(unit.USER)  # this machine's users are none of the image's

    def test_without_systemd_a_line_is_told(self) -> None:
        """And nothing of systemd is written."""
        shutil.rmtree(self.path("/usr/lib"))
        self.install()
        self.assertIn("@reboot eva " + unit.FILE, self.said[-1])
        self.assertFalse(os.path.exists(self.path(SERVICE)))
        self.write("/etc/inittab", "")
        self.install()
        self.assertIn("respawn:/bin/su", self.said[-1])

    def test_uninstalling_leaves_the_state_and_purging_does_not(self) -> None:
        """After a purge the image is as it was, but for folders."""
        before = {path for path in self.tree() if not os.path.isdir(path)}
        self.install(b"agent", "eva", "/srv/agent", "--name", "x")
        self.write("/srv/agent/identity.json", "{}")
        uninstall(self.place, False)
        self.assertEqual(
            {path for path in self.tree() if not os.path.isdir(path)} - before, {self.path("/srv/agent/identity.json")}
        )
        self.install(b"agent", "eva", "/srv/agent")
        uninstall(self.place, True)
        self.assertEqual({path for path in self.tree() if not os.path.isdir(path)}, before)
        uninstall(self.place, True)

    def test_purging_does_not_take_a_folder_that_is_no_state(self) -> None:
        """Somebody has edited the unit."""
        self.install()
        self.write(SERVICE, "ExecStart={} --state /etc\n".format(unit.FILE))
        with self.assertRaisesRegex(InTheWay, "/etc does not look like an agent's state"):
            uninstall(self.place, True)
        self.assertTrue(os.path.exists(self.path("/etc/passwd")))


class CommandLineTests(unittest.TestCase):
    """What is refused before anything is done."""

    def test_the_options_of_the_agent_are_looked_at_now(self) -> None:
        """And not at the next boot, by nobody."""
        for words in (
            ["--commands", "some"], ["--port", "0"], ["--server", "h:0"], ["--server", ":1"], ["--logs"],
            ["--nope"], ["x"], ["--state", "relative"], ["--state", "/with space"], ["--run-as", "nobody"],
        ):  # fmt: skip
            with self.assertRaises(UsageError, msg=words):
                main(["--root", "/nowhere", *words])
        with self.assertRaises(HelpWanted):
            main(["--help"])
