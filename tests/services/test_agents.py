"""The doorway of agents, datagram by datagram."""

from collections.abc import Callable
from typing import Any

from msgspec import json
from twisted.internet.defer import Deferred, execute

from monitor436.agent import event as stated
from monitor436.agent import wire
from monitor436.agent.wire import Key, Session
from monitor436.model import event as kinds
from monitor436.model.audit.proof import Proof
from monitor436.model.stream.ahead import AHEAD
from tests.services.doorway import SPOOL, Agent, DoorwayCase, Wanted


def acknowledged(number: int) -> tuple[int, dict[str, object]]:
    """Everything up to `number` is durable; few hosts send, so each may have the whole window on its way."""
    return wire.ACK, {"s": SPOOL, "n": number, "w": 32}


class AgentsTests(DoorwayCase):
    """What a server makes of what agents say."""

    def test_a_beat_is_answered_with_the_plan_that_is_wanted(self) -> None:
        """And the host is found, once."""
        agent = self.met()
        self.assertEqual(agent.ask(wire.BEAT), [(wire.BEATACK, {"plan": "d" * 64, "degraded": False})])
        self.assertEqual([event.host for event in self.lines(kinds.HOST_FOUND)], ["web1"])

    def test_an_event_is_a_line_before_it_is_acknowledged(self) -> None:
        """With the host's id in it; the same again is acknowledged and not written."""
        agent = self.met()
        self.assertEqual(agent.report(1, "a", "b"), [acknowledged(2)])
        self.assertEqual(agent.report(1, "a", "b"), [acknowledged(2)])
        self.assertEqual([event.id for event in self.lines(stated.LOG_LINE)], [f"web1/{SPOOL}/{n}" for n in (1, 2)])

    def test_events_before_their_turn_wait_for_what_is_missing(self) -> None:
        """The acknowledgement says from where on; one lost datagram costs one repetition."""
        agent = self.met()
        self.assertEqual(agent.report(3, "c", "d"), [acknowledged(0)])
        self.assertEqual(agent.report(5, "e"), [acknowledged(0)])
        self.assertEqual(self.lines(stated.LOG_LINE), [])
        self.assertEqual(agent.report(1, "a", "b"), [acknowledged(5)])
        self.assertEqual([event.text for event in self.lines(stated.LOG_LINE)], list("abcde"))

    def test_an_acknowledgement_is_repeated_while_something_is_missing(self) -> None:
        """That is how an agent learns that it has to send again, and from where."""
        agent = self.met()
        agent.report(3, "c")
        agent.report(5, "e")
        self.assertEqual(agent.report(1, "a", "b"), [acknowledged(3)] * 2)
        self.assertEqual(agent.report(4, "d"), [acknowledged(5)])

    def test_of_what_comes_too_early_a_window_is_kept(self) -> None:
        """The rest is sent again: no host fills the memory."""
        agent = self.met()
        for number in range(2, 50):
            agent.report(number, str(number))
        self.assertEqual(agent.report(1, "1"), [acknowledged(1 + AHEAD)])

    def test_a_new_session_begins_with_nothing_kept(self) -> None:
        """Everything that was not acknowledged comes again anyway."""
        agent = self.met()
        agent.report(2, "b")
        agent.greet(b"m" * 16)
        self.assertEqual(agent.report(1, "a"), [acknowledged(1)])

    def test_a_burst_of_a_host_is_acknowledged_once(self) -> None:
        """However many datagrams and repetitions it has."""
        agent = self.met()
        burst = [agent.events(first, str(first)) for first in (1, 2, 4, 3, 2, 5)]
        self.assertEqual(agent.say_together(*burst), [acknowledged(5)])
        self.assertEqual([event.text for event in self.lines(stated.LOG_LINE)], list("12345"))

    def test_hosts_in_one_burst_are_acknowledged_each(self) -> None:
        """Each with its own number, at its own address."""
        one, two = self.met("web1"), self.met("web-two")
        del self.port.sent[:]
        self.door.arrived([(one.events(1, "a"), one.address), (two.events(1, "b", "c"), two.address)])
        self.assertEqual([address for _, address in self.port.sent], [one.address, two.address])
        self.assertEqual(
            one.read(self.port.sent[:1]) + two.read(self.port.sent[1:]), [acknowledged(1), acknowledged(2)]
        )

    def test_nothing_is_acknowledged_before_it_is_durable_and_a_repetition_waits_too(self) -> None:
        """An answer at once would look as if something had been lost."""
        calls: list[tuple[Callable[[], Any], Deferred[Any]]] = []

        def in_thread(call: Callable[[], Any]) -> Deferred[Any]:
            calls.append((call, Deferred()))
            return calls[-1][1]

        def work() -> None:
            while calls:
                call, done = calls.pop(0)
                execute(call).chainDeferred(done)

        self.start(in_thread)
        agent = self.met()
        work()
        self.assertEqual(agent.report(1, "a"), [])
        self.assertEqual(agent.report(1, "a"), [])
        self.assertEqual(agent.report(2, "b"), [])
        work()
        self.assertEqual(agent.read(list(self.port.sent)), [acknowledged(1), acknowledged(2)])

    def test_what_another_server_may_have_is_marked(self) -> None:
        """Up to the number that the host says."""
        agent = self.met()
        agent.say(agent.events(1, "a", "b", "c", elsewhere=2))
        self.assertEqual([event.again for event in self.lines(stated.LOG_LINE)], [True, True, False])

    def test_the_more_hosts_send_the_less_each_has_on_its_way(self) -> None:
        """So that together they fit the receive buffer."""
        self.door.credit.buffer = 4 * 8 * 4096
        agents = [self.met(f"web{'x' * number}") for number in range(8)]
        told = [agent.report(1, "a")[0][1]["w"] for agent in agents]
        self.assertEqual(told, [16, 8, 5, 4, 3, 2, 2, 2])

    def test_a_restarted_server_knows_what_it_has_and_nobodys_session(self) -> None:
        """Old datagrams get no answer; the greeting tells the number."""
        agent = self.met()
        agent.report(1, "a", "b")
        self.start()
        agent.door, agent.port = self.door, self.port
        self.assertEqual(agent.say(agent.session.seal(wire.BEAT, b"{}")), [])
        self.assertEqual(self.door.refused, {"session": 1})
        self.assertEqual(agent.greet(b"m" * 16, spools=[SPOOL])["have"], {SPOOL: 2})

    def test_what_another_server_has_is_told_in_the_file(self) -> None:
        """So that the proof holds for this file alone."""
        agent = self.met()
        agent.report(8, "h", acknowledged=7)
        (told,) = self.lines(kinds.TAKEN_OVER)
        self.assertEqual(told.fields, {"spool": SPOOL, "first": 1, "last": 7})
        self.assertEqual(Proof().read(self.path.read_bytes().splitlines()).flaws, [])

    def test_what_another_server_has_is_told_after_what_came_before_it(self) -> None:
        """Also if both come in one burst: the proof reads the file in order."""
        agent = self.met()
        burst = [agent.events(1, "a", "b"), agent.events(8, "h", acknowledged=7)]
        self.assertEqual(agent.say_together(*burst)[-1], acknowledged(8))
        self.assertEqual(Proof().read(self.path.read_bytes().splitlines()).flaws, [])

    def test_a_datagram_that_meets_a_mistake_of_ours_harms_no_other(self) -> None:
        """It is counted, and logged a few times, not without end."""
        agent = self.met()
        answer, Wanted.digest = Wanted.digest, lambda self, host: 1 // 0  # type: ignore[assignment, method-assign, return-value]
        self.addCleanup(setattr, Wanted, "digest", answer)
        beats = [agent.session.seal(wire.BEAT, b"{}") for _ in range(50)]
        self.assertEqual(agent.say_together(*beats, agent.events(1, "a")), [acknowledged(1)])
        self.assertEqual(self.door.refused["failed"], 50)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 10)

    def test_nothing_is_acknowledged_while_the_disk_fails(self) -> None:
        """The agent keeps it and comes again."""
        agent = self.met()
        self.log.degraded = "disk full"
        self.assertEqual(agent.report(1, "a"), [])
        self.assertEqual(self.door.refused["busy"], 1)
        self.log.degraded = ""
        self.assertEqual(agent.report(1, "a"), [acknowledged(1)])

    def test_a_goodbye_ends_the_session(self) -> None:
        """Stopped, and the next datagram is of nobody."""
        agent = self.met()
        agent.ask(wire.BYE)
        self.assertEqual(len(self.lines(kinds.HOST_STOPPED)), 1)
        self.assertEqual(agent.ask(wire.BEAT), [])

    def test_a_second_key_under_a_name_is_refused_and_told_once(self) -> None:
        """Whoever comes first has the name, also after a restart of the server."""
        self.met()
        other = Agent("web1", self.door, self.port, b"2" * 8)
        for _ in range(3):
            self.assertEqual(other.say(other.hello()), [])
        self.assertEqual(len(self.lines(kinds.HOST_REFUSED)), 1)
        self.start()
        other.door = self.door
        self.assertEqual(other.say(other.hello()), [])

    def test_a_greeting_alone_is_no_sign_of_life(self) -> None:
        """It may be a replay: nothing is found, nothing bound, and no answer is longer than it was."""
        agent = Agent("web1", self.door, self.port)
        hello = agent.hello(boot="x" * 64, version="v" * 64, spools=[f"{n:016x}" for n in range(8)])
        for _ in range(5):
            ((answer, _),) = agent.say(hello, ("6.6.6.6", 6))
            self.assertLessEqual(len(answer), len(hello))
        self.assertEqual((self.lines(), self.kept, len(self.roster)), ([], [], 0))

    def test_the_names_of_one_burst_are_made_durable_together(self) -> None:
        """A whole fleet may come for the first time, and nobody is answered while the disk works."""
        agents = [Agent("web" + "1" * number, self.door, self.port) for number in range(1, 4)]
        for agent in agents:
            agent.greet()
        self.door.arrived([(agent.session.seal(wire.BEAT, b'{"up":1}'), agent.address) for agent in agents])
        self.assertEqual(([bound.name for bound in self.kept], self.syncs), (["web1", "web11", "web111"], 1))

    def test_a_stranger_gets_no_answer_whatever_it_sends(self) -> None:
        """Noise, every type under a wrong key, every length; each is counted and nothing is written."""
        self.met()
        before = self.path.read_bytes()
        agent = Agent("web1", self.door, self.port)
        noise = [self.seed.randbytes(size) for size in (0, 1, 21, 22, 38, 500, 1200, 1201, 9000)]
        forged = [wire.seal(Key(b"x" * 32), kind, 0, 1, 1, b"{}") for kind in wire.NAMES]
        bent = [b"m4" + bytes([version, kind]) + bytes(40) for version in (0, 1, 2) for kind in range(16)]
        for datagram in noise + forged + bent:
            self.assertEqual(agent.say(datagram, ("6.6.6.6", 6)), [])
        self.assertEqual(sum(self.door.refused.values()), len(noise) + len(forged) + len(bent))
        self.assertEqual(self.path.read_bytes(), before)

    def test_every_flipped_bit_of_every_type_is_refused(self) -> None:
        """No answer, no exception, no line; the datagram itself is good afterwards."""
        agent = self.met()
        body = wire.dump({"s": SPOOL, "n": 1, "a": 0, "e": [stated.event(stated.LOG_LINE, "info", "a", 1.0)]})
        datagrams = [agent.hello(b"f" * 16)]
        datagrams += [agent.session.seal(kind, b"{}") for kind in (wire.BEAT, wire.PONG, wire.RESETACK, wire.BYE)]
        datagrams.append(agent.session.seal(wire.EVENTS, body))
        before, tried = self.path.read_bytes(), 0
        refused = sum(self.door.refused.values())
        for datagram in datagrams:
            for bit in range(len(datagram) * 8):
                changed = bytearray(datagram)
                changed[bit // 8] ^= 1 << bit % 8
                self.assertEqual(agent.say(bytes(changed)), [])
                tried += 1
        self.assertEqual(sum(self.door.refused.values()) - refused, tried)
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(len(agent.say(datagrams[-1])), 1)

    def test_a_host_cannot_speak_for_another(self) -> None:
        """Its key opens no session but its own, and its events carry its name."""
        one, two = self.met("web1"), self.met("web-two")
        other = Session(two.session.id, 0, one.session._out, one.session._in)
        self.assertEqual(one.say(other.seal(wire.BYE, b"{}")), [])
        one.report(1, "a")
        self.assertEqual({event.host for event in self.lines(stated.LOG_LINE)}, {"web1"})

    def test_types_that_only_servers_send_are_refused(self) -> None:
        """Whoever sends them."""
        agent = self.met()
        for kind in (wire.BEACON, wire.WELCOME, wire.BEATACK, wire.ACK, wire.RESET, wire.PING):
            self.assertEqual(agent.ask(kind), [])
        self.assertEqual(self.door.refused["type"], 6)

    def test_a_body_that_is_no_message_is_refused(self) -> None:
        """An insider's nonsense."""
        agent = self.met()
        for body in (
            b"",
            b"[]",
            b"{",
            b'{"s":"x","n":1,"a":0,"e":[]}',
            json.encode({"s": SPOOL, "n": 0, "a": 0, "e": []}),
        ):
            self.assertEqual(agent.ask(wire.EVENTS, body), [])
        self.assertEqual(self.door.refused["body"], 5)
