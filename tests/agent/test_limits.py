"""What a host lets a plan do."""

import unittest

from monitor436.agent.limits import FIRST, Limits, which


class LimitsTests(unittest.TestCase):
    """The three policies."""

    def test_none_runs_nothing_and_any_runs_all(self) -> None:
        """Whatever the list says."""
        self.assertIn("--commands none", Limits("none", FIRST).refusal(("df",)))
        self.assertEqual(Limits("any", "").refusal(("/tmp/x",)), "")

    def test_a_name_on_the_list_means_the_program_in_the_standard_folders(self) -> None:
        """Not one of the same name elsewhere."""
        limits = Limits("listed", FIRST)
        self.assertEqual(limits.refusal(("df", "-h")), "")
        self.assertEqual(limits.refusal((which("df"),)), "")
        self.assertIn("is not in this host's", limits.refusal(("/tmp/df",)))
        self.assertIn("is not in this host's", limits.refusal(("sh", "-c", "df")))

    def test_a_folder_on_the_list_means_what_lies_in_it(self) -> None:
        """Not what a path with dots leads to."""
        limits = Limits("listed", "/usr/bin/\n# /bin/sh\n")
        self.assertEqual(limits.refusal(("/usr/bin/env",)), "")
        self.assertIn("is not in", limits.refusal(("/usr/bin/../../etc/passwd",)))
        self.assertIn("is not in", limits.refusal(("/usr/binary",)))

    def test_a_relative_path_is_no_program(self) -> None:
        """Nor is a name that nobody has."""
        limits = Limits("listed", FIRST)
        self.assertIn("is not a program", limits.refusal(("./df",)))
        self.assertIn("is not a program", limits.refusal(("no-such-program-436",)))
