"""Inventories: what a line means, and what is said about one that means nothing."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from monitor436.model.fleet.inventory import MOST, Listed, pattern_problem, read_inventory, read_line
from monitor436.model.source import SettingsError


def urls(text: str, pattern: str = "http://{server}/status") -> list[str]:
    """What would be asked."""
    return [listed.url for listed in read_inventory(text, "fleet.txt", pattern).targets]


class LineTests(unittest.TestCase):
    """What a line may be."""

    def test_hosts_ports_addresses_and_urls(self) -> None:
        """Each keeps its name as it was written."""
        told = {
            "web1": ("http://web1/status", "web1", 80),
            "web1:8080": ("http://web1:8080/status", "web1", 8080),
            "web1:80": ("http://web1/status", "web1", 80),
            "Web1.Example.ORG.": ("http://web1.example.org./status", "web1.example.org.", 80),
            "192.0.2.7:81": ("http://192.0.2.7:81/status", "192.0.2.7", 81),
            "2001:DB8::7": ("http://[2001:db8::7]/status", "2001:db8::7", 80),
            "[2001:db8::7]": ("http://[2001:db8::7]/status", "2001:db8::7", 80),
            "[2001:db8::7]:81": ("http://[2001:db8::7]:81/status", "2001:db8::7", 81),
            "https://web1": ("https://web1/", "web1", 443),
            "https://web1:443/a?b=1": ("https://web1/a?b=1", "web1", 443),
            "http://[::1]:9/x": ("http://[::1]:9/x", "::1", 9),
            "http://web1?q": ("http://web1/?q", "web1", 80),
        }
        for written, (url, host, port) in told.items():
            self.assertEqual(read_line(written), Listed(written, url, host, port))

    def test_a_pattern_takes_the_line_where_it_says_so(self) -> None:
        """URLs stay as they are."""
        self.assertEqual(
            urls("web1\n::1\nhttp://web2/s", "https://{server}:8443/health"),
            ["https://web1:8443/health", "https://[::1]:8443/health", "http://web2/s"],
        )

    def test_patterns_that_are_none_are_told(self) -> None:
        """In one sentence."""
        self.assertEqual(pattern_problem("http://{server}:8080/x"), "")
        for pattern in (
            "http://web1/status",
            "{server}",
            "ftp://{server}/",
            "http://{server}/{server}",
            "http://{server}/a b",
        ):
            self.assertIn("expected", pattern_problem(pattern), pattern)

    def test_a_port_stands_on_the_line_or_in_the_pattern(self) -> None:
        """With both nobody would know which is meant."""
        pattern = "http://{server}:8080/status"
        self.assertEqual(read_line("2001:db8::7", pattern).port, 8080)
        for written in ("web1:81", "[2001:db8::7]:81"):
            with self.assertRaises(ValueError) as caught:
                read_line(written, pattern)
            told = f'"{written}" has a port, and so has {pattern}: one of them is enough'
            self.assertEqual(str(caught.exception), told)

    def test_bad_lines_are_told_with_what_was_expected(self) -> None:
        """Each says what it got."""
        told = {
            "web1:": "expected a port from 1 to 65535",
            "web1:0": "expected a port from 1 to 65535",
            "web1:65536": "expected a port from 1 to 65535",
            "web1:http": "expected a port from 1 to 65535",
            "192.0.2.300": "expected an IPv4 address",
            "1.2.3": "expected an IPv4 address",
            "web 1": "expected one host a line",
            "web1/status": "expected a host or a whole URL",
            "-web": "expected the name or address of a host",
            "wéb": "expected the name or address of a host",
            "[::1": "expected host, host:port or an http",
            "[web1]": "expected the name or address of a host",
            "[fe80::1%eth0]": "expected the name or address of a host",
            "http://": "expected the name or address of a host",
            "ftp://web1/": "expected host, host:port or an http",
            "http://me:secret@web1/": "give an Authorization header",
            "http://web1/#top": "expected no fragment",
            "http://web1/\x07": "expected host, host:port or an http",
            "a" * 64 + ".org": "expected the name or address of a host",
            "http://web1/" + "x" * 2000: "at most 2000 characters",
        }
        for written, sentence in told.items():
            with self.assertRaises(ValueError, msg=written) as caught:
                read_line(written)
            self.assertIn(sentence, str(caught.exception), written)
            self.assertNotIn("secret", str(caught.exception))


class FileTests(unittest.TestCase):
    """A file of lines."""

    def test_comments_blank_lines_and_line_ends_of_others(self) -> None:
        """A byte-order mark too."""
        text = "\ufeff# the shop\r\n\r\nweb1\r\n  web2:81   # new\n\t\nhttp://web3/#x y\n"
        with self.assertRaisesRegex(SettingsError, "fleet.txt:6:1: expected"):
            urls(text)
        self.assertEqual(
            urls(text.replace("/#x y", "/ #x y")), ["http://web1/status", "http://web2:81/status", "http://web3/"]
        )

    def test_every_bad_line_is_told_with_its_place(self) -> None:
        """All at once."""
        with self.assertRaises(SettingsError) as caught:
            urls("web1\n   web1:x\n\nweb 2 # no\n")
        self.assertEqual([(each.line, each.column) for each in caught.exception.problems], [(2, 4), (4, 1)])

    def test_a_host_listed_twice_is_asked_once_and_told(self) -> None:
        """However it is written."""
        found = read_inventory("web1\nWEB1:80\nweb2\nhttp://web1/status\n", "fleet.txt")
        self.assertEqual([listed.name for listed in found.targets], ["web1", "web2"])
        self.assertEqual(str(found.twice[0]), 'fleet.txt:2:1: "WEB1:80" is listed on line 1 already; it is asked once')
        self.assertEqual([each.line for each in found.twice], [2, 4])

    def test_an_empty_inventory_is_told(self) -> None:
        """With or without comments."""
        for text in ("", "\n\n", "# nobody\n"):
            with self.assertRaises(SettingsError) as caught:
                urls(text)
            self.assertEqual(str(caught.exception), "fleet.txt: lists no host; write one a line")

    def test_more_than_one_process_can_ask_is_told(self) -> None:
        """One more."""
        with self.assertRaisesRegex(SettingsError, "100,001 hosts; at most 100,000"):
            urls("\n".join(f"h{number}" for number in range(MOST + 1)))

    @given(st.text(max_size=200))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        """Nothing else is raised, and what is told can be printed."""
        try:
            found = read_inventory(text, "fleet.txt")
        except SettingsError as refused:
            self.assertTrue(all(line.isprintable() for line in str(refused).split("\n")))
        else:
            self.assertTrue(all(listed.url.isascii() and listed.url.isprintable() for listed in found.targets))
