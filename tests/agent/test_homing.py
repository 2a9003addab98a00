"""Which servers an agent talks to."""

import unittest

from monitor436.agent import wire
from monitor436.agent.link import homing as module
from monitor436.agent.link.homing import Homing
from monitor436.agent.wire import WireError

SECRET = b"h" * 32
ONE, TWO = ("10.0.0.1", 4360), ("10.0.0.2", 4360)


class HomingTests(unittest.TestCase):
    """Told of beacons, welcomes and silence."""

    def setUp(self) -> None:
        self.count = 0
        self.homing = Homing("web1", b"s" * 8, 0, SECRET, dict, self.random)

    def random(self, size: int) -> bytes:
        """Bytes nobody had before."""
        self.count += 1
        return self.count.to_bytes(size, "big")

    def welcome(
        self, hello: bytes, server: str, address: "tuple[str, int]", key: bytes = SECRET, session: int = 5
    ) -> object:
        """The server answers a HELLO."""
        greeting = wire.open_greeting(hello)
        body = wire.dump({"server": server, "boot": "b", "nonce": "00" * 16, "door": 4360})
        answer = greeting._replace(kind=wire.WELCOME, session=session, body=body)
        datagram = wire.seal_greeting(wire.Key(wire.hello_key(key)), answer)
        return self.homing.welcome(wire.open_greeting(datagram), datagram, address, 1.0)

    def meet(self, server: str, address: "tuple[str, int]", session: int = 5) -> None:
        """A beacon, a greeting, an answer."""
        self.homing.beacon(server, "b", address, 4360, 0.0)
        ((hello, where),) = self.homing.greetings(0.0)
        self.assertEqual(where, address)
        self.welcome(hello, server, address, session=session)

    def test_a_beacon_leads_to_a_greeting_and_an_answer_to_a_home(self) -> None:
        """The first server that answers is home."""
        self.meet("alpha", ONE)
        self.meet("beta", TWO, 6)
        self.assertEqual(self.homing.home.name, "alpha")  # type: ignore[union-attr]
        self.assertEqual([server.name for server in self.homing.beating(1.0)], ["alpha", "beta"])

    def test_a_greeting_is_repeated_ever_less_often_with_the_same_nonce(self) -> None:
        """So that a late answer still counts."""
        self.homing.beacon("alpha", "b", ONE, 4360, 0.0)
        nonces, now = set(), 0.0
        for _ in range(8):
            ((hello, _),) = self.homing.greetings(now)
            nonces.add(wire.open_greeting(hello).nonce)
            self.assertEqual(self.homing.greetings(now), [])
            now = self.homing.greeting_due()
        self.assertEqual(len(nonces), 1)
        self.assertGreaterEqual(now, 1 + 2 + 4 + 8 + 16)

    def test_a_welcome_under_another_key_changes_nothing(self) -> None:
        """Whoever has an agent file can send beacons; only a server of the site can welcome."""
        self.homing.beacon("alpha", "b", ONE, 4360, 0.0)
        ((hello, _),) = self.homing.greetings(0.0)
        with self.assertRaisesRegex(WireError, "tag"):
            self.welcome(hello, "alpha", ONE, key=b"x" * 32)
        self.assertIsNone(self.homing.home)

    def test_a_welcome_counts_once(self) -> None:
        """A replayed one answers no greeting that is open."""
        self.homing.beacon("alpha", "b", ONE, 4360, 0.0)
        ((hello, _),) = self.homing.greetings(0.0)
        self.assertIsNotNone(self.welcome(hello, "alpha", ONE))
        self.assertIsNone(self.welcome(hello, "alpha", ONE, session=9))

    def test_a_forged_beacon_does_not_end_a_session(self) -> None:
        """It may lead to a greeting elsewhere, while the session goes on where it was."""
        self.meet("alpha", ONE)
        self.homing.beacon("alpha", "forged", TWO, 1, 2.0)
        (server,) = self.homing.beating(2.0)
        self.assertEqual((server.address, server.door), (ONE, 4360))
        self.assertEqual([where for _, where in self.homing.greetings(2.0)], [TWO])

    def test_a_server_that_does_not_answer_is_greeted_anew_and_another_becomes_home(self) -> None:
        """The home stays where it is then, also when the first one is back: no ping-pong."""
        self.meet("alpha", ONE)
        self.meet("beta", TWO, 6)
        for now in range(module.UNANSWERED + 1):
            for server in self.homing.beating(float(now)):
                if server.name == "beta":
                    server.unanswered = 0
        self.assertEqual(self.homing.home.name, "beta")  # type: ignore[union-attr]
        ((hello, where),) = self.homing.greetings(5.0)
        self.assertEqual(where, ONE)
        self.welcome(hello, "alpha", ONE, session=7)
        self.assertEqual(self.homing.home.name, "beta")  # type: ignore[union-attr]

    def test_a_lonely_server_stays_home_while_it_is_greeted_anew(self) -> None:
        """There is nobody else."""
        self.meet("alpha", ONE)
        for now in range(module.UNANSWERED + 1):
            self.homing.beating(float(now))
        self.assertEqual(self.homing.home.name, "alpha")  # type: ignore[union-attr]
        self.assertIsNone(self.homing.home.session)  # type: ignore[union-attr]

    def test_a_server_that_stands_still_is_told_goodbye_in_the_session_it_had(self) -> None:
        """When it goes on it finds that waiting, and knows that session yet; who never answered is told nothing."""
        self.meet("alpha", ONE)
        session = self.homing.home.session  # type: ignore[union-attr]
        for now in range(module.UNANSWERED + 1):
            self.homing.beating(float(now))
        self.homing.beacon("beta", "b", TWO, 4360, 5.0)
        self.assertEqual([(server.name, server.session) for server in self.homing.leave()], [("alpha", session)])

    def test_a_goodbye_goes_in_the_session_that_is_in_use(self) -> None:
        """Not in one before it."""
        self.meet("alpha", ONE)
        for now in range(module.UNANSWERED + 1):
            self.homing.beating(float(now))
        ((hello, _),) = self.homing.greetings(5.0)
        self.welcome(hello, "alpha", ONE, session=7)
        self.assertEqual([server.session.id for server in self.homing.leave()], [7])  # type: ignore[union-attr]

    def test_beacons_of_many_names_cost_little(self) -> None:
        """The table is bounded, and keeps the servers that answered."""
        self.meet("alpha", ONE)
        for number in range(1000):
            self.homing.beacon("fake{}".format(number), "b", TWO, 4360, 1.0 + number)
        self.assertLessEqual(len(self.homing.servers), module.MAX_SERVERS)
        self.assertIn("alpha", self.homing.servers)

    def test_beacons_without_end_make_a_host_send_little(self) -> None:
        """Whoever plays old ones again, or has an agent file, cannot have others flooded; a true server is greeted."""
        self.meet("alpha", ONE)
        sent = []
        for number in range(6000):
            now = number / 100.0
            self.homing.beacon("fake{}".format(number % 7), "b{}".format(number), TWO, 1, now)
            if number == 3000:
                self.homing.beacon("alpha", "another boot", ONE, 4360, now)
            sent += [where for _, where in self.homing.greetings(now)]
        self.assertLessEqual(sent.count(TWO), module.GREETINGS + 60)
        self.assertLess(sent.count(ONE), 10)
        self.assertIn(ONE, sent)

    def test_a_server_named_by_hand_and_heard_is_one(self) -> None:
        """It is known by the name in its answer."""
        self.homing.named("monitor.example.org", ONE)
        ((hello, _),) = self.homing.greetings(0.0)
        self.welcome(hello, "alpha", ONE)
        self.homing.beacon("alpha", "b", ONE, 4360, 1.0)
        self.assertEqual(len(self.homing.servers), 1)
        self.assertEqual(self.homing.greetings(1.0), [])

    def test_a_server_long_silent_is_forgotten_unless_it_was_named(self) -> None:
        """Beacons would bring it back."""
        self.homing.beacon("alpha", "b", ONE, 4360, 0.0)
        self.homing.named("beta", TWO)
        self.homing.beating(module.FORGET_AFTER + 1)
        self.assertEqual(list(self.homing.servers), ["beta"])


class RekeyedTests(HomingTests):
    """A host that was moved to another key: all of the above holds under it, and:"""

    def setUp(self) -> None:
        super().setUp()
        self.homing = Homing("web1", b"s" * 8, 0, b"f" * 32, dict, self.random)
        self.homing.rekey(SECRET, -module.FORMER)

    def hello_key(self, hello: bytes, *keys: bytes) -> "list[bytes]":
        """Which of the keys a HELLO is tagged under."""
        found = []
        for key in keys:
            try:
                wire.authenticate(wire.Key(wire.hello_key(key)), hello)
            except WireError:
                continue
            found.append(key)
        return found

    def test_sessions_go_on_and_a_server_is_greeted_under_the_new_key(self) -> None:
        """A server that has it says so; the session before is there until the answer."""
        self.meet("alpha", ONE)
        other = b"n" * 32
        self.homing.rekey(other, 0.0)
        alpha = self.homing.servers["alpha"]
        self.assertFalse(self.homing.present(alpha))
        self.assertEqual(self.homing.beating(1.0), [alpha])
        alpha.move()
        ((hello, _),) = self.homing.greetings(1.0)
        self.assertEqual(self.hello_key(hello, other, SECRET), [other])
        self.assertIsNotNone(alpha.session)
        self.welcome(hello, "alpha", ONE, other, 7)
        self.assertTrue(self.homing.present(alpha))
        self.assertEqual(alpha.session.id, 7)  # type: ignore[union-attr]

    def test_a_server_that_starts_anew_is_greeted_under_the_key_that_it_knew_first(self) -> None:
        """Another try would cost a second in which it hears nothing; one that has said that it is to be `move`d to the
        new key is greeted under that."""
        self.meet("alpha", ONE)
        other = b"n" * 32
        self.homing.rekey(other, 0.0)
        alpha = self.homing.servers["alpha"]
        used, now = [], 1.0
        for begin in (lambda: self.homing.beacon("alpha", "another boot", ONE, 4360, 1.0), alpha.move):
            begin()
            for _ in range(2):
                ((hello, _),) = self.homing.greetings(now)
                used += self.hello_key(hello, other, SECRET)
                now = self.homing.greeting_due()
        self.assertEqual(used, [SECRET, other, other, SECRET])

    def test_a_server_that_does_not_answer_is_greeted_by_turns_under_both(self) -> None:
        """It may have no copy of the site's folder yet. After an hour it should have."""
        other = b"n" * 32
        self.homing.rekey(other, 0.0)
        self.homing.beacon("beta", "b", TWO, 4360, 0.0)
        used, now, last = [], 0.0, b""
        for _ in range(4):
            ((last, _),) = self.homing.greetings(now)
            used += self.hello_key(last, other, SECRET)
            now = self.homing.greeting_due()
        self.assertEqual(used, [other, SECRET, other, SECRET])
        self.assertIsNotNone(self.welcome(last, "beta", TWO, SECRET, 8))
        self.assertFalse(self.homing.present(self.homing.servers["beta"]))
        self.homing.servers["beta"].greet_anew()
        used, now = [], module.FORMER
        for _ in range(3):
            ((last, _),) = self.homing.greetings(now)
            used += self.hello_key(last, other, SECRET)
            now = self.homing.greeting_due()
        self.assertEqual(used, [other] * 3)
        with self.assertRaises(WireError):
            self.welcome(last, "beta", TWO, SECRET, 9)
