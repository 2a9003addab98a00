"""Counting processes on made-up hosts, and in tables as different ps programs print them."""

import os
import pwd
import shutil
import tempfile
import unittest

from monitor436.agent.probe.processes import HIDDEN, KERNEL_THREAD, NO_PROC, Wanted, count, count_in, hides, running
from monitor436.agent.probe.procfs import ReadingError

NOBODY = 65534
ME = pwd.getpwuid(os.geteuid()).pw_name


class ProcCase(unittest.TestCase):
    """Shared: a made-up /proc."""

    def setUp(self) -> None:
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        os.mkdir(os.path.join(self.root, "proc"))
        self.pid = 0
        self.process("init", "/sbin/init")

    def process(self, name: str, *words: str, state: str = "S", flags: int = 0x400100, threads: int = 1) -> str:
        """One more process; its folder."""
        self.pid += 1
        folder = os.path.join(self.root, "proc", str(self.pid))
        os.mkdir(folder)
        before = "{} 1 {} {} 0 -1 {} 100 0 0 0 1 2 0 0 20 0 {} 0 5 0 0".format(state, 1, 1, flags, threads)
        self.write(folder + "/stat", "{} ({}) {}\n".format(self.pid, name, before).encode())
        self.write(folder + "/cmdline", b"".join(word.encode() + b"\0" for word in words))
        return folder

    def write(self, path: str, data: bytes) -> None:
        """A file of that host."""
        with open(path, "wb") as file:
            file.write(data)

    def count(self, process: str, command_line: str = "", user: str = "", enough: int = 0) -> int:
        """How many there are."""
        return count(Wanted(process, command_line, user), self.root, enough)

    def refused(self, process: str, command_line: str = "", user: str = "", enough: int = 0) -> str:
        """Why they cannot be counted."""
        with self.assertRaises(ReadingError) as caught:
            self.count(process, command_line, user, enough)
        return str(caught.exception)


class NameTests(ProcCase):
    def test_processes_are_counted_by_their_names(self) -> None:
        """A shell pattern, or any."""
        for name in ("nginx", "nginx", "php-fpm7.4", "php-fpm8.2"):
            self.process(name, "/usr/sbin/" + name)
        found = [self.count(name) for name in ("nginx", "php-fpm*", "php-fpm[78].?", "ngin", "*")]
        self.assertEqual(found, [2, 2, 2, 0, 5])

    def test_a_name_may_have_anything_in_it(self) -> None:
        """Blanks and brackets, and the state after them."""
        self.process("a) S 1 (b", "x")
        self.process("tmux: server", "tmux")
        self.assertEqual((self.count("a) S 1 (b"), self.count("tmux: server")), (1, 1))

    def test_a_name_that_the_kernel_has_cut_counts_whole(self) -> None:
        """The rest of it is in the command line."""
        self.process("systemd-timesyn", "/lib/systemd/systemd-timesyncd", "--x")
        self.process("systemd-timesyn", "/lib/systemd/systemd-timesyncer")
        self.assertEqual((self.count("systemd-timesyncd"), self.count("systemd-timesyn")), (1, 2))

    def test_a_script_counts_by_its_name_and_by_that_of_its_interpreter(self) -> None:
        """The kernel knows it by the one, ps by the other."""
        self.process("scheduler.py", "/usr/bin/python3", "./scheduler.py")
        found = [self.count(name) for name in ("scheduler.py", "python*", "python2")]
        self.assertEqual(found, [1, 1, 0])

    def test_titles_and_login_shells_are_known_by_their_programs(self) -> None:
        """Though their first word is not the name of the file."""
        self.process("main", "postgres: 14/main: walwriter ", "", "")
        self.process("su", "-bash")
        self.assertEqual((self.count("postgres"), self.count("bash")), (1, 1))

    def test_zombies_do_not_count(self) -> None:
        """Nor what is about to vanish; but threads outlive their first one."""
        self.process("job", state="Z")
        self.process("job", state="X")
        self.assertEqual(self.count("job"), 0)
        self.process("job", state="Z", threads=3)
        self.assertEqual(self.count("job"), 1)

    def test_threads_of_the_kernel_have_a_name_only(self) -> None:
        """In brackets, as ps shows them; no file is read for it."""
        folder = self.process("kworker/0:1-events", flags=KERNEL_THREAD)
        os.unlink(folder + "/cmdline")
        self.assertEqual(self.count("kworker/*"), 1)
        self.assertEqual(self.count("*", r"^\[kworker"), 1)


class CommandLineTests(ProcCase):
    def test_a_pattern_is_searched_in_the_whole_command_line(self) -> None:
        """Its words with blanks between them."""
        self.process("java", "/usr/bin/java", "-cp", "/lib/x.jar" * 900, "org.example.Main")
        self.process("java", "/usr/bin/java", "-jar", "other.jar")
        self.assertEqual((self.count("java", r"\borg\.example\.Main$"), self.count("java", "-jar other")), (1, 1))
        self.assertEqual((self.count("java"), self.count("*", "java"), self.count("python*", "java")), (2, 2, 0))

    def test_bytes_that_are_no_text_do_not_matter(self) -> None:
        """They are matched as they are."""
        folder = self.process("odd", "x")
        self.write(folder + "/cmdline", b"\xff\xfe\0--now\xe9\0")
        self.assertEqual((self.count("odd", "--now"), self.count("odd", "ü")), (1, 0))

    def test_a_process_without_a_command_line_shows_its_name(self) -> None:
        """In brackets: it is about to end, or has wiped it."""
        self.process("wiped")
        self.assertEqual(self.count("wiped", r"^\[wiped\]$"), 1)

    def test_a_command_line_is_read_only_where_it_matters(self) -> None:
        """That of a process whose name has decided already may be one that nobody may read."""
        os.unlink(self.process("nginx", "nginx") + "/cmdline")
        os.unlink(self.process("other", "other", state="D") + "/cmdline")
        self.assertEqual(self.count("nginx"), 1)

    def test_one_that_waits_for_a_disk_is_not_asked_for_it(self) -> None:
        """Whoever asks may have to wait as long. If it might be the one that is missed, that is no alarm."""
        self.process("python3", "python3", "scheduler.py", state="D")
        self.assertEqual(self.count("python3", "scheduler", enough=0), 0)
        self.assertIn("wait for a disk", self.refused("python3", "scheduler", enough=1))
        self.assertEqual(self.count("python3", "scheduler", enough=2), 0)
        self.assertEqual(self.count("python3"), 1)

    def test_others_that_wait_for_a_disk_do_not_matter(self) -> None:
        """They have another name."""
        self.process("other", "other", state="D")
        self.assertEqual(self.count("python3", "scheduler", enough=1), 0)

    def test_a_pattern_has_its_time_for_all_processes_together(self) -> None:
        """Many that are slow are as bad as one that explodes; the next run has its time anew."""
        for _ in range(60):
            self.process("x", "a" * 20)
        wanted = Wanted("x", "(a+)+$b")
        for _ in range(2):
            with self.assertRaises(ReadingError):
                count(wanted, self.root)
        for pid in range(3, self.pid + 1):
            shutil.rmtree(os.path.join(self.root, "proc", str(pid)))
        self.assertEqual(count(wanted, self.root), 0)

    def test_a_pattern_that_explodes_is_stopped(self) -> None:
        """It does not hold up heartbeats."""
        self.process("x", "a" * 60)
        self.assertEqual(self.refused("x", "(a+)+$b"), "its pattern takes too long")


class UserTests(ProcCase):
    def test_processes_of_a_user_are_counted(self) -> None:
        """By name or by number."""
        self.process("nginx", "nginx")
        mine = str(os.geteuid())
        self.assertEqual([self.count("nginx", user=user) for user in (ME, mine, "4294967")], [1, 1, 0])

    def test_a_user_who_is_not_known_here_is_told(self) -> None:
        """It may be a slip: no alarm, and no silence."""
        self.assertEqual(self.refused("nginx", user="no-such-user"), "this host has no user no-such-user")


class HiddenTests(ProcCase):
    def test_a_proc_that_is_not_there_is_told(self) -> None:
        """Empty, or no folder at all."""
        shutil.rmtree(os.path.join(self.root, "proc"))
        self.assertEqual(self.refused("nginx"), NO_PROC)
        os.mkdir(os.path.join(self.root, "proc"))
        self.assertEqual(self.refused("nginx"), NO_PROC)
        with self.assertRaises(ReadingError):
            running(self.root)

    def test_where_processes_are_hidden_it_is_not_said_that_none_runs(self) -> None:
        """The first one is not to be seen: nor are others."""
        self.process("nginx", "nginx")
        self.assertFalse(hides(self.root))
        shutil.rmtree(os.path.join(self.root, "proc/1"))
        self.assertTrue(hides(self.root))
        self.assertEqual(self.refused("nginx"), HIDDEN)

    def test_our_own_processes_are_never_hidden(self) -> None:
        """They count as ever."""
        self.process("nginx", "nginx")
        shutil.rmtree(os.path.join(self.root, "proc/1"))
        self.assertEqual(self.count("nginx", user=ME), 1)

    def test_processes_that_vanish_while_they_are_read_do_not_count(self) -> None:
        """Before the first file, or between two."""
        os.mkdir(os.path.join(self.root, "proc/900"))
        self.write(self.process("gone") + "/stat", b"")
        os.unlink(self.process("going", "x") + "/cmdline")
        self.process("nginx", "nginx")
        self.assertEqual((self.count("nginx"), self.count("gone"), self.count("*", "going")), (1, 0, 0))

    def test_what_may_not_be_read_is_not_taken_for_absent(self) -> None:
        """Too few, and some may not be looked at: that is no alarm."""
        folder = self.process("nginx", "nginx")
        self.process("nginx", "nginx")
        os.chmod(folder + "/stat", 0)
        if os.geteuid() == 0:  # who may read everything
            os.chmod(self.root, 0o755)
            os.seteuid(NOBODY)
            self.addCleanup(os.seteuid, 0)
        self.assertEqual(self.count("nginx", enough=1), 1)
        self.assertEqual(self.refused("nginx", enough=2), HIDDEN)


class HereTests(unittest.TestCase):
    def test_this_process_is_found(self) -> None:
        """By name, command line and user, and it is a process."""
        self.assertIn(str(os.getpid()), running("/"))
        with open("/proc/self/stat") as file:
            name = file.read().partition("(")[2].rpartition(")")[0]
        self.assertGreaterEqual(count(Wanted(name, ".", ME), "/"), 1)
        self.assertEqual(count(Wanted("no-such-program"), "/"), 0)


EF = """\
UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 Nov20 ?        00:00:01 /sbin/init splash
root           2       0  0 Nov20 ?        00:00:00 [kthreadd]
systemd+     410       1  0 Nov20 ?        00:00:00 /lib/systemd/systemd-timesyncd
www-data     800     799  0 08:00 ?        00:00:00 nginx: worker process
www-data     801     799  0 08:00 ?        00:00:00 nginx: worker process
root         799       1  0 08:00 ?        00:00:00 nginx: master process /usr/sbin/nginx -g daemon on;
33           900       1  0 08:00 ?        00:00:00 /usr/bin/python3 -u /srv/scheduler.py
root         901       1  0 08:00 ?        00:00:00 [nginx] <defunct>
"""
AUX = """\
Warning: bad syntax, perhaps a bogus '-'?
USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
root           1  0.0  0.1 168140 11340 ?        Ss   Nov20   0:01 /sbin/init splash
www-data     800  0.0  0.1  55000  5000 ?        S    08:00   0:00 nginx: worker process
www-data     801  0.0  0.0      0     0 ?        Z    08:00   0:00 nginx
me           802  0.0  0.0      0     0 pts/0    Ss+  08:00   0:00 -bash
"""
BUSYBOX = """\
PID   USER     TIME  COMMAND
    1 root      0:00 {init} /bin/sh /sbin/init
   10 www-data  0:00 nginx: worker process
   11 monitor4  0:02 {scheduler.py} /usr/bin/python3 /srv/scheduler.py
   12 root      0:00 [kthreadd]
"""


class TableTests(unittest.TestCase):
    def count(self, table: str, process: str, command_line: str = "", user: str = "") -> int:
        """How many there are in a table."""
        return count_in(Wanted(process, command_line, user), table.encode())

    def refused(self, table: str, user: str = "") -> str:
        """Why a table is none."""
        with self.assertRaises(ReadingError) as caught:
            self.count(table, "nginx", user=user)
        return str(caught.exception)

    def test_the_full_format(self) -> None:
        """ps -ef."""
        found = [self.count(EF, name) for name in ("nginx", "systemd-timesyncd", "kthreadd", "python*", "init", "*")]
        self.assertEqual(found, [3, 1, 1, 1, 1, 7])
        self.assertEqual(self.count(EF, "nginx", "worker"), 2)
        self.assertEqual(self.count(EF, "python*", r"scheduler\.py$"), 1)

    def test_the_format_of_bsd(self) -> None:
        """ps aux, with a warning before it."""
        self.assertEqual([self.count(AUX, name) for name in ("nginx", "bash", "init")], [1, 1, 1])

    def test_the_format_of_busybox(self) -> None:
        """A script has both names."""
        found = [self.count(BUSYBOX, name) for name in ("init", "sh", "scheduler.py", "python3", "kthreadd", "nginx")]
        self.assertEqual(found, [1, 1, 1, 1, 1, 1])
        self.assertEqual(self.count(BUSYBOX, "*", "^/usr/bin/python3 /srv"), 1)

    def test_users_are_known_though_their_names_are_cut(self) -> None:
        """With a plus, without a word, or as a number."""
        self.assertEqual(self.count(EF, "nginx", user="www-data"), 2)
        self.assertEqual(self.count(EF, "systemd*", user="systemd-timesync"), 1)
        self.assertEqual(self.count(BUSYBOX, "*", user="monitor436-agent"), 1)
        self.assertEqual(self.count(EF, "python3", user="33"), 1)
        self.assertEqual(self.count(EF, "init", user="root"), 1)
        self.assertEqual(self.count(EF, "init", user="roo"), 0)

    def test_a_user_is_known_by_number_too(self) -> None:
        """Some tables have no names."""
        table = "UID CMD\n{} nginx\n{} nginx\n".format(os.geteuid(), os.geteuid() + 1)
        self.assertEqual(self.count(table, "nginx", user=ME), 1)

    def test_a_whole_name_is_not_taken_for_one_that_was_cut(self) -> None:
        """Shorter than where names are cut."""
        self.assertEqual(self.count("USER CMD\nwww nginx\n", "nginx", user="www-data"), 0)

    def test_what_is_no_table_is_told(self) -> None:
        """With the first thing it says."""
        self.assertIn("last column: ps: not allowed", self.refused("\nps: not allowed\n"))
        self.assertIn("last column: nothing", self.refused(""))
        self.assertIn("no column USER or UID: PID CMD", self.refused("PID CMD\n1 init\n", user="root"))
        self.assertIn("STARTED", self.refused("USER STARTED CMD\nroot Sat Nov 21 08:00:00 2026 nginx\n"))

    def test_a_table_without_rows_has_none(self) -> None:
        """As `ps -C nginx -f` prints it when there is none."""
        self.assertEqual(self.count("UID PID CMD\n", "nginx"), 0)
        self.assertEqual(self.count("UID PID CMD\nroot 1\n\n", "*"), 0)


if __name__ == "__main__":
    unittest.main()
