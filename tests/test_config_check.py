"""`monitor436 config check`: what it says about good files, and about every bad one in tests/corpus."""

import json
import os
import re
import shutil
import tempfile
import unittest
from pathlib import Path

from click.testing import CliRunner, Result

from monitor436.cli.config import config

ROOT = Path(__file__).parent.parent
CORPUS = Path(__file__).parent / "corpus"
EXPECT = re.compile(r"# expect: (\d+:\d+): (.*)")


def check(*arguments: str) -> Result:
    """The command, run in this process; an exception of its own would be in `exception`."""
    return CliRunner().invoke(config, ["check", *arguments])


def expected(file: Path) -> list[tuple[str, str]]:
    """The (line:column, part of the sentence) pairs that the first lines of a corpus file name."""
    found = []
    for line in file.read_bytes().decode("utf-8", "replace").split("\n"):
        match = EXPECT.fullmatch(line.rstrip("\r"))
        if not match:
            break
        found.append((match[1], match[2]))
    return found


class FolderTests(unittest.TestCase):
    """Each test has a folder with settings and plans of its own."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.settings = self.folder / "monitor436.yaml"
        self.settings.write_text("")
        self.plans = self.folder / "agents"
        (self.plans / "common").mkdir(parents=True)
        (self.plans / "common" / "disk.yaml").write_text("checks: {}\n")

    def assert_refused(self, result: Result, file: Path, problems: list[tuple[str, str]]) -> None:
        """Exit status 2, and just these problems on standard error, one a line, with no traceback."""
        self.assertEqual(result.exit_code, 2, f"{result.output}\n{result.exception!r}")
        self.assertIsInstance(result.exception, SystemExit)
        self.assertNotIn("Traceback", result.output)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), len(problems), result.stderr)
        for place, sentence in problems:
            prefix = f"{file}:{place}: "
            self.assertTrue(
                any(line.startswith(prefix) and sentence in line for line in lines),
                f"no line {prefix}…{sentence}… in\n{result.stderr}",
            )


class PollFilesTests(FolderTests):
    def test_files_that_polls_name_are_opened(self) -> None:
        """Mistakes in an inventory have their place there, files that cannot be used where they are named."""
        (self.folder / "shops.txt").write_text("web1\nhttp://\n  web2 web3\n")
        (self.folder / "site.pem").write_text("no certificate")
        self.settings.write_text(
            "polls:\n  shops:\n    inventory: shops.txt\n    ca: site.pem\n"
            "  gone:\n    inventory: gone.txt\n    ca: gone.pem\n"
        )
        result = check("-c", str(self.settings))
        self.assertEqual(result.exit_code, 2, result.output)
        told = "\n".join(result.stderr.splitlines())
        self.assertIn(f"{self.folder}/shops.txt:2:1: ", told)
        self.assertIn(f"{self.folder}/shops.txt:3:3: expected one host a line", told)
        self.assertIn(f"{self.settings}:4:9: polls.shops.ca: ", told)
        self.assertIn("expected PEM certificates", told)
        self.assertIn(f"{self.settings}:6:16: polls.gone.inventory: ", told)
        self.assertIn(f"{self.settings}:7:9: polls.gone.ca: ", told)
        (self.folder / "shops.txt").write_text("web1\n")
        self.settings.write_text("polls:\n  shops:\n    inventory: shops.txt\n")
        self.assertEqual(check("-c", str(self.settings)).exit_code, 0)


class NotifierFilesTests(FolderTests):
    def test_files_of_notifiers_that_are_not_here_are_noted(self) -> None:
        """They may be on the server's machine, so the settings are good."""
        (self.folder / "ca.pem").touch()
        self.settings.write_text(
            "notify:\n  mail:\n    ops: {to: [a@b.example], sender: m@b.example, user: m, password_file: pw,"
            " ca: ca.pem}\n"
            "  command:\n    page: {argv: [/no/such/program]}\n    ring: {argv: [/bin/sh]}\n"
            "  routes: {all: {to: [ops, page, ring]}}\n"
        )
        result = check("-c", str(self.settings))
        self.assertEqual((result.exit_code, "good" in result.stdout), (0, True), result.output)
        [password, program] = result.stderr.splitlines()
        self.assertIn(f"note: {self.settings}:3:", password)
        self.assertIn(f"notify.mail.ops.password_file: {self.folder}/pw is not on this machine", password)
        self.assertIn("notify.command.page.argv: /no/such/program is no program on this machine", program)
        told = json.loads(check("--json", "-c", str(self.settings)).stdout)
        self.assertEqual((told["good"], len(told["notes"])), (True, 2))


class CorpusTests(FolderTests):
    def test_every_bad_settings_file_is_refused_with_place_and_sentence(self) -> None:
        """Each file names its problems in its first lines; there are no others."""
        files = sorted((CORPUS / "settings").iterdir())
        self.assertGreaterEqual(len(files), 70)
        for file in files:
            with self.subTest(file.name):
                self.assertTrue(expected(file))
                shutil.copy(file, self.settings)
                self.assert_refused(check("-c", str(self.settings)), self.settings, expected(file))

    def test_every_bad_plan_file_is_refused_with_place_and_sentence(self) -> None:
        """Each file names its problems in its first lines; there are no others."""
        files = sorted((CORPUS / "plans").iterdir())
        self.assertGreaterEqual(len(files), 70)
        for file in files:
            with self.subTest(file.name):
                self.assertTrue(expected(file))
                copy = self.plans / file.name
                shutil.copy(file, copy)
                self.assert_refused(check("-c", str(self.settings)), copy, expected(file))
                copy.unlink()


class CheckTests(FolderTests):
    def test_the_files_that_come_with_the_program_are_good(self) -> None:
        """One line, exit status 0."""
        result = check("-c", str(ROOT / "etc" / "monitor436.yaml"))
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertRegex(result.stdout, r"etc/monitor436\.yaml: good; 3 plan files, 12 checks\n\Z")
        self.assertEqual(result.stderr, "")

    def test_one_file_with_one_check_is_told_in_the_singular(self) -> None:
        """Numbers and nouns agree."""
        (self.plans / "common" / "disk.yaml").write_text("checks: {load: {reading: load1, warning: above 5}}\n")
        self.assertEqual(check("-c", str(self.settings)).stdout, f"{self.settings}: good; 1 plan file, 1 check\n")

    def test_problems_of_settings_and_of_plans_are_told_together(self) -> None:
        """The settings name another folder of plans, and are wrong elsewhere: that folder is looked at all the same."""
        self.settings.write_text("plans:\n  folder: other\n  port: x\n")
        (self.folder / "other").mkdir()
        (self.folder / "other" / "a.yaml").write_text("chekcs: {}\n")
        lines = check("-c", str(self.settings)).stderr.splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertTrue(lines[0].startswith(f"{self.settings}:3:9: plans.port: "))
        self.assertTrue(lines[1].startswith(f"{self.folder}/other/a.yaml:1:1: chekcs: "))

    def test_a_plan_without_beat_is_checked_with_the_beat_of_the_settings(self) -> None:
        """late: 15s is enough for 5 s, and not for the 30 s that the settings say."""
        (self.plans / "a.yaml").write_text("late: 15s\n")
        self.assertEqual(check("-c", str(self.settings)).exit_code, 0)
        self.settings.write_text("heartbeat: {every: 30s, late: 90s}\n")
        self.assert_refused(
            check("-c", str(self.settings)),
            self.plans / "a.yaml",
            [("1:7", "must be at least twice beat, which is 30s")],
        )

    def test_json_says_the_same_to_programs(self) -> None:
        """One object: whether it is good, how much was read, and each problem with its parts."""
        good = json.loads(check("--json", "-c", str(self.settings)).stdout)
        self.assertEqual(good, {"good": True, "plan_files": 1, "checks": 0, "problems": [], "notes": []})
        self.settings.write_text("nmae: x\n")
        result = check("--json", "-c", str(self.settings))
        self.assertEqual((result.exit_code, result.stderr), (2, ""))
        [problem] = json.loads(result.stdout)["problems"]
        self.assertEqual(problem["file"], str(self.settings))
        self.assertEqual((problem["line"], problem["column"], problem["path"]), (1, 1, "nmae"))
        self.assertIn("unknown key", problem["sentence"])

    def assert_unreadable(self, path: Path, sentence: str) -> None:
        """One line about the file as a whole, exit status 2."""
        result = check("-c", str(path))
        self.assertEqual(result.stderr, f"{path}: {sentence}\n")
        self.assertEqual(result.exit_code, 2)

    def test_files_that_cannot_be_read_are_told_in_a_sentence(self) -> None:
        """Missing, a folder, a pipe (which must not be waited for), below a file, too large."""
        self.assert_unreadable(self.folder / "none.yaml", "cannot be read: No such file or directory")
        self.assert_unreadable(self.folder, "cannot be read: Is a directory")
        os.mkfifo(self.folder / "pipe.yaml")
        self.assert_unreadable(self.folder / "pipe.yaml", "cannot be read: is not a regular file")
        self.assert_unreadable(self.settings / "x.yaml", "cannot be read: Not a directory")
        self.settings.write_bytes(b"# " + b"x" * (1 << 20))
        self.assert_unreadable(self.settings, "is larger than 1 MiB")

    def test_a_file_without_permission_is_told_in_a_sentence(self) -> None:
        """The reason is the system's. Root may read everything, so it becomes somebody else for a moment."""
        self.settings.chmod(0)
        if os.geteuid() == 0:
            self.addCleanup(os.seteuid, 0)
            os.seteuid(65534)
        self.assert_unreadable(self.settings, "cannot be read: Permission denied")

    def test_a_path_that_no_file_can_have_is_told_in_a_sentence(self) -> None:
        """A NUL byte, and a name longer than any."""
        for path in ("a\0b", "x" * 300):
            result = check("-c", path)
            self.assertEqual(result.exit_code, 2)
            self.assertIn("cannot be read", result.stderr)
            self.assertNotIn("Traceback", result.stderr)

    def test_a_missing_folder_of_plans_is_told_in_a_sentence(self) -> None:
        """It is no empty folder: that would take every check from every host."""
        shutil.rmtree(self.plans)
        result = check("-c", str(self.settings))
        self.assertEqual(result.stderr, f"{self.plans}: cannot be read: No such file or directory\n")
        self.assertEqual(result.exit_code, 2)

    def test_a_plan_file_that_is_a_pipe_or_leads_nowhere_is_told(self) -> None:
        """Neither is waited for, and the other files are still checked."""
        os.mkfifo(self.plans / "a.yaml")
        (self.plans / "b.yaml").symlink_to("nowhere")
        (self.plans / "c.yaml").write_text("chekcs: {}\n")
        lines = check("-c", str(self.settings)).stderr.splitlines()
        self.assertEqual(lines[0], f"{self.plans}/a.yaml: cannot be read: is not a regular file")
        self.assertEqual(lines[1], f"{self.plans}/b.yaml: cannot be read: No such file or directory")
        self.assertTrue(lines[2].startswith(f"{self.plans}/c.yaml:1:1: chekcs"))
        self.assertEqual(len(lines), 3)

    def test_what_editors_leave_behind_is_no_plan(self) -> None:
        """Hidden files, hidden folders and other endings are not looked at."""
        (self.plans / ".all.yaml.swp").write_text("{")
        (self.plans / ".#all.yaml").write_text("{")
        (self.plans / "all.yaml~").write_text("{")
        (self.plans / ".git").mkdir()
        (self.plans / ".git" / "x.yaml").write_text("{")
        self.assertEqual(check("-c", str(self.settings)).exit_code, 0)
