"""The window of datagrams on their way."""

import json
import random
import shutil
import tempfile
import unittest

from monitor436.agent import event as stated
from monitor436.agent.link import outbox as module
from monitor436.agent.link.outbox import Outbox
from monitor436.agent.store.spool import Spool


class Server:
    """The other end, as strict as the real one: only the next number, one number a spool."""

    def __init__(self) -> None:
        self.have = {}  # type: dict[str, int]
        self.texts = []  # type: list[str]

    def take(self, body: bytes) -> "tuple[str, int]":
        """What it acknowledges after a datagram."""
        message = json.loads(body.decode())
        known = max(self.have.get(message["s"], 0), message["a"])
        number = message["n"]
        for event in message["e"]:
            if number == known + 1:
                known = number
                self.texts.append(event["text"])
            number += 1
        self.have[message["s"]] = known
        return message["s"], known


class OutboxTests(unittest.TestCase):
    """Told the time, and what was acknowledged."""

    def setUp(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.spool = Spool(folder, "a" * 16)
        self.addCleanup(self.spool.close)
        self.outbox = Outbox(self.spool)

    def say(self, *texts: str) -> None:
        """Events on the spool."""
        self.spool.append([stated.event(stated.LOG_LINE, "info", text, 1.0) for text in texts], {})

    def test_several_events_travel_in_one_datagram(self) -> None:
        """As many as it has room for."""
        self.say(*["line {}".format(number) for number in range(30)])
        bodies = self.outbox.send(0.0)
        self.assertGreater(30, len(bodies))
        self.assertTrue(all(len(body) <= module.wire.MAX_BODY for body in bodies))
        self.assertEqual(sum(len(json.loads(body.decode())["e"]) for body in bodies), 30)

    def test_nothing_is_sent_twice_until_patience_is_over(self) -> None:
        """Then everything that is not acknowledged is, and patience doubles."""
        self.say("a")
        self.assertEqual(len(self.outbox.send(0.0)), 1)
        self.assertEqual(self.outbox.send(0.1), [])
        self.assertEqual(self.outbox.due, module.RESEND_FIRST)
        self.assertEqual(len(self.outbox.send(module.RESEND_FIRST)), 1)
        self.assertEqual(self.outbox.due, module.RESEND_FIRST * 3)

    def test_an_acknowledgement_ends_it(self) -> None:
        """Nothing is due any more."""
        self.say("a")
        self.outbox.send(0.0)
        self.outbox.acknowledge("a" * 16, 1, 0.1)
        self.assertEqual(self.outbox.due, float("inf"))
        self.assertEqual(self.outbox.send(9.0), [])

    def test_a_repeated_acknowledgement_asks_again_soon_but_not_at_once_again(self) -> None:
        """Something after it was lost; ten of them ask for one repetition."""
        self.say("a")
        self.outbox.send(1.0)
        self.outbox.acknowledge("a" * 16, 0, 1.01)
        self.assertEqual(len(self.outbox.send(1.01)), 1)
        for _ in range(10):
            self.outbox.acknowledge("a" * 16, 0, 1.02)
        self.assertEqual(self.outbox.send(1.02), [])
        self.assertEqual(len(self.outbox.send(1.01 + module.RESEND_AT_LEAST)), 1)

    def test_no_more_than_the_window_is_on_its_way(self) -> None:
        """However long the spool is."""
        for _ in range(200):
            self.say("x" * 500)
        self.outbox.acknowledge("a" * 16, 0, 0.0)
        self.assertEqual(len(self.outbox.send(0.0)), module.AHEAD)
        self.assertEqual(self.outbox.send(0.0), [])

    def test_a_new_home_gets_what_nobody_acknowledged(self) -> None:
        """And learns up to where somebody has."""
        self.say("a", "b")
        self.outbox.send(0.0)
        self.outbox.acknowledge("a" * 16, 2, 0.1)
        self.say("c")
        self.outbox.send(0.2)
        self.outbox.restart({}, 0.3)
        message = json.loads(self.outbox.send(0.3)[0].decode())
        self.assertEqual((message["n"], message["a"], len(message["e"])), (3, 2, 1))

    def test_what_may_have_gone_to_another_server_says_so(self) -> None:
        """Up to the last number that was sent there; what comes later does not."""
        self.outbox.restart({}, 0.0, "srv1")
        self.say("a")
        self.assertEqual(json.loads(self.outbox.send(0.0)[0].decode())["r"], 0)
        self.outbox.restart({}, 0.1, "srv1")
        self.assertEqual(json.loads(self.outbox.send(0.1)[0].decode())["r"], 0)
        self.outbox.restart({}, 0.2, "srv2")
        self.assertEqual(json.loads(self.outbox.send(0.2)[0].decode())["r"], 1)
        self.say("b")
        sent = json.loads(self.outbox.send(0.2)[0].decode())
        self.assertEqual((sent["n"], sent["r"]), (2, 1))

    def test_what_an_earlier_run_left_may_have_gone_anywhere(self) -> None:
        """Nobody knows any more to whom it was sent."""
        self.say("a")
        after = Spool(self.spool._folder, "b" * 16)
        self.addCleanup(after.close)
        sent = json.loads(Outbox(after).send(0.0)[0].decode())
        self.assertEqual((sent["n"], sent["r"]), (1, 1))

    def test_the_server_says_how_many_datagrams_it_takes_at_once(self) -> None:
        """Two, until it has; never more than a window."""
        for _ in range(100):
            self.say("x" * 500)
        self.assertEqual(len(self.outbox.send(0.0)), module.FIRST)
        self.outbox.acknowledge("a" * 16, 2, 0.1, 7)
        self.assertEqual(len(self.outbox.send(0.1)), 7)
        self.outbox.acknowledge("a" * 16, 9, 0.2, 1000)
        self.assertEqual(len(self.outbox.send(0.2)), module.AHEAD)

    def test_everything_arrives_once_and_in_order_through_loss(self) -> None:
        """Datagrams and acknowledgements lost, doubled and late, by a seeded chance."""
        for seed in range(20):
            chance = random.Random(seed)
            self.setUp()
            server, now, under_way = Server(), 0.0, []  # type: ignore[var-annotated]
            wanted = ["{}".format(number) for number in range(150)]
            for text in wanted:
                self.say(text)
            while len(server.texts) < len(wanted) and now < 600:
                under_way += [body for body in self.outbox.send(now) for _ in range(chance.choice((0, 1, 1, 1, 2)))]
                chance.shuffle(under_way)
                for body in under_way[: chance.randint(0, len(under_way))]:
                    under_way.remove(body)
                    spool, number = server.take(body)
                    if chance.random() < 0.8:
                        self.outbox.acknowledge(spool, number, now)
                now += 0.05
            self.assertEqual(server.texts, wanted)
