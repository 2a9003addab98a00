"""Files of known hosts: every kind of line, and new keys that are written."""

import hmac
import os
import shutil
import tempfile
import unittest
from base64 import b64encode
from pathlib import Path

from monitor436.probes.ssh.known_hosts import CHANGED, KNOWN, REVOKED, UNKNOWN, KnownHosts

TYPE = "ssh-ed25519"
ONE, TWO = b"the key of one", b"the key of two"


def line(names: str, blob: bytes = ONE, type: str = TYPE, marker: str = "") -> str:
    """As OpenSSH writes it."""
    return f"{marker} {names} {type} {b64encode(blob).decode()} a comment\n".lstrip()


def hashed(name: str) -> str:
    """The name as `ssh-keygen -H` leaves it."""
    salt = b"salt of twenty bytes"
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{b64encode(salt).decode()}|{b64encode(digest).decode()}"


class KnownHostsTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "known_hosts"

    def known(self, text: str) -> KnownHosts:
        """What a file with that text says; new keys go into it too."""
        self.file.write_bytes(text.encode())
        return KnownHosts([self.file], self.file)

    def judged(self, text: str, host: str = "web1", port: int = 22, blob: bytes = ONE, type: str = TYPE) -> str:
        """How a key is known by it."""
        return self.known(text).judge(host, port, type, blob)

    def test_a_plain_name_is_known_by_its_key_alone(self) -> None:
        """Another key is a change, another host is not known."""
        text = "# comment\n\n" + line("web1,192.0.2.1")
        self.assertEqual(self.judged(text), KNOWN)
        self.assertEqual(self.judged(text, "192.0.2.1"), KNOWN)
        self.assertEqual(self.judged(text, "WEB1"), KNOWN)
        self.assertEqual(self.judged(text, blob=TWO), CHANGED)
        self.assertEqual(self.judged(text, "web2"), UNKNOWN)

    def test_no_sign_but_the_end_of_a_line_ends_one(self) -> None:
        """A comment that has others in it brings no host."""
        for sign in "\x0b\x0c\x1c\x85\u2028\r":
            self.assertEqual(self.judged(line("web1").rstrip() + sign + line("web2"), "web2"), UNKNOWN, repr(sign))
        self.assertEqual(self.judged(line("web1").replace("\n", "\r\n") + line("web2"), "web2"), KNOWN)

    def test_a_host_at_another_port_has_keys_of_its_own(self) -> None:
        """If no line has the port, those without one count, as they do for ssh."""
        text = line("[web1]:2222", TWO) + line("web1", ONE)
        self.assertEqual(self.judged(text, port=2222, blob=TWO), KNOWN)
        self.assertEqual(self.judged(text, port=2222, blob=ONE), CHANGED)
        self.assertEqual(self.judged(text, port=2223, blob=ONE), KNOWN)
        self.assertEqual(self.judged(line("[web1]:2222"), port=22), UNKNOWN)

    def test_hashed_names_are_found_by_whoever_knows_them(self) -> None:
        """With their port too."""
        self.assertEqual(self.judged(line(hashed("web1"))), KNOWN)
        self.assertEqual(self.judged(line(hashed("web1")), blob=TWO), CHANGED)
        self.assertEqual(self.judged(line(hashed("web1")), "web2"), UNKNOWN)
        self.assertEqual(self.judged(line(hashed("[web1]:2222")), port=2222), KNOWN)

    def test_wildcards_and_negation(self) -> None:
        """A negated pattern undoes its line."""
        text = line("web*.example,!web9.example,10.0.0.?")
        for host, expected in {
            "web1.example": KNOWN, "web9.example": UNKNOWN, "10.0.0.7": KNOWN, "10.0.0.77": UNKNOWN,
        }.items():  # fmt: skip
            self.assertEqual(self.judged(text, host), expected, host)
        self.assertEqual(self.judged(line("[*]:2222"), port=2222), KNOWN)

    def test_a_revoked_key_is_never_accepted(self) -> None:
        """Even where another line knows it."""
        self.assertEqual(self.judged(line("web1") + line("*", marker="@revoked")), REVOKED)
        self.assertEqual(self.judged(line("web1") + line(hashed("web1"), marker="@revoked")), REVOKED)
        self.assertEqual(self.judged(line("web1") + line("db*", marker="@revoked")), KNOWN)

    def test_authorities_and_broken_lines_say_nothing(self) -> None:
        """One bad line is no reason to trust nobody."""
        for text in (line("*", marker="@cert-authority"), "web1\n", "web1 ssh-ed25519\n", "|1|x|y ssh-ed25519 AA\n",
                     "|2|a|b ssh-ed25519 AA\n", "\xff\xfe\n", "@\n"):  # fmt: skip
            self.assertEqual(self.judged(text), UNKNOWN, text)

    def test_the_types_are_those_that_a_host_is_to_be_asked_for(self) -> None:
        """A host that is known by an RSA key only must not show another."""
        known = self.known(line("web1", type="ssh-rsa") + line(hashed("web1"), TWO, "ecdsa-sha2-nistp256"))
        self.assertEqual(known.types("web1", 22), ("ssh-rsa", "ecdsa-sha2-nistp256"))
        self.assertEqual(known.types("web2", 22), ())
        self.assertEqual(known.judge("web1", 22, TYPE, ONE), CHANGED)

    def test_a_new_key_is_appended_and_known_at_once(self) -> None:
        """After a last line that lacks its end; the next run knows it too."""
        known = self.known(line("web1").rstrip("\n"))
        self.assertEqual(known.judge("web2", 2222, TYPE, TWO), UNKNOWN)
        known.accept("web2", 2222, TYPE, TWO)
        self.assertEqual(known.judge("web2", 2222, TYPE, TWO), KNOWN)
        self.assertEqual(self.judged(self.file.read_text(), "web2", 2222, TWO), KNOWN)
        self.assertEqual(self.judged(self.file.read_text()), KNOWN)

    def test_a_new_file_is_its_owners_alone(self) -> None:
        """As ssh makes it, folder and all."""
        path = self.folder / "ssh" / "known_hosts"
        known = KnownHosts([self.folder / "absent"], path)
        known.accept("web1", 22, TYPE, ONE)
        self.assertEqual((os.stat(path).st_mode & 0o777, os.stat(path.parent).st_mode & 0o777), (0o600, 0o700))
        self.assertEqual(path.read_text(), line("web1").replace(" a comment", ""))
