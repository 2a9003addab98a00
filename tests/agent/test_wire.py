"""Datagrams: sealed, opened, refused."""

import hashlib
import hmac
import random
import unittest

from monitor436.agent import wire
from monitor436.agent.wire import Key, Session, WireError


def pair() -> "tuple[Session, Session]":
    """The two ends of one session."""
    there, back = Key(b"t" * 32), Key(b"b" * 32)
    return Session(7, 0, there, back), Session(7, 0, back, there)


def opened(session: Session, datagram: bytes) -> bytes:
    """The body, as a receiver gets at it."""
    return session.open(datagram, wire.header(datagram)[3])


class KeyTests(unittest.TestCase):
    """Keys and tags."""

    def test_a_digest_is_hmac_sha256(self) -> None:
        """Whatever the length of key and data, and with either hash."""
        for size in (0, 1, 32, 64):
            for data in (b"", b"x" * 55, b"x" * 1200):
                wanted = hmac.new(b"k" * size, data, hashlib.sha256).digest()
                self.assertEqual(Key(b"k" * size).digest(data), wanted)
                self.assertEqual(Key(b"k" * size, hashlib.sha256).digest(data), wanted)

    def test_keys_of_hosts_names_and_generations_differ(self) -> None:
        """One host's key says nothing of another's."""
        site = b"s" * 32
        keys = {
            wire.host_key(site, name, serial, generation)
            for name in ("web1", "web2")
            for serial in (b"a" * 8, b"b" * 8)
            for generation in (0, 1)
        }
        self.assertEqual(len(keys), 8)


class SessionTests(unittest.TestCase):
    """One session, its numbers and its replay window."""

    def test_what_one_end_seals_the_other_opens_once(self) -> None:
        """The second time it is a replay."""
        agent, server = pair()
        datagram = agent.seal(wire.BEAT, b'{"up":1}')
        self.assertEqual(opened(server, datagram), b'{"up":1}')
        with self.assertRaisesRegex(WireError, "replay"):
            opened(server, datagram)

    def test_an_end_does_not_open_what_it_sealed_itself(self) -> None:
        """Reflection is refused."""
        agent, _ = pair()
        with self.assertRaisesRegex(WireError, "tag"):
            opened(agent, agent.seal(wire.BEAT, b"{}"))

    def test_every_flipped_bit_is_refused(self) -> None:
        """Wherever it is, and nothing but WireError comes of it."""
        agent, server = pair()
        datagram = agent.seal(wire.BEAT, b'{"up":1}')
        for bit in range(len(datagram) * 8):
            changed = bytearray(datagram)
            changed[bit // 8] ^= 1 << bit % 8
            with self.assertRaises(WireError):
                if wire.header(bytes(changed))[2] != server.id:
                    raise WireError("session")
                opened(server, bytes(changed))
        self.assertEqual(opened(server, datagram), b'{"up":1}')

    def test_datagrams_out_of_order_are_opened_once_within_the_window(self) -> None:
        """Compared with a set that remembers everything."""
        shuffled = random.Random(436)
        agent, server = pair()
        datagrams = [agent.seal(wire.BEAT, b"{}") for _ in range(3000)]
        newest, seen = 0, set()  # type: ignore[var-annotated]
        for _ in range(12000):
            number = min(3000, max(1, newest + shuffled.randint(-1100, 40)))
            fresh = number not in seen and number > newest - wire.WINDOW
            try:
                opened(server, datagrams[number - 1])
                was_opened = True
            except WireError:
                was_opened = False
            self.assertEqual(was_opened, fresh, number)
            if was_opened:
                seen.add(number)
                newest = max(newest, number)
        self.assertGreater(len(seen), 1000)

    def test_a_body_that_does_not_fit_is_an_error_of_the_sender(self) -> None:
        """1200 bytes and not one more."""
        agent, _ = pair()
        self.assertEqual(len(agent.seal(wire.EVENTS, b"x" * wire.MAX_BODY)), wire.MAX_DATAGRAM)
        with self.assertRaises(ValueError):
            agent.seal(wire.EVENTS, b"x" * (wire.MAX_BODY + 1))


class GreetingTests(unittest.TestCase):
    """HELLO and WELCOME."""

    def setUp(self) -> None:
        self.key = Key(wire.hello_key(b"h" * 32))
        self.hello = wire.Greeting(wire.HELLO, 0, 0, b"n" * 16, b"s" * 8, "web1", b'{"up":1}')

    def test_a_hello_is_as_long_as_any_answer_to_it(self) -> None:
        """It is padded, and what was in it comes out again."""
        datagram = wire.seal_greeting(self.key, self.hello)
        self.assertEqual(len(datagram), wire.HELLO_SIZE)
        greeting = wire.open_greeting(datagram)
        self.assertEqual(greeting._replace(body=greeting.body.rstrip()), self.hello)
        wire.authenticate(self.key, datagram)

    def test_a_name_that_is_none_is_refused(self) -> None:
        """Slashes, dots in front, capitals, nothing at all."""
        for name in ("", ".", "../x", "a/b", "Web1", "a b", "-a"):
            datagram = wire.seal_greeting(self.key, self.hello._replace(name=name))
            with self.assertRaisesRegex(WireError, "name"):
                wire.open_greeting(datagram)

    def test_what_is_too_short_or_claims_a_longer_name_is_refused(self) -> None:
        """Cut anywhere, with the right tag for what is left."""
        datagram = wire.seal_greeting(self.key, self.hello._replace(kind=wire.WELCOME))
        for size in range(len(datagram)):
            cut = datagram[:size]
            with self.assertRaises(WireError):
                wire.authenticate(self.key, cut + self.key.tag(cut)[:0])
                wire.open_greeting(cut)


class ParseTests(unittest.TestCase):
    """Bodies that servers send."""

    def test_only_a_shallow_object_is_taken(self) -> None:
        """No list, no depth, no text that is not UTF-8."""
        self.assertEqual(wire.parse(b'{"n":1}'), {"n": 1})
        for body in (b"", b"[1]", b"1", b'{"a":', b"\xff", b'{"a":' + b"[" * 20 + b"]" * 20 + b"}", b"[" * 1100):
            with self.assertRaisesRegex(WireError, "body"):
                wire.parse(body)
