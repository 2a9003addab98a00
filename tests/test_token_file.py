"""The file of tokens, and the command that writes it."""

import json
import os
import stat
import tempfile
import unittest
from pathlib import Path

from click.testing import CliRunner, Result

from monitor436.cli import main
from monitor436.model.keys.tokens import Token, hashed, spelt_token
from monitor436.token_file import FreshTokens, Stamp, TokenFile

SHOWN = spelt_token(b"s" * 32)


class CountedFile(TokenFile):
    """Counts how often it is looked at."""

    looks = 0

    def stamp(self) -> Stamp | None:
        self.looks += 1
        return super().stamp()


class TokenFileTests(unittest.TestCase):
    """tokens.jsonl."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = TokenFile(self.folder / "tokens.jsonl")

    def test_what_was_kept_is_read_by_the_next_one(self) -> None:
        """Only its owner can read it, and the token is not in it."""
        self.file.keep(Token("a", hashed(SHOWN), ("read",), 1.0, 2.0, "web1"))
        again = TokenFile(self.file.path).read()
        self.assertEqual(again.find(SHOWN), Token("a", hashed(SHOWN), ("read",), 1.0, 2.0, "web1"))
        self.assertEqual(stat.S_IMODE(self.file.path.stat().st_mode), 0o600)
        self.assertNotIn(SHOWN, self.file.path.read_text())

    def test_a_file_that_others_could_read_is_closed_to_them(self) -> None:
        """At the next line."""
        self.file.path.touch(0o644)
        self.file.keep(Token("a", hashed(SHOWN)))
        self.assertEqual(stat.S_IMODE(self.file.path.stat().st_mode), 0o600)

    def test_half_a_line_of_a_power_cut_harms_no_other(self) -> None:
        """The next token begins a line of its own."""
        self.file.keep(Token("a", hashed(SHOWN)))
        with open(self.file.path, "ab") as file:
            file.write(b'{"name":"b","ha')
        self.file.keep(Token("c", hashed("c")))
        self.assertEqual([token.name for token in self.file.read().all()], ["a", "c"])

    def test_a_link_is_not_followed(self) -> None:
        """Somebody may have put it there, so that root writes elsewhere."""
        (self.folder / "other").touch()
        self.file.path.symlink_to(self.folder / "other")
        with self.assertRaises(OSError):
            self.file.keep(Token("a", hashed(SHOWN)))

    def test_a_running_server_sees_what_commands_do(self) -> None:
        """It looks at the file's stamp, no more than twice a second."""
        fresh = FreshTokens(self.file)
        self.assertIsNone(fresh.at(0.0).find(SHOWN))
        self.file.keep(Token("a", hashed(SHOWN)))
        self.assertIsNone(fresh.at(0.4).find(SHOWN))
        self.assertIsNotNone(fresh.at(0.5).find(SHOWN))
        self.file.keep(Token("a", revoked=True))
        self.assertIsNotNone(fresh.find(SHOWN, 0.9))
        self.assertIsNone(fresh.find(SHOWN, 1.0))

    def test_a_token_is_good_as_soon_as_it_is_made(self) -> None:
        """Also right after the file was looked at: whoever made it uses it at once."""
        fresh = FreshTokens(self.file)
        fresh.at(0.0)
        self.file.keep(Token("a", hashed(SHOWN)))
        self.assertIsNotNone(fresh.find(SHOWN, 0.001))

    def test_wrong_tokens_do_not_make_it_look_without_end(self) -> None:
        """Once in 50 ms, however many are shown; what has not the shape of a token never does."""
        file = CountedFile(self.file.path)
        fresh = FreshTokens(file)
        fresh.at(0.0)
        for number in range(1000):
            self.assertIsNone(fresh.find(spelt_token(number.to_bytes(32, "big")), number / 1000))
            fresh.find(f"Bearer {number}", number / 1000)
        self.assertLessEqual(file.looks, 1 + 20)
        before = file.looks
        fresh.find("m436i_short-lived", 1.05)
        self.assertEqual(file.looks, before)

    def test_a_file_that_cannot_be_read_lets_nobody_in(self) -> None:
        """Somebody may have been revoked meanwhile; once it can be read again, all is as it was."""
        self.file.keep(Token("a", hashed(SHOWN)))
        fresh = FreshTokens(self.file)
        self.assertIsNotNone(fresh.at(0.0).find(SHOWN))
        content = self.file.path.read_bytes()
        self.file.path.unlink()
        self.file.path.mkdir()
        self.assertIsNone(fresh.at(1.0).find(SHOWN))
        self.assertIn("directory", fresh.trouble)
        self.file.path.rmdir()
        self.file.path.write_bytes(content)
        self.assertIsNotNone(fresh.at(2.0).find(SHOWN))
        self.assertEqual(fresh.trouble, "")


class TokenCommandTests(unittest.TestCase):
    """`monitor436 token`."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "var").mkdir()
        (self.folder / "s.yaml").write_text("state: var\n")
        self.file = TokenFile(self.folder / "var" / "tokens.jsonl")

    def run_token(self, *words: str) -> Result:
        """The command with its settings."""
        return CliRunner().invoke(main, ["token", *words, "-c", str(self.folder / "s.yaml")])

    def test_a_new_token_is_shown_once_alone_on_a_line(self) -> None:
        """So that it can go into a file; the list does not show it, nor its hash."""
        made = self.run_token("new", "prometheus", "--scope", "read", "--scope", "read", "--expires", "1d")
        self.assertEqual(made.exit_code, 0, made.output)
        token = made.output.rstrip("\n")
        found = self.file.read().find(token)
        assert found is not None
        self.assertEqual((found.name, found.scopes, found.expires - found.made), ("prometheus", ("read",), 86400.0))
        listed = self.run_token("list")
        self.assertRegex(listed.output, r"\Aprometheus  read  until 2\d{3}-\d\d-\d\dT\d\d:\d\dZ\n\Z")
        [plain] = json.loads(self.run_token("list", "--json").output)
        self.assertEqual((plain["name"], plain["expired"], "hash" in plain), ("prometheus", False, False))

    def test_it_may_be_of_one_host_and_end_never(self) -> None:
        """As the list says."""
        self.run_token("new", "of-web1", "--scope", "metrics", "--expires", "never", "--host", "web1")
        self.assertEqual(self.run_token("list").output, "of-web1  metrics  never  web1\n")

    def test_a_name_that_is_in_use_is_refused_until_it_is_revoked(self) -> None:
        """Otherwise a typing mistake would end somebody's token."""
        first = self.run_token("new", "a", "--scope", "read").output.strip()
        second = self.run_token("new", "a", "--scope", "read")
        self.assertEqual(second.exit_code, 1)
        self.assertIn("revoke a", second.output)
        self.assertEqual(self.run_token("revoke", "a").output, "a is revoked\n")
        self.assertIsNone(self.file.read().find(first))
        self.assertEqual(self.run_token("new", "a", "--scope", "read").exit_code, 0)

    def test_one_that_has_expired_gives_its_name_free(self) -> None:
        """And is listed as expired until then."""
        self.file.keep(Token("a", hashed(SHOWN), ("read",), 1.0, 2.0))
        self.assertEqual(self.run_token("list").output, "a  read  expired 1970-01-01T00:00Z\n")
        self.assertEqual(self.run_token("new", "a", "--scope", "read").exit_code, 0)

    def test_mistakes_are_told_in_a_sentence(self) -> None:
        """With the status of a mistake in the command, or 1."""
        for words, status, says in (
            (("new", "a"), 2, "--scope"),
            (("new", "a", "--scope", "all"), 2, "all"),
            (("new", "a b", "--scope", "read"), 2, "letters"),
            (("new", "a", "--scope", "read", "--host", "WEB 1"), 2, "not a host"),
            (("new", "a", "--scope", "read", "--expires", "soon"), 2, "duration"),
            (("revoke", "a"), 1, "no token a"),
        ):
            result = self.run_token(*words)
            self.assertEqual(result.exit_code, status, words)
            self.assertIn(says, result.output)
        self.assertFalse(self.file.path.exists())

    def test_without_a_state_folder_there_is_no_server_yet(self) -> None:
        """Nothing is made by mistake in a folder of another name."""
        (self.folder / "var").rmdir()
        result = self.run_token("new", "a", "--scope", "read")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("does not exist", result.output)

    def test_what_root_makes_belongs_to_the_owner_of_the_folder(self) -> None:
        """A server that is not root must be able to read it."""
        if os.geteuid() == 0:
            os.chown(self.folder / "var", 1234, 1235)
        self.run_token("new", "a", "--scope", "read")
        found, folder = self.file.path.stat(), (self.folder / "var").stat()
        self.assertEqual((found.st_uid, found.st_gid), (folder.st_uid, folder.st_gid))
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o600)
