"""Datagrams that nobody sent: changed on the way, made up, or played again. None is accepted, hardly any is answered.

M436_ALL_BITS=1: every bit of every type of datagram is flipped, not a sample of them.
"""

import json
import os
import random
import signal
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import structs

from monitor436.agent import wire
from monitor436.agent.link.homing import Homing
from monitor436.model.settings.hosts import Beacon, Heartbeat
from tests.e2e.patience import eventually
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.servers import SOON, on_loopback
from tests.e2e.stage import Agent, Stage
from tests.e2e.wiretap import Stranger, Wiretap, flips

MOST_FLIPS = 1_000_000 if os.environ.get("M436_ALL_BITS") == "1" else 200
SEED = 436
COUNTED = Path(__file__).with_name("counted.py")
SIZES = (0, 1, 2, 39, 40, 41, 799, 800, 801, 1200, 1201, 1500, 8192, 9000, 65507)
TO_SERVER = ("HELLO", "BEAT", "EVENTS", "RESETACK", "PONG", "BYE")
TO_AGENT = ("WELCOME", "BEATACK", "ACK", "RESET", "PING")
MAY_SAY = {"RESET": r"\A(.*in force: 2 checks.*\n)?\Z"}  # the answer to a heartbeat tells of the plan, too
BY_ITSELF = ("host_late", "server_trouble")  # what silence and a busy machine bring about, and no datagram
MORE = """\
hosts: ["*"]
checks:
  load:
    reading: load1
    every: 1m
    warning: above 10000
"""


def made_up(seed: int) -> list[bytes]:
    """What somebody without a key may send: nothing, noise of all sizes, and every type with a tag that is wrong."""
    dice = random.Random(seed)
    found = [dice.randbytes(size) for size in SIZES]
    found += [dice.randbytes(dice.randrange(1300)) for _ in range(200)]
    for kind in range(256):
        for size in (0, 2, 100, wire.HELLO_SIZE - wire.MIN_DATAGRAM, wire.MAX_BODY):
            head = wire.HEADER.pack(b"m4", 1, kind, dice.randrange(2), dice.getrandbits(64), dice.getrandbits(64))
            found.append(head + dice.randbytes(size) + dice.randbytes(wire.TAG_SIZE))
    guessed = wire.Key(b"a guess")
    greeting = wire.Greeting(wire.HELLO, 0, 0, dice.randbytes(16), dice.randbytes(8), "web1", b"{}")
    found.append(wire.seal_greeting(guessed, greeting))
    found += [wire.seal(guessed, kind, 0, 1, 1, b"[" * 900) for kind in wire.NAMES]
    return found


class Other(NamedTuple):
    """Another host's serial, and every key that it has: of a session, its own, and that of beacons."""

    serial: bytes
    keys: list[wire.Key]


class HostileDatagramTests(Stage):
    """One agent, one server that tells its counters, and a relay between them that can hold datagrams back."""

    def setUp(self) -> None:
        super().setUp()
        say, self.hears = free_port(), free_port()
        settings = structs.replace(
            on_loopback(),
            beacon=Beacon(port=say, every=0.5, to=(LOOPBACK,), multicast=""),
            # Two beats unanswered, and the agent greets anew: no process here may be kept waiting for as long as that.
            # Thirty questions unanswered, and it is down: that is another state, and no agent is frozen for so long.
            heartbeat=Heartbeat(every=2.0, late=6.0, pings=30),
        )
        self.site = self.server(settings)
        self.counters_file = self.folder / "counters.json"
        self.site.launch([sys.executable, COUNTED, self.site.config, self.counters_file]).says("events file:", SOON)
        key = (self.site.var / "site" / "site.key").read_bytes()
        self.tap = Wiretap(say, self.hears, self.site.settings.agents.port, wire.beacon_key(key))
        self.addCleanup(self.tap.close)
        self.stranger = Stranger()
        self.addCleanup(self.stranger.close)

    def host(self) -> Agent:
        """The agent, which hears the relay's beacons only; not started."""
        agent = self.agent(self.site, "web1", "--port", str(self.hears))
        self.site.follow(agent.log)
        return agent

    def joined_host(self) -> Agent:
        """An agent that has joined and follows its plan."""
        agent = self.host().start()
        self.site.follows("web1")
        return agent

    def counters(self) -> dict[str, Any]:
        """What the server has counted by now."""
        turn = json.loads(self.counters_file.read_text())["turn"] if self.counters_file.exists() else 0
        assert self.site.process is not None
        self.site.process.send(signal.SIGUSR1)

        def told() -> dict[str, Any] | None:
            if not self.counters_file.exists():
                return None
            found: dict[str, Any] = json.loads(self.counters_file.read_text())
            return found if found["turn"] > turn else None

        return eventually(told, SOON, "the server tells its counters", poll=0.01) or {}

    def settled(self) -> dict[str, Any]:
        """The counters once everything that the agent has sent so far is taken, and durable."""
        self.tap.settle()
        return (
            eventually(lambda: found if not (found := self.counters())["writing"] else None, SOON, "it is durable")
            or {}
        )

    def freeze(self, agent: Agent) -> None:
        """Stop the agent; when it stands still nothing comes from it any more."""
        assert agent.process is not None
        agent.send(signal.SIGSTOP)
        stat = Path(f"/proc/{agent.process.pid}/stat")
        eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", SOON, "it stands still", poll=0.001)

    def thaw(self, agent: Agent) -> None:
        """Let it go on; what came for it meanwhile is read and answered."""
        agent.send(signal.SIGCONT)
        self.tap.read_by_agent()
        self.tap.settle()  # a beat that it sent before it read is none of an agent that has answered
        beats = self.tap.kinds()["BEAT"]
        eventually(lambda: self.tap.kinds()["BEAT"] > beats, SOON, "it beats again")

    def refuses(self, count: int, before: dict[str, Any]) -> None:
        """Wait until so many more are refused: where the kernel is busy, what was sent arrives later."""
        least = sum(before["refused"].values()) + count
        eventually(lambda: sum(self.counters()["refused"].values()) >= least, SOON, f"{count} are refused")

    def assert_all_refused(self, datagrams: list[bytes]) -> None:
        """Nothing else arrives meanwhile: each is counted as refused, none is answered, and the state stays."""
        before = self.settled()
        self.stranger.send(datagrams, self.site.settings.agents.port)
        self.refuses(len(datagrams), before)
        after = self.counters()
        refused = sum(after["refused"].values()) - sum(before["refused"].values())
        self.assertEqual(refused, len(datagrams))
        self.assertEqual(after["heard"], before["heard"])
        for counters in (before, after):  # on a busy machine the server may tell of its own lag meanwhile
            counters["state"]["events"].pop("@srv")
        self.assertEqual(after["state"], before["state"])
        self.assertEqual(self.stranger.answers(), [])

    def assert_still_works(self, agent: Agent, line: str) -> None:
        """A line that is written now is told, and all events are there."""
        agent.write([line])
        eventually(lambda: line in self.site.lines("web1"), SOON, "a line is told")
        self.complete(self.site)

    def late(self, agent: Agent) -> None:
        """Stop the agent until the server has asked whether it is there, and calls it late."""
        told = len(self.site.events(host="web1", kind="host_late"))
        agent.send(signal.SIGSTOP)
        self.site.event(host="web1", kind="host_late", after=told)
        agent.send(signal.SIGCONT)

    def provoke(self, kind: str, agent: Agent) -> None:
        """Do what makes a datagram of this type go over the wire; beats go by themselves."""
        if kind in ("HELLO", "WELCOME"):
            agent.start()
        elif kind in ("EVENTS", "ACK"):
            agent.write([f"line for {kind}"])
        elif kind in ("RESET", "RESETACK"):
            self.site.plan(MORE, "more.yaml")
        elif kind in ("PING", "PONG"):
            self.late(agent)
        elif kind == "BYE":
            self.assertEqual(agent.stop(), 0)

    def followed(self, kind: str) -> None:
        """What was held back is on its way: what follows from it has happened."""
        if kind in ("HELLO", "WELCOME"):
            self.site.follows("web1")
        elif kind in ("EVENTS", "ACK"):
            self.site.event(host="web1", text=f"line for {kind}")
        elif kind in ("RESET", "RESETACK"):
            self.site.follows("web1", checks=2)
        elif kind in ("PING", "PONG"):
            self.site.event(host="web1", kind="host_up")
        elif kind == "BYE":
            self.site.event(host="web1", kind="host_stopped")

    def test_every_type_is_held_back_somewhere(self) -> None:
        """A new one has to be put where it belongs."""
        self.assertEqual({*TO_SERVER, *TO_AGENT, "BEACON"}, set(wire.NAMES.values()))

    def test_a_bit_changed_on_the_way_to_the_server(self) -> None:
        """Each type is held back, sent with each bit changed, and then as it was: only that is accepted."""
        agent = self.host()
        for kind in TO_SERVER:
            self.tap.hold(kind)
            self.provoke(kind, agent)
            datagram = self.tap.holds(kind, SOON)
            if kind != "BYE":
                self.freeze(agent)
            self.assert_all_refused(list(flips(datagram, MOST_FLIPS, SEED)))
            refused = self.counters()["refused"]
            self.tap.release(kind)  # before the agent goes on, which may begin another session
            if kind != "BYE":
                agent.send(signal.SIGCONT)
            self.followed(kind)
            self.assertEqual(self.counters()["refused"], refused, kind)
        agent.start()
        self.assert_still_works(agent, "line after it")

    def test_a_bit_changed_on_the_way_to_the_agent(self) -> None:
        """It answers none of them, says nothing, and follows the true one that comes afterwards."""
        agent = self.host()
        answers = {"WELCOME": "BEAT", "RESET": "RESETACK", "PING": "PONG"}
        for kind in TO_AGENT:
            self.tap.hold(kind)
            self.provoke(kind, agent)
            datagram = self.tap.holds(kind, SOON)
            answer = answers.get(kind, "RESETACK")
            before, said = self.tap.kinds().get(answer, 0), agent.output
            self.tap.to_agent(flips(datagram, MOST_FLIPS, SEED))
            self.assertEqual(self.tap.kinds().get(answer, 0), before, kind)
            self.assertRegex(agent.output[len(said) :], MAY_SAY.get(kind, r"\A\Z"))
            self.tap.release(kind)
            self.followed(kind)
            if kind in answers:
                eventually(lambda: self.tap.kinds().get(answer, 0) > before, SOON, f"{answer} to the true {kind}")  # noqa: B023
        self.assert_still_works(agent, "line after it")

    def test_a_bit_changed_in_a_beacon_leads_no_agent_astray(self) -> None:
        """A believed beacon with another boot id would be greeted at once."""
        agent = self.joined_host()
        beacon = next(each.datagram for each in self.tap.seen if each.kind == "BEACON")
        greeted = self.tap.kinds()["HELLO"]
        self.stranger.send(flips(beacon, MOST_FLIPS, SEED), self.hears)
        self.assert_still_works(agent, "line after it")
        self.assertEqual(self.tap.kinds()["HELLO"], greeted)
        self.assertEqual(self.stranger.answers(), [])

    def test_a_stranger_gets_no_answer_whatever_is_sent(self) -> None:
        """Neither from the server nor from the two ports of the agent."""
        agent = self.joined_host()
        self.freeze(agent)
        self.assert_all_refused(made_up(SEED))
        self.thaw(agent)
        assert self.tap.agent is not None
        said = agent.output
        for port in (self.hears, self.tap.agent[1]):
            self.stranger.send(made_up(SEED), port)
        self.assert_still_works(agent, "line after it")
        self.assertEqual((self.stranger.answers(), agent.output), ([], said))

    def of_another_host(self) -> Other:
        """What somebody has who got hold of an agent file that was packed for another host."""
        file = self.folder / "web2.pyz"
        self.assertEqual(self.site.command("agent", "pack", "--host", "web2", "-o", str(file))[0], 0)
        packed = json.loads(zipfile.ZipFile(file).read("packed.json"))
        key, serial = bytes.fromhex(packed["key"]), bytes.fromhex(packed["serial"])
        homing = Homing("web2", serial, 0, key, dict, os.urandom)
        homing.named("srv", (LOOPBACK, self.site.settings.agents.port))
        ((hello, _),) = homing.greetings(0.0)
        self.stranger.send([hello], self.site.settings.agents.port)
        (welcome,) = eventually(self.stranger.answers, SOON, "the other host is greeted", poll=0.01)
        homing.welcome(wire.open_greeting(welcome), welcome, (LOOPBACK, 0), 0.0)
        session = homing.servers["srv"].session
        assert session is not None
        keys = [session._out, session._in, wire.Key(wire.hello_key(key)), wire.Key(key)]
        return Other(serial, [*keys, wire.Key(bytes.fromhex(packed["beacon_key"]))])

    def test_a_host_with_a_good_key_cannot_speak_for_another_nor_for_the_server(self) -> None:
        """Every type of datagram in the session and under the name of another host, to the server and to that host."""
        agent = self.joined_host()
        eventually(lambda: "BEAT" in self.tap.kinds(), SOON, "a heartbeat to take the session from")
        beat = next(each.datagram for each in reversed(self.tap.seen) if each.kind == "BEAT")
        hello = next(each.datagram for each in reversed(self.tap.seen) if each.kind == "HELLO")
        _, _, session, number = wire.header(beat)
        other = self.of_another_host()
        forged = []
        for kind in wire.NAMES:
            for key in other.keys:
                forged += [wire.seal(key, kind, 0, session, number + ahead, b"{}") for ahead in (1, 100, 10_000)]
                forged.append(wire.seal(key, kind, 0, 0, 1, b"{}"))
        greeting = wire.open_greeting(hello)
        for kind, of in ((wire.HELLO, 0), (wire.WELCOME, session)):
            for serial in (greeting.serial, other.serial):
                made = greeting._replace(kind=kind, serial=serial, session=of, body=b"{}")
                forged += [wire.seal_greeting(key, made) for key in other.keys]
        self.freeze(agent)
        self.assert_all_refused(forged)
        self.thaw(agent)
        answers = ("HELLO", "RESETACK", "BYE")
        before, said = [self.tap.kinds().get(kind, 0) for kind in answers], agent.output
        unasked = self.unasked()
        self.tap.to_agent(forged)
        self.assert_still_works(agent, "line after it")
        self.assertEqual(([self.tap.kinds().get(kind, 0) for kind in answers], agent.output), (before, said))
        self.assertLessEqual(self.unasked(), unasked)
        self.assertEqual((self.stranger.answers(), len(self.site.events(kind="host_refused"))), ([], 0))

    def unasked(self) -> int:
        """How many PONGs more than PINGs passed: a server that hears nothing for four seconds asks, as it should."""
        kinds = self.tap.kinds()
        return kinds.get("PONG", 0) - kinds.get("PING", 0)

    def told(self) -> list[dict[str, Any]]:
        """What is in the events file, but for what happens by itself."""
        return [event for event in self.site.events() if event["kind"] not in BY_ITSELF]

    def replay(self, datagrams: list[bytes]) -> None:
        """Play datagrams again from an address that was never seen: the events file and all hosts stay as they are."""
        before, told = self.settled(), self.told()
        self.stranger.send(datagrams, self.site.settings.agents.port)
        greetings = sum(datagram[3] == wire.HELLO for datagram in datagrams)
        self.refuses(len(datagrams) - greetings, before)
        after = self.settled()
        for counters in (before, after):
            counters["state"]["events"].pop("@srv")
        for what in ("hosts", "in use", "addresses", "events"):
            self.assertEqual(after["state"][what], before["state"][what])
        self.assertEqual(self.told(), told)
        back = sum(map(len, self.stranger.answers()))
        self.assertLessEqual(back, sum(map(len, datagrams)))
        refused = sum(after["refused"].values()) - sum(before["refused"].values())
        self.assertEqual(refused, len(datagrams) - greetings)

    def test_a_session_played_again_is_not_accepted(self) -> None:
        """In order and backwards, while the session is in use, after its end, and by a server that was started anew."""
        agent = self.joined_host()
        agent.write([f"line {number}" for number in range(50)])
        eventually(lambda: len(self.site.lines("web1")) == 50, SOON, "all lines are told")
        self.late(agent)
        self.site.event(host="web1", kind="host_up")
        self.freeze(agent)
        self.tap.settle()
        recorded = [each.datagram for each in self.tap.seen if each.to_server]
        self.replay(recorded)
        self.replay(recorded[::-1])
        self.thaw(agent)
        greeted = self.tap.kinds()["HELLO"]
        self.assert_still_works(agent, "line after it")
        self.assertEqual(self.tap.kinds()["HELLO"], greeted)
        self.assertEqual(agent.stop(), 0)
        self.site.event(host="web1", kind="host_stopped")
        recorded = [each.datagram for each in self.tap.seen if each.to_server]
        self.replay(recorded)
        self.replay(recorded[::-1])
        self.assertEqual(self.site.stop(), 0)
        self.counters_file.unlink()
        self.site.launch([sys.executable, COUNTED, self.site.config, self.counters_file]).says("events file:", SOON)
        self.replay(recorded)
        self.replay(recorded[::-1])
        self.complete(self.site)
