"""What a host lets a plan do."""

import os
import select
import shutil
import tempfile
import time
import unittest

from monitor436.agent.commands import Child
from monitor436.agent.limits import FIRST_COMMANDS, FIRST_LOGS, Limits, run_as, which

PATIENT = 30.0  # seconds in which anything here has long happened


def commands(policy: str, listed: str = "") -> Limits:
    """Limits that are about commands."""
    return Limits(policy, listed, "none", "")


def logs(policy: str, listed: str = "") -> Limits:
    """Limits that are about logs."""
    return Limits("none", "", policy, listed)


class CommandLimitsTests(unittest.TestCase):
    """The three policies of --commands."""

    def test_none_runs_nothing_and_any_runs_all(self) -> None:
        """Whatever the list says."""
        self.assertIn("--commands none", commands("none", FIRST_COMMANDS).refusal(("df",)))
        self.assertEqual(commands("any").refusal(("/tmp/x",)), "")

    def test_a_name_on_the_list_means_the_program_in_the_standard_folders(self) -> None:
        """Not one of the same name elsewhere."""
        limits = commands("listed", FIRST_COMMANDS)
        self.assertEqual(limits.refusal(("df", "-h")), "")
        self.assertEqual(limits.refusal((which("df"),)), "")
        self.assertIn(
            "is not in this host's commands.allow (after an edit restart the agent)", limits.refusal(("/tmp/df",))
        )
        self.assertIn("is not in this host's", limits.refusal(("sh", "-c", "df")))

    def test_a_folder_on_the_list_means_what_lies_in_it(self) -> None:
        """Not what a path with dots leads to."""
        limits = commands("listed", "/usr/bin/\n# /bin/sh\n")
        self.assertEqual(limits.refusal(("/usr/bin/env",)), "")
        self.assertIn("is not in", limits.refusal(("/usr/bin/../../etc/passwd",)))
        self.assertIn("is not in", limits.refusal(("/usr/binary",)))

    def test_a_relative_path_is_no_program(self) -> None:
        """Nor is a name that nobody has."""
        limits = commands("listed", FIRST_COMMANDS)
        self.assertIn("is not a program", limits.refusal(("./df",)))
        self.assertIn("is not a program", limits.refusal(("no-such-program-436",)))


class LogLimitsTests(unittest.TestCase):
    """The three policies of --logs."""

    def test_none_reads_nothing_and_any_reads_all(self) -> None:
        """Whatever the list says."""
        self.assertIn("--logs none", logs("none", FIRST_LOGS).log_refusal("/var/log/syslog"))
        self.assertEqual(logs("any").log_refusal("/etc/shadow"), "")

    def test_a_new_list_lets_the_usual_places_be_read_and_nothing_else(self) -> None:
        """At any depth."""
        limits = logs("listed", FIRST_LOGS)
        for path in ("/srv/app/x.log", "/opt/a/b/c.log"):
            self.assertEqual(limits.log_refusal(path), "", path)
        for path in ("/etc/shadow", "/srv", "/srvx/a", "/home/ann/.bash_history"):
            self.assertEqual(
                limits.log_refusal(path),
                "{} is not in this host's logs.allow (after an edit restart the agent)".format(path),
            )

    def test_a_path_means_itself_and_a_folder_what_is_below(self) -> None:
        """A comment means nothing."""
        limits = logs("listed", "/etc/one.log\n/data/logs/  # of the shop\n# /etc/shadow\n\n")
        for path in ("/etc/one.log", "/data/logs/x", "/data/logs/deep/x"):
            self.assertEqual(limits.log_refusal(path), "", path)
        for path in ("/etc/one.log/x", "/etc/one.log.1", "/data/logs", "/data/logsx/y", "/etc/shadow"):
            self.assertNotEqual(limits.log_refusal(path), "", path)

    def test_a_star_stays_within_a_name(self) -> None:
        """With a slash at its end, a pattern means folders."""
        limits = logs("listed", "/home/*/logs/*.log\n/data/[ab]/\n")
        for path in ("/home/eva/logs/x.log", "/data/a/x", "/data/b/deep/x"):
            self.assertEqual(limits.log_refusal(path), "", path)
        for path in (
            "/home/eva/deep/logs/x.log",
            "/home/eva/logs/x/y.log",
            "/home/eva/logs/x.txt",
            "/data/c/x",
            "/data/a",
        ):
            self.assertNotEqual(limits.log_refusal(path), "", path)

    def test_a_relative_line_means_nothing(self) -> None:
        """Not even the path that it would be from here."""
        limits = logs("listed", "etc/one.log\n*\n")
        for path in ("/etc/one.log", os.path.abspath("etc/one.log"), "/one"):
            self.assertNotEqual(limits.log_refusal(path), "", path)

    def test_a_listed_link_means_what_it_led_to_at_the_start(self) -> None:
        """Whoever can change it later gains nothing."""
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        for name in ("data", "secret"):
            os.mkdir(os.path.join(folder, name))
        link = os.path.join(folder, "logs")
        os.symlink("data", link)
        limits = logs("listed", link + "/\n")
        os.unlink(link)
        os.symlink("secret", link)
        self.assertEqual(limits.log_refusal(os.path.join(folder, "data", "x")), "")
        self.assertNotEqual(limits.log_refusal(os.path.join(folder, "secret", "x")), "")


class RunAsTests(unittest.TestCase):
    """The user who runs commands."""

    def test_an_unknown_user_is_told(self) -> None:
        """By name."""
        with self.assertRaisesRegex(ValueError, "--run-as nobody-436: there is no such user"):
            run_as("nobody-436")

    def test_a_program_has_the_rights_of_that_user_and_no_others(self) -> None:
        """Nothing of root is left: neither user nor group nor any further group."""
        if os.geteuid() != 0:
            self.skipTest("needs root")
        for words, said in (("-u", b"65534"), ("-g", b"65533"), ("-G", b"65533 65532")):
            child = Child(["id", words], time.monotonic() + PATIENT, user=(65534, 65533, [65533, 65532]))
            select.select([child.fd], [], [], PATIENT)
            while not child.read():
                select.select([child.fd], [], [], PATIENT)
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            finished = child.poll(time.monotonic())
            assert finished is not None
            self.assertEqual((finished.status, finished.output.strip(), finished.problem), (0, said, ""))

    def test_only_root_becomes_somebody_else(self) -> None:
        """Root gets the user with all groups; anybody may name themselves."""
        if os.geteuid() != 0:
            with self.assertRaisesRegex(ValueError, "only an agent that root runs"):
                run_as("root")
            return
        self.assertEqual(run_as("root")[:2], (0, 0))
        self.addCleanup(os.seteuid, 0)
        os.seteuid(65534)
        with self.assertRaisesRegex(ValueError, "only an agent that root runs"):
            run_as("root")
