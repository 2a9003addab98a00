"""Files that list hosts for ssh."""

import unittest

from monitor436.model.source import SettingsError
from monitor436.model.sweep.inventory import read_host, read_hosts, user_problem


class LineTests(unittest.TestCase):
    def test_user_and_port_are_a_hosts_own(self) -> None:
        """Or the usual ones."""
        for written, url in {
            "web1": "ssh://web1:22",
            "web1:2222": "ssh://web1:2222",
            "root@web1": "ssh://root@web1:22",
            "EXAMPLE\\op@web1:2222": "ssh://EXAMPLE\\op@web1:2222",
            "op@example.org@web1": "ssh://op@example.org@web1:22",
            "192.0.2.1": "ssh://192.0.2.1:22",
            "2001:DB8::1": "ssh://[2001:db8::1]:22",
            "root@[2001:db8::1]:2222": "ssh://root@[2001:db8::1]:2222",
            "Web1.Example": "ssh://web1.example:22",
        }.items():
            self.assertEqual(read_host(written).url, url)
        self.assertEqual(read_host("web1", 2022).port, 2022)

    def test_what_could_be_an_option_is_no_host_and_no_user(self) -> None:
        """Nor are addresses that are none, ports out of range, several words."""
        for written in ("-oProxyCommand=id", "root@-oProxyCommand=id", "-l@web1", "web1:0", "web1:65536", "web1:ssh",
                        "a b", "@web1", "web1:", "300.1.1.1", "[::1", "web1/status", "http://web1", "ro;ot@web1",
                        "$(id)@web1", "web1;id", "fe80::1%eth0", "a@b c"):  # fmt: skip
            with self.assertRaises(ValueError, msg=written):
                read_host(written)

    def test_a_users_name_is_told_from_what_is_none(self) -> None:
        """The same for an option of a command."""
        self.assertEqual(user_problem("deploy"), "")
        self.assertIn("name of a user", user_problem("-oX"))


class FileTests(unittest.TestCase):
    def test_every_bad_line_is_told_with_its_place(self) -> None:
        """At once."""
        with self.assertRaises(SettingsError) as wrong:
            read_hosts("web1\n-oX # no\n  web2:99999\n", "fleet.txt")
        self.assertEqual([str(each).partition(": ")[0] for each in wrong.exception.problems],
                         ["fleet.txt:2:1", "fleet.txt:3:3"])  # fmt: skip

    def test_who_is_listed_twice_is_asked_once(self) -> None:
        """The same host as another user is another one."""
        listed = read_hosts("web1\nroot@web1\nweb1:22 # again\n", "fleet.txt")
        self.assertEqual([each.name for each in listed.targets], ["web1", "root@web1"])
        self.assertIn("line 1 already", str(listed.twice[0]))
