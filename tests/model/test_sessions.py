"""Greetings and the sessions they make, and whose name is whose."""

import unittest

from msgspec import structs

from monitor436.agent import wire
from monitor436.agent.wire import Key, Session, WireError
from monitor436.model.keys.enrolment import MOST_WAITING, Bound, Enrolment
from monitor436.model.keys.sessions import MAX_PENDING, AgentSession, Sessions
from monitor436.model.keys.site_keys import SiteKeys, mark
from monitor436.model.stream.messages import Hello

SITE, OTHER = b"s" * 32, b"o" * 32
HERE = ("10.0.0.1", 5000)


class SessionsTests(unittest.TestCase):
    """One server's sessions, as agents make them."""

    def setUp(self) -> None:
        self.count = 0
        self.sessions = Sessions(SITE, self.random)
        self.secret = wire.host_key(SITE, "web1", b"1" * 8, 0)

    def random(self, size: int) -> bytes:
        """Bytes nobody had before."""
        self.count += 1
        return self.count.to_bytes(size, "big")

    def hello(self, nonce: int, secret: bytes | None = None) -> bytes:
        """A greeting of web1."""
        greeting = wire.Greeting(wire.HELLO, 0, 0, nonce.to_bytes(16, "big"), b"1" * 8, "web1", b"{}")
        return wire.seal_greeting(Key(wire.hello_key(secret or self.secret)), greeting)

    def greet(self, nonce: int, secret: bytes | None = None) -> tuple[AgentSession, Session]:
        """Both ends after a greeting."""
        secret = secret or self.secret
        datagram = self.hello(nonce, secret)
        greeting = wire.open_greeting(datagram)
        proven = self.sessions.authenticate(greeting, datagram)
        self.assertEqual(proven.key, secret)
        made = self.sessions.greet(greeting, Hello(), HERE, proven)
        to_server, to_agent = wire.session_keys(secret, greeting.nonce, made.server_nonce)
        return made, Session(made.wire.id, 0, Key(to_server), Key(to_agent))

    def opened(self, datagram: bytes, address: tuple[str, int] = HERE) -> AgentSession:
        """Whose datagram the server takes it for."""
        return self.sessions.open(wire.header(datagram), datagram, address)[0]

    def test_a_session_is_in_use_from_its_first_datagram(self) -> None:
        """Not from the greeting, which may be a replay."""
        made, agent = self.greet(1)
        self.assertIsNone(self.sessions.of("web1"))
        self.assertIs(self.opened(agent.seal(wire.BEAT, b"{}")), made)
        self.assertIs(self.sessions.of("web1"), made)

    def test_a_replayed_greeting_makes_no_second_session_and_ends_none(self) -> None:
        """The same answer comes again, and the session in use stays."""
        made, agent = self.greet(1)
        again, _ = self.greet(1)
        self.assertIs(made, again)
        self.opened(agent.seal(wire.BEAT, b"{}"))
        for _ in range(100):
            self.greet(1)
        self.assertIs(self.opened(agent.seal(wire.BEAT, b"{}")), made)
        self.assertLessEqual(len(self.sessions), 2)

    def test_a_new_session_replaces_the_old_one_when_it_is_used(self) -> None:
        """Then the old one's datagrams are refused."""
        _, old = self.greet(1)
        self.opened(old.seal(wire.BEAT, b"{}"))
        made, new = self.greet(2)
        self.opened(old.seal(wire.BEAT, b"{}"))
        self.opened(new.seal(wire.BEAT, b"{}"))
        self.assertIs(self.sessions.of("web1"), made)
        with self.assertRaisesRegex(WireError, "session"):
            self.opened(old.seal(wire.BEAT, b"{}"))

    def test_greetings_without_end_cost_little(self) -> None:
        """A few wait at most, the newest."""
        for nonce in range(1000):
            self.greet(nonce)
        self.assertEqual(len(self.sessions), MAX_PENDING)

    def test_a_greeting_under_another_hosts_key_is_refused(self) -> None:
        """And so is one of another length, or an answer sent back."""
        other = wire.host_key(SITE, "web2", b"2" * 8, 0)
        for datagram in (self.hello(1, other), self.hello(1)[:-1]):
            with self.assertRaises(WireError):
                self.sessions.authenticate(wire.open_greeting(datagram), datagram)

    def test_an_agent_may_move_to_another_address(self) -> None:
        """The next answer goes where it was heard last; a forged datagram moves nothing."""
        made, agent = self.greet(1)
        self.opened(agent.seal(wire.BEAT, b"{}"), ("10.0.0.9", 9))
        self.assertEqual(made.address, ("10.0.0.9", 9))
        forged = agent.seal(wire.BEAT, b"{}")[:-1] + b"\0"
        with self.assertRaises(WireError):
            self.opened(forged, ("6.6.6.6", 6))
        self.assertEqual(made.address, ("10.0.0.9", 9))

    def test_a_session_that_is_not_allowed_any_more_ends(self) -> None:
        """In use or only greeted; others go on."""
        made, agent = self.greet(1)
        self.opened(agent.seal(wire.BEAT, b"{}"))
        self.greet(2)
        self.sessions.end_unless(lambda session: session.name == "web1")
        self.assertIs(self.opened(agent.seal(wire.BEAT, b"{}")), made)
        self.sessions.end_unless(lambda session: session.name != "web1")
        self.assertEqual((len(self.sessions), self.sessions.of("web1")), (0, None))
        with self.assertRaisesRegex(WireError, "session"):
            self.opened(agent.seal(wire.BEAT, b"{}"))

    def test_after_a_goodbye_there_is_no_session(self) -> None:
        """What comes later is of nobody."""
        made, agent = self.greet(1)
        self.opened(agent.seal(wire.BYE, b"{}"))
        self.sessions.end(made)
        self.assertEqual(len(self.sessions), 0)


class RotationTests(SessionsTests):
    """While hosts are moved from one key of the site to another, all of the above holds, and:"""

    def setUp(self) -> None:
        super().setUp()
        self.other = wire.host_key(OTHER, "web1", b"1" * 8, 0)
        self.sessions.follow(SiteKeys(OTHER, SITE))

    def test_both_keys_are_heard_and_who_has_the_one_before_is_to_be_moved(self) -> None:
        """A session that was there goes on; the next one is under the new key, and takes its place when it is used."""
        self.sessions.follow(SiteKeys(SITE))
        made, agent = self.greet(1)
        self.opened(agent.seal(wire.BEAT, b"{}"))
        self.assertFalse(made.rekey)
        self.sessions.follow(SiteKeys(OTHER, SITE))
        self.assertTrue(made.rekey)
        self.assertIs(self.opened(agent.seal(wire.BEAT, b"{}")), made)
        moved, after = self.greet(2, self.other)
        self.assertEqual((moved.rekey, moved.mark), (False, mark(OTHER)))
        self.opened(agent.seal(wire.BEAT, b"{}"))
        self.opened(after.seal(wire.BEAT, b"{}"))
        self.assertIs(self.sessions.of("web1"), moved)
        again, _ = self.greet(3)
        self.assertTrue(again.rekey)

    def test_one_nonce_under_both_keys_makes_two_sessions(self) -> None:
        """An agent that tries both keys by turns can use whichever answer comes."""
        first, before = self.greet(1, self.other), self.greet(1)
        self.assertNotEqual(first[0].wire.id, before[0].wire.id)
        self.assertIs(self.greet(1, self.other)[0], first[0])
        self.assertIs(self.greet(1)[0], before[0])
        self.assertIs(self.opened(before[1].seal(wire.BEAT, b"{}")), before[0])

    def test_in_the_end_the_key_before_is_good_for_nothing(self) -> None:
        """Sessions under it end, those under the new one go on, and greetings under it are refused."""
        _, old = self.greet(1)
        self.opened(old.seal(wire.BEAT, b"{}"))
        self.sessions.follow(SiteKeys(OTHER))
        with self.assertRaisesRegex(WireError, "session"):
            self.opened(old.seal(wire.BEAT, b"{}"))
        with self.assertRaisesRegex(WireError, "tag"):
            self.greet(2)
        self.assertEqual((len(self.sessions), self.sessions.of("web1")), (0, None))
        _, new = self.greet(3, self.other)
        self.opened(new.seal(wire.BEAT, b"{}"))

    def test_a_key_of_neither_is_refused(self) -> None:
        """Two good keys are not one more guess for others."""
        stranger = wire.host_key(b"x" * 32, "web1", b"1" * 8, 0)
        with self.assertRaisesRegex(WireError, "tag"):
            self.greet(1, stranger)


class EnrolmentTests(unittest.TestCase):
    """Whose name is whose."""

    def test_a_name_belongs_to_the_first_that_greeted(self) -> None:
        """Another key may not use it, nor join under it."""
        names = Enrolment([])
        bound = names.join("web1", "01" * 8)
        self.assertIsNotNone(bound)
        self.assertTrue(names.allows("web1", "01" * 8, 0))
        names.bind("web1", "01" * 8, 0)
        self.assertFalse(names.allows("web1", "02" * 8, 0))
        self.assertFalse(names.allows("web1", "01" * 8, 1))
        self.assertIsNone(names.join("web1", "03" * 8))

    def test_a_join_whose_answer_was_lost_may_be_repeated(self) -> None:
        """With another key, as long as nobody has greeted."""
        names = Enrolment([])
        names.join("web1", "01" * 8)
        self.assertIsNotNone(names.join("web1", "02" * 8))
        self.assertTrue(names.allows("web1", "02" * 8, 0))

    def test_what_is_kept_holds_after_a_restart(self) -> None:
        """The last binding of a name counts."""
        names = Enrolment([])
        kept = [names.join("web1", "01" * 8), names.bind("web1", "01" * 8, 0)]
        self.assertIsNone(names.bind("web1", "01" * 8, 0))
        again = Enrolment([bound for bound in kept if bound])
        self.assertFalse(again.allows("web1", "02" * 8, 0))

    def test_a_move_to_another_site_key_is_kept_once_and_tells_who_is_left(self) -> None:
        """A host that came back with the key before is left again; one that joined and was never heard is nobody."""
        names = Enrolment([])
        names.join("new", "03" * 8)
        for name in ("web1", "web2"):
            names.bind(name, "01" * 8, 0, "old")
        self.assertIsNone(names.bind("web1", "01" * 8, 0, "old"))
        moved = names.bind("web1", "01" * 8, 0, "new")
        assert moved is not None
        self.assertEqual((moved.site, moved.serial, moved.greeted), ("new", "01" * 8, True))
        self.assertIsNone(names.bind("web1", "01" * 8, 0, "new"))
        self.assertIsNone(names.bind("web1", "02" * 8, 0, "old"), "that is somebody else")
        self.assertEqual([bound.name for bound in names.behind("new")], ["web2"])
        names.bind("web1", "01" * 8, 0, "old")
        self.assertEqual([bound.name for bound in names.behind("new")], ["web1", "web2"])

    def test_a_generation_more_revokes_the_keys_before(self) -> None:
        """The host joins again, and gets a key of the generation that is wanted."""
        least = {"web1": 0}
        names = Enrolment([], lambda name: least[name])
        names.bind("web1", "01" * 8, 0)
        least["web1"] = 1
        self.assertFalse(names.allows("web1", "01" * 8, 0))
        bound = names.join("web1", "02" * 8)
        assert bound is not None
        self.assertEqual(bound.generation, 1)
        self.assertTrue(names.allows("web1", "02" * 8, 1))

    def test_where_joins_are_approved_a_host_waits_for_it(self) -> None:
        """And only the machine that was approved gets the key, as often as it asks."""
        names = Enrolment([])
        first = names.join("web1", "01" * 8, "aa", True, "192.0.2.7")
        assert first is not None
        self.assertEqual((first.state, first.serial, first.address), ("waiting", "", "192.0.2.7"))
        self.assertIs(names.join("web1", "02" * 8, "aa", True), first)
        self.assertIsNone(names.join("web1", "03" * 8, "bb", True))
        names.take(structs.replace(first, state="approved"))
        self.assertIsNone(names.join("web1", "04" * 8, "bb", True))
        for serial in ("05" * 8, "06" * 8):
            given = names.join("web1", serial, "aa", True)
            assert given is not None
            self.assertEqual((given.state, given.serial), ("", serial))

    def test_how_a_host_came_by_its_key_is_kept(self) -> None:
        """For as long as it has that key: with a token, approved, or in its file, which the serial tells."""
        names = Enrolment([])
        names.join("web1", "01" * 8)
        waiting = names.join("web2", "02" * 8, "aa", True)
        assert waiting is not None
        self.assertEqual(waiting.way, "")
        names.take(structs.replace(waiting, state="approved"))
        names.join("web2", "02" * 8, "aa", True)
        for name, serial in (("web1", "01"), ("web2", "02"), ("web3", "03"), ("web4", "04")):
            names.bind(name, serial * 8, 0, "site")
            names.bind(name, serial * 8, 0, "another")
        came = [bound.came("03" * 8) for bound in names.names()]
        self.assertEqual(came, ["token", "approved", "packed", ""])
        names.join("web5", "05" * 8)
        names.bind("web5", "06" * 8, 0)
        self.assertEqual([names.of("web5").came(each * 8) for each in ("06", "05")], ["packed", ""])  # type: ignore[union-attr]

    def test_a_name_that_is_forgotten_is_free(self) -> None:
        """For the next machine."""
        names = Enrolment([])
        names.bind("web1", "01" * 8, 0)
        names.take(Bound("web1", state="forgotten"))
        self.assertTrue(names.allows("web1", "02" * 8, 0))
        self.assertIsNotNone(names.join("web1", "02" * 8))

    def test_those_that_wait_are_not_without_end(self) -> None:
        """Whoever has the join token could ask under any name."""
        names = Enrolment([])
        for number in range(MOST_WAITING):
            self.assertIsNotNone(names.join(f"h{number}", "01" * 8, "aa", True))
        self.assertIsNone(names.join("one-more", "01" * 8, "aa", True))
