"""Which datagrams of a host came last: what the doorway keeps of them."""

from monitor436.agent import wire
from monitor436.model.hosts.datagrams import KEPT, Datagram, shown
from tests.services.doorway import Agent, DoorwayCase


class LastDatagramsTests(DoorwayCase):
    def last(self, name: str = "web1") -> list[Datagram]:
        """Those of a host, the newest first."""
        host = self.roster.get(name)
        assert host is not None
        return shown(host.datagrams or [], self.now)

    def types(self, name: str = "web1") -> list[str]:
        """Their types."""
        return [each.type for each in self.last(name)]

    def said(self, agent: Agent, kind: int, seconds: float = 5.0) -> None:
        """An agent says something some time later."""
        self.now += seconds
        agent.ask(kind, b'{"up":1,"fill":0,"plan":""}' if kind == wire.BEAT else b"{}")

    def test_each_is_told_with_its_type_age_size_and_address(self) -> None:
        """The newest first; the greeting too, once a datagram under its keys shows that it was no replay."""
        agent = Agent("web1", self.door, self.port)
        agent.greet()
        self.said(agent, wire.BEAT)
        self.said(agent, wire.PONG, 2.0)
        self.now += 1.0
        size = wire.HEADER.size + wire.TAG_SIZE
        self.assertEqual(
            self.last(),
            [
                Datagram("PONG", 1.0, size + 2, "10.0.0.4:5000"),
                Datagram("BEAT", 3.0, size + 27, "10.0.0.4:5000"),
                Datagram("HELLO", 8.0, wire.HELLO_SIZE, "10.0.0.4:5000"),
            ],
        )

    def test_only_so_many_are_kept(self) -> None:
        """The newest of them, also over a greeting, after which numbers begin anew."""
        agent = self.met()
        for _ in range(3 * KEPT):
            self.said(agent, wire.BEAT)
        self.assertEqual([each.age for each in self.last()], [5.0 * number for number in range(KEPT)])
        agent.greet(b"m" * 16)
        self.said(agent, wire.PONG)
        self.assertEqual(self.types(), ["PONG", "HELLO", *["BEAT"] * (KEPT - 2)])

    def test_one_from_another_address_says_so(self) -> None:
        """Those before keep theirs."""
        agent = self.met()
        self.now += 1.0
        agent.say(agent.session.seal(wire.PONG, b"{}"), ("192.0.2.9", 777))
        self.assertEqual([each.address for each in self.last()], ["192.0.2.9:777", *["10.0.0.4:5000"] * 2])

    def test_what_is_not_authentic_is_nobodys(self) -> None:
        """A wrong tag, a repetition, a greeting that may be a replay, and a session of another host."""
        agent, other = self.met(), self.met("database1")
        before, now = self.last(), self.last("database1")
        good = agent.session.seal(wire.BEAT, b'{"up":1,"fill":0,"plan":""}')
        self.now += 1.0
        agent.say(good[:-1] + bytes([good[-1] ^ 1]))
        agent.say(agent.hello(b"o" * 16))
        other.session.id = agent.session.id
        other.say(other.session.seal(wire.PONG, b"{}"))
        self.assertEqual(sum(self.door.refused.values()), 2)
        self.assertEqual([each.age for each in self.last()], [each.age + 1.0 for each in before])
        agent.say(good)
        agent.say(good)
        self.assertEqual(self.types(), ["BEAT", *(each.type for each in before)])
        self.assertEqual(len(self.last("database1")), len(now))

    def test_a_host_that_is_forgotten_and_found_again_begins_anew(self) -> None:
        """In the session that it has."""
        agent = self.met()
        self.roster.forget("web1")
        self.said(agent, wire.PONG)
        self.said(agent, wire.BEAT)
        self.assertEqual(self.types(), ["BEAT", "PONG"])
