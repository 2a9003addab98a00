"""Tokens of the HTTP door: how one is known, what it may, and how often one may guess."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from monitor436.model.keys import tries
from monitor436.model.keys.issued import Issued, issue, opened
from monitor436.model.keys.tokens import TOKEN, Token, Tokens, hashed, host_problem, name_problem, spelt_token
from monitor436.model.keys.tries import Tries

KEY, BEFORE = b"k" * 32, b"b" * 32
ISSUED = Issued("web1.example", "web1.example", ("metrics",), 1000)


class TokenTests(unittest.TestCase):
    """Those that are made by hand."""

    def test_a_token_has_256_bits_and_nothing_of_them_is_kept(self) -> None:
        """Only a hash, of which it is not known."""
        with self.assertRaises(ValueError):
            spelt_token(bytes(16))
        token = spelt_token(bytes(range(32)))
        self.assertRegex(token, TOKEN)
        self.assertEqual(len(hashed(token)), 64)
        self.assertEqual(len({spelt_token(bytes([n]) * 32) for n in range(256)}), 256)

    def test_it_is_found_by_what_is_shown_and_by_nothing_else(self) -> None:
        """Not by its hash, not by another, not by a part."""
        shown = spelt_token(b"a" * 32)
        tokens = Tokens([Token("prometheus", hashed(shown), ("read",))])
        found = tokens.find(shown)
        self.assertEqual(found and found.name, "prometheus")
        for wrong in ("", "m436_", shown[:-1], shown + "a", hashed(shown), spelt_token(b"b" * 32), shown.upper()):
            self.assertIsNone(tokens.find(wrong), wrong)

    def test_one_that_is_revoked_is_gone_and_its_name_is_free(self) -> None:
        """A new one of that name is another token."""
        first, second = (spelt_token(bytes([n]) * 32) for n in (1, 2))
        tokens = Tokens([Token("a", hashed(first)), Token("a", revoked=True)])
        self.assertIsNone(tokens.find(first))
        self.assertEqual((len(tokens), tokens.named("a"), tokens.all()), (0, None, []))
        tokens.take(Token("a", hashed(second)))
        self.assertIsNone(tokens.find(first))
        self.assertIsNotNone(tokens.find(second))

    def test_a_new_one_of_the_same_name_ends_the_one_before(self) -> None:
        """One that had expired."""
        first, second = (spelt_token(bytes([n]) * 32) for n in (1, 2))
        tokens = Tokens([Token("a", hashed(first), expires=5.0), Token("a", hashed(second))])
        self.assertIsNone(tokens.find(first))
        self.assertEqual(len(tokens), 1)

    def test_it_ends_at_its_moment(self) -> None:
        """Zero is never."""
        self.assertTrue(Token("a", expires=10.0).good(9.9))
        self.assertFalse(Token("a", expires=10.0).good(10.0))
        self.assertTrue(Token("a").good(1e12))

    def test_names_are_plain(self) -> None:
        """They stand in logs and lists."""
        for good in ("prometheus", "web1.example", "me@laptop"):
            self.assertEqual(name_problem(good), "")
        for bad in ("", "-x", "a b", "a\n", "x" * 65, "ä"):
            self.assertIn("letters", name_problem(bad))
        self.assertEqual((host_problem(""), host_problem("web1")), ("", ""))
        self.assertIn("not a host's name", host_problem("Web 1"))


class IssuedTests(unittest.TestCase):
    """Those that a certificate is given."""

    def test_what_was_issued_is_read_until_it_ends(self) -> None:
        """By every server that has the key."""
        shown = issue(KEY, ISSUED)
        self.assertEqual(opened((KEY,), shown, 999.9), ISSUED)
        self.assertIsNone(opened((KEY,), shown, 1000.0))

    def test_while_the_site_key_is_exchanged_both_are_good(self) -> None:
        """And no other."""
        self.assertEqual(opened((KEY, BEFORE), issue(BEFORE, ISSUED), 0.0), ISSUED)
        self.assertIsNone(opened((KEY,), issue(BEFORE, ISSUED), 0.0))
        self.assertIsNone(opened((), issue(KEY, ISSUED), 0.0))

    @given(st.integers(0, 400), st.sampled_from("AZaz09_-."))
    def test_no_letter_of_it_can_be_another(self, at: int, letter: str) -> None:
        """Payload and tag, nor the last letter of it, some bits of which say nothing: text is compared."""
        shown = issue(KEY, ISSUED)
        at %= len(shown)
        forged = shown[:at] + letter + shown[at + 1 :]
        found = opened((KEY,), forged, 0.0)
        self.assertTrue(forged == shown or found is None)

    @given(st.text(max_size=80))
    def test_anything_else_is_nobodys(self, text: str) -> None:
        """And raises nothing."""
        for shown in (text, "m436i_" + text, f"m436i_{text}.{'A' * 43}"):
            self.assertIsNone(opened((KEY,), shown, 0.0))


class TriesTests(unittest.TestCase):
    """How often an address may be wrong."""

    def test_ten_wrong_ones_in_a_minute_are_let_pass_and_no_more(self) -> None:
        """The next one is told how long to wait, and after that it may try again."""
        counted = Tries()
        self.assertEqual({counted.wrong("192.0.2.1", 100.0 + n) for n in range(tries.MOST)}, {0.0})
        self.assertEqual(counted.wrong("192.0.2.1", 130.0), 30.0)
        self.assertEqual(counted.wrong("192.0.2.2", 130.0), 0.0)
        self.assertEqual(counted.wrong("192.0.2.1", 160.0), 0.0)

    def test_a_network_of_ipv6_counts_as_one(self) -> None:
        """Whoever has a /64 has 2**64 addresses."""
        counted = Tries()
        waits = [counted.wrong(f"2001:db8::{n:x}", 0.0) for n in range(tries.MOST + 1)]
        self.assertEqual(waits, [0.0] * tries.MOST + [tries.WITHIN])
        self.assertEqual(counted.wrong("2001:db8:0:1::1", 0.0), 0.0)
        mapped = [counted.wrong("::ffff:192.0.2.1", 0.0) for _ in range(tries.MOST)]
        self.assertEqual(mapped[-1], 0.0)
        self.assertGreater(counted.wrong("::ffff:192.0.2.1", 0.0), 0.0)
        self.assertEqual(counted.wrong("not an address", 0.0), 0.0)

    def test_what_is_remembered_is_bounded(self) -> None:
        """A guesser with many addresses takes no memory, and does not wash out the one that still guesses."""
        counted = Tries()
        for n in range(tries.ADDRESSES + 50):
            counted.wrong(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 0.0)
            if n % 1000 == 0:
                counted.wrong("192.0.2.1", 0.0)
        self.assertEqual(len(counted._wrong), tries.ADDRESSES)
        self.assertGreater(counted.wrong("192.0.2.1", 0.0), 0.0)
