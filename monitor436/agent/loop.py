"""The agent's one loop: sockets, timers and checks, each turn doing what is due."""

import os
import socket
import time
from collections.abc import Callable
from selectors import EVENT_READ, BaseSelector

from monitor436 import __version__
from monitor436.agent import event as stated
from monitor436.agent import wire
from monitor436.agent.checks import Checks, Host
from monitor436.agent.identity import Identity, Packed, State
from monitor436.agent.in_force import InForce
from monitor436.agent.limits import Limits
from monitor436.agent.link import sockets
from monitor436.agent.link.beacons import Beacons
from monitor436.agent.link.by_hand import ByHand
from monitor436.agent.link.fetch import Fetch
from monitor436.agent.link.homing import Homing, Server
from monitor436.agent.link.outbox import AHEAD, Outbox
from monitor436.agent.link.rekeying import Rekeying
from monitor436.agent.link.talk import Talk
from monitor436.agent.machine import boot_id, uptime
from monitor436.agent.probe import mounts
from monitor436.agent.schedule import whole
from monitor436.agent.store.inbox import Inbox
from monitor436.agent.store.keeper import Keeper
from monitor436.agent.store.spool import Spool
from monitor436.agent.store.statement import FOLDER
from monitor436.agent.tail.notices import Notices

AGE_EVERY = 3600.0  # seconds between looks at how old events in the spool are
LOOK_EVERY = 60.0  # seconds between looks for new interfaces, and for names that did not resolve


class Agent:
    """Everything that runs on a host once it has an identity. `say(text)` is for whoever reads the console."""

    def __init__(
        self,
        identity: Identity,
        state: State,
        packed: Packed,
        servers: "list[str]",
        limits: Limits,
        selector: BaseSelector,
        say: "Callable[[str], None]",
    ) -> None:
        self.homing = Homing(identity.name, identity.serial, identity.generation, identity.key, self._about, os.urandom)
        answers = {wire.BEATACK: self._beatack, wire.ACK: self._ack, wire.RESET: self._reset, wire.PING: self._ping}
        self.talk = Talk(self.homing, self._welcome, answers, say)
        self.beacons = Beacons([packed.beacon_key], self.homing, selector, self.talk.count)
        if identity.beacon_key:
            self.beacons.accept(identity.beacon_key)
        self._selector = selector
        self._say = say
        self._boot = boot_id()
        self._spool = Spool(state.path("spool"), os.urandom(8).hex())
        self._keeper = Keeper(self._spool, say)
        self._notices = Notices(mounts.kind)
        self._inbox = Inbox(state.path(FOLDER), time.time, self._spool.kept, self._notices.tells)
        self._taken = []  # type: list[str]  # names out of it whose events are perhaps not durable yet
        self._outbox = Outbox(self._spool)
        self._in_force = InForce(state, time.time)
        self._fetch = Fetch(identity, packed.pin, self._in_force, self._adopt, say)
        self._rekeying = Rekeying(identity, packed.pin, state.keep_identity, self.homing, self._moved, say)
        host = Host(
            limits.refusal, limits.log_refusal, time.time, self._boot, limits.user, identity.name, self._notices.tells
        )  # fmt: skip
        self._checks = Checks(self._keeper.emit, host, selector, self._spool.kept, self._breathe)
        self._shipping_to = None  # type: Server | None
        self._beat_at = 0.0
        self._look_at = 0.0
        self._age_at = time.monotonic() + AGE_EVERY
        self._by_hand = ByHand(servers, packed.port, self.homing, say)
        self._stopping = False

    def run(self, hears: socket.socket, talks: socket.socket, multicast: str) -> None:
        """Run until `stop` was called. `hears` and `talks` are the sockets that `sockets` makes."""
        self.talk.over(talks)
        self._hears, self._multicast = hears, multicast
        self.beacons.listen(hears)
        self._selector.register(talks, EVENT_READ, self.talk.hear)
        self._begin(time.monotonic())
        while not self._stopping:
            due = self._turn(time.monotonic())
            while not self._stopping and self._waits(due):
                pass
        self._leave(time.monotonic())

    def stop(self) -> None:
        """End after the present turn: say goodbye, keep everything."""
        self._stopping = True

    def _waits(self, due: float) -> bool:
        """Wait until something is due or arrives; whether to go on waiting, as what arrived asks for nothing."""
        self.talk.calm = False
        arrived = self._selector.select(max(0.0, due - time.monotonic()))
        for key, _ in arrived:
            key.data(time.monotonic())
        return self.talk.calm and len(arrived) == 1 and time.monotonic() < due

    def _begin(self, now: float) -> None:
        fields = {"version": __version__, "boot": self._boot}  # type: dict[str, str | int | float | bool]
        text = "agent {} started".format(__version__)
        self._keeper.emit([stated.event(stated.AGENT_STARTED, "info", text, time.time(), fields=fields)], {})
        if self._in_force.restore():
            self._say("the last good plan is in force: {}".format(self._in_force.digest[:12]))
        self._follow(now)

    def _turn(self, now: float) -> float:
        """Do everything that is due; when the next thing is."""
        if now >= self._look_at:
            self._look_around(now)
        if self._notices.came():
            self._inbox.wake(now)
            self._checks.wake(now)
        if now >= self._beat_at or now >= self._outbox.due:
            self.beacons.heed(now)
        if now >= self._beat_at:
            self._beat(now)
        if now >= self.homing.greeting_due():
            for hello, address in self.homing.greetings(now):
                self.talk.send(hello, address)
        if now >= self._keeper.due:
            self._keeper.write_again(now)
        room = not (self._spool.full or self._keeper.waits)  # else logs and scripts' files are the better buffers
        if now >= self._inbox.due and room:
            self._take_from_inbox(now)
        if now >= self._fetch.due:
            self._fetch.turn(self.homing.home, now)
        if now >= self._rekeying.due:
            self._rekeying.turn(now)
        next_check = self._checks.run(now, logs=room)
        next_shipment = self._ship(now)
        inbox_due = self._inbox.due if room else max(self._inbox.due, now + 1.0)
        next_asking = min(self._fetch.due, self._rekeying.due)
        due = (self._beat_at, self.homing.greeting_due(), self._keeper.due, next_asking, self._look_at)
        return min(next_check, next_shipment, inbox_due, *due)

    def _take_from_inbox(self, now: float) -> None:
        """What scripts have stated goes into the spool with its names, so that nothing goes twice."""
        taken = self._inbox.take(now)
        if taken:
            kept = dict(self._inbox.forget(), **{self._inbox.key(name): 1 for name, _ in taken})
            self._keeper.emit([event for _, event in taken], kept)
            self._taken += [name for name, _ in taken]
        while self._taken and not self._keeper.waits:
            self._inbox.done(self._taken.pop(0))

    def _look_around(self, now: float) -> None:
        """What changes slowly: interfaces to hear multicast on, addresses of servers named by hand, the spool's age."""
        self._look_at = whole(now + LOOK_EVERY)
        if now >= self._age_at:
            self._age_at += AGE_EVERY
            self._keeper.age(AGE_EVERY)
        if self._multicast:
            sockets.join_groups(self._hears, self._multicast)
        self._by_hand.look()

    def _leave(self, now: float) -> None:
        self._checks.close(now)
        fields = self.talk.told_of_refused()  # there is no other way to see them
        self._keeper.emit([stated.event(stated.AGENT_STOPPED, "info", "agent stopped", time.time(), fields=fields)], {})
        servers = self.homing.leave()
        self._ship(now)
        for server in servers:
            self.talk.tell(server, wire.BYE)
        self._spool.close()

    # What arrives.

    def _welcome(self, greeting: wire.Greeting, datagram: bytes, address: "tuple[str, int]", now: float) -> None:
        welcomed = self.homing.welcome(greeting, datagram, address, now)
        if welcomed is None:
            return
        server, message = welcomed
        self._say("greeted by {} at {}:{}".format(server.name, *server.address))
        self._beat_to(server)
        self._rekeying.told(server, message, now)
        if server is self.homing.home:
            have = message.get("have")
            self._shipping_to = server
            self._outbox.restart(
                {str(spool): int(n) for spool, n in have.items()} if isinstance(have, dict) else {}, now, server.name
            )
            self._fetch.want(str(message.get("plan", "")), now)

    def _beatack(self, server: Server, message: "dict[str, object]", now: float) -> None:
        server.unanswered = 0
        self._rekeying.told(server, message, now)
        if server is self.homing.home:
            self._fetch.want(str(message.get("plan", "")), now)

    def _ack(self, server: Server, message: "dict[str, object]", now: float) -> None:
        number, ahead = message.get("n"), message.get("w", AHEAD)
        if isinstance(number, int) and isinstance(ahead, int):
            self._outbox.acknowledge(str(message.get("s")), number, now, ahead)

    def _reset(self, server: Server, message: "dict[str, object]", now: float) -> None:
        self.talk.tell(server, wire.RESETACK)
        if server is self.homing.home:
            self._fetch.want(str(message.get("plan", "")), now, message.get("within"))

    def _ping(self, server: Server, message: "dict[str, object]", now: float) -> None:
        self.talk.tell(server, wire.PONG)

    # What goes out.

    def _about(self) -> "dict[str, object]":
        """The body of a HELLO."""
        about = {"boot": self._boot, "up": uptime(), "version": __version__, "plan": self._in_force.digest}
        return dict(about, spools=self._spool.live())

    def _beat(self, now: float) -> None:
        before = self.homing.home
        spoke = before is not None and before.session is not None
        for server in self.homing.beating(now):
            self._beat_to(server)
        home = self.homing.home
        if spoke and home is not None and home.session is None:
            self._say("{} does not answer any more: events wait here".format(home.name))
        elif spoke and home is not None and home is not before:
            self._say("events go to {} from now on".format(home.name))
        every = self._in_force.plan.beat
        self._beat_at = max((now // every + 1) * every, now + every / 2)  # at such moments other things are due too

    def _breathe(self) -> None:
        """Work takes long: beat if it is time, so that nobody thinks we are gone, nor we that nobody answers."""
        now = time.monotonic()
        if now >= self._beat_at:
            self.talk.hear(now)
            self._beat(now)

    def _beat_to(self, server: Server) -> None:
        beat = b'{"up":%d,"fill":%d,"plan":"%s"}' % (uptime(), self._spool.size, self._in_force.digest.encode())
        self.talk.tell(server, wire.BEAT, beat)

    def _ship(self, now: float) -> float:
        """Send the home server what it has not acknowledged; when that is to be looked at again."""
        home = self.homing.home
        if home is None or home.session is None:
            return float("inf")
        if home is not self._shipping_to:
            self._shipping_to = home
            self._outbox.restart({}, now, home.name)
        for body in self._outbox.send(now):
            self.talk.tell(home, wire.EVENTS, body)
        return self._outbox.due

    def _adopt(self, events: "list[dict[str, object]]", now: float) -> None:
        """A plan was fetched; if it is in force, the checks follow it and the servers are told at once."""
        for event in events:
            self._say(str(event["text"]))
        self._keeper.emit(events, {})  # first: what its checks say at once comes after it
        if self._in_force.plan is not self._followed:
            self._follow(now)
            self._beat_at = now

    def _moved(self, identity: Identity, now: float) -> None:
        """Another key of the site is on disk: use it from now on."""
        self.homing.rekey(identity.key, now)
        self.beacons.accept(identity.beacon_key)
        self._fetch.identity = identity
        self._say("moved to another site key")

    def _follow(self, now: float) -> None:
        self._notices.forget()
        self._inbox.wake(now)  # who rests would be told of nothing until it asks anew
        self._checks.wake(now)
        self._followed = self._in_force.plan
        self._checks.adopt(self._followed, now)
