"""The agent's one loop: sockets, timers and checks, each turn doing what is due."""

import os
import time

from monitor436 import __version__
from monitor436.agent import event as stated
from monitor436.agent import sockets, wire
from monitor436.agent.asking import Asking
from monitor436.agent.checks import Checks
from monitor436.agent.homing import Homing, Server
from monitor436.agent.identity import Identity, Packed, State
from monitor436.agent.in_force import InForce
from monitor436.agent.joining import read_beacon
from monitor436.agent.outbox import Outbox
from monitor436.agent.spool import Spool

UNWRITTEN = 1000  # events kept in memory while the disk refuses them; what comes after is counted
RETRY = 1.0  # seconds until the disk, or a failed fetch of the plan, is tried again
POLL = 0.05  # seconds between looks at a fetch under way
LOOK_EVERY = 60.0  # seconds between looks for new interfaces, and for names that did not resolve


class Agent:
    """Everything that runs on a host once it has an identity. `say(text)` is for whoever reads the console."""

    def __init__(
        self, identity: Identity, state: State, packed: Packed, servers: "list[str]", limits: "object", selector: "object", say: "object"
    ) -> None:
        self.homing = Homing(identity.name, identity.serial, identity.generation, identity.key, self._about, os.urandom)
        self._identity = identity
        self._state = state
        self._pin = packed.pin
        self._beacon_key = wire.Key(packed.beacon_key)
        self._selector = selector
        self._say = say
        self._boot = boot_id()
        self._spool = Spool(state.path("spool"), os.urandom(8).hex())
        self._outbox = Outbox(self._spool)
        self._in_force = InForce(state, time.time)
        self._checks = Checks(self.emit, limits.refusal, selector, self._spool.positions, time.time)  # type: ignore[attr-defined, arg-type]
        self._unwritten = []  # type: list[tuple[list[dict[str, object]], dict[str, object]]]
        self._unwritten_lost = 0
        self._write_at = float("inf")
        self._shipping_to = None  # type: Server | None
        self._beat_at = 0.0
        self._wanted = ""
        self._fetch_at = float("inf")
        self._fetch = None  # type: Asking | None
        self._look_at = 0.0
        self._named, self._port = servers, packed.port
        self._resolved = set()  # type: set[str]
        self._stopping = False
        self.refused = {}  # type: dict[str, int]
        self._answers = {
            wire.BEATACK: self._beatack,
            wire.ACK: self._ack,
            wire.RESET: self._reset,
            wire.PING: self._ping,
        }

    def run(self, hears: "object", talks: "object", multicast: str) -> None:
        """Run until `stop` was called. `hears` and `talks` are the sockets that `sockets` makes."""
        self._talks = talks
        self._hears, self._multicast = hears, multicast
        self._selector.register(hears, 1, self._hear_beacons)  # type: ignore[attr-defined]
        self._selector.register(talks, 1, self._hear_servers)  # type: ignore[attr-defined]
        self._begin(time.monotonic())
        while not self._stopping:
            now = time.monotonic()
            wait = max(0.0, self._turn(now) - time.monotonic())
            for key, _ in self._selector.select(wait):  # type: ignore[attr-defined]
                key.data(time.monotonic())
        self._leave(time.monotonic())

    def stop(self) -> None:
        """End after the present turn: say goodbye, keep everything."""
        self._stopping = True

    def emit(self, events: "list[dict[str, object]]", positions: "dict[str, object]") -> None:
        """Make events durable in the spool. While the disk refuses, they wait in memory and logs stay where they are."""
        if self._unwritten:
            self._keep(events, positions)
            return
        try:
            self._spool.append(events, positions)
        except OSError as problem:
            self._tell("{}: {}; trying again".format(self._state.path("spool"), problem.strerror))
            self._keep(events, positions)

    def _begin(self, now: float) -> None:
        fields = {"version": __version__, "boot": self._boot}
        text = "agent {} started".format(__version__)
        self.emit([stated.event(stated.AGENT_STARTED, "info", text, time.time(), fields=fields)], {})
        if self._in_force.restore():
            self._tell("the last good plan is in force: {}".format(self._in_force.digest[:12]))
        self._checks.adopt(self._in_force.plan, now)

    def _turn(self, now: float) -> float:
        """Do everything that is due; when the next thing is."""
        if now >= self._look_at:
            self._look_around(now)
        if now >= self._beat_at:
            self._beat(now)
        for hello, address in self.homing.greetings(now):
            self._send(hello, address)
        if now >= self._write_at:
            self._write_again(now)
        if now >= self._fetch_at:
            self._fetch_plan(now)
        next_check = self._checks.run(now, logs=not (self._spool.full or self._unwritten))
        next_shipment = self._ship(now)
        due = (self._beat_at, self.homing.greeting_due(), self._write_at, self._fetch_at, self._look_at)
        return min(next_check, next_shipment, *due)

    def _look_around(self, now: float) -> None:
        """What the network may have gained: interfaces to hear multicast on, addresses for servers named by hand."""
        self._look_at = now + LOOK_EVERY
        if self._multicast:
            sockets.join_groups(self._hears, self._multicast)  # type: ignore[arg-type]
        for server in self._named:
            if server not in self._resolved:
                try:
                    self.homing.named(server, sockets.resolve(server, self._port))
                    self._resolved.add(server)
                except (OSError, ValueError) as problem:
                    self._tell("{}: {}".format(server, problem))

    def _leave(self, now: float) -> None:
        self._checks.close()
        self.emit([stated.event(stated.AGENT_STOPPED, "info", "agent stopped", time.time())], {})
        self._ship(now)
        for server in self.homing.servers.values():
            if server.session is not None:
                self._send(server.session.seal(wire.BYE, b"{}"), server.address)
        self._spool.close()

    # What arrives.

    def hear_beacon(self, datagram: bytes, address: "tuple[str, int]", now: float) -> None:
        """A beacon came: where a server of our site may be."""
        try:
            beacon = read_beacon(datagram, self._beacon_key)
        except wire.WireError as refused:
            self._count(refused)
            return
        name, boot = str(beacon.get("server", "")), str(beacon.get("boot", ""))
        self.homing.beacon(name, boot, (address[0], int(str(beacon["port"]))), int(str(beacon["door"])), now)

    def _hear_beacons(self, now: float) -> None:
        for datagram, address in sockets.arrived(self._hears):  # type: ignore[arg-type]
            self.hear_beacon(datagram, address, now)

    def _hear_servers(self, now: float) -> None:
        for datagram, address in sockets.arrived(self._talks):  # type: ignore[arg-type]
            try:
                header = wire.header(datagram)
                if header[0] == wire.WELCOME:
                    self._welcome(datagram, address, now)
                    continue
                server, body = self.homing.open(header, datagram, now)
                answer = self._answers.get(header[0])
                if answer is None:
                    raise wire.WireError("type")
                answer(server, wire.parse(body), now)
            except wire.WireError as refused:
                self._count(refused)

    def _welcome(self, datagram: bytes, address: "tuple[str, int]", now: float) -> None:
        welcomed = self.homing.welcome(wire.open_greeting(datagram), datagram, address, now)
        if welcomed is None:
            return
        server, message = welcomed
        self._tell("greeted by {} at {}:{}".format(server.name, *server.address))
        self._beat_to(server)
        if server is self.homing.home:
            have = message.get("have")
            self._shipping_to = server
            self._outbox.restart({str(spool): int(n) for spool, n in have.items()} if isinstance(have, dict) else {}, now)
            self._want(str(message.get("plan", "")), now)

    def _beatack(self, server: Server, message: "dict[str, object]", now: float) -> None:
        server.unanswered = 0
        if server is self.homing.home:
            self._want(str(message.get("plan", "")), now)

    def _ack(self, server: Server, message: "dict[str, object]", now: float) -> None:
        number = message.get("n")
        if isinstance(number, int):
            self._outbox.acknowledge(str(message.get("s")), number, now)

    def _reset(self, server: Server, message: "dict[str, object]", now: float) -> None:
        self._send(server.session.seal(wire.RESETACK, b"{}"), server.address)  # type: ignore[union-attr]
        if server is self.homing.home:
            self._want(str(message.get("plan", "")), now)

    def _ping(self, server: Server, message: "dict[str, object]", now: float) -> None:
        self._send(server.session.seal(wire.PONG, b"{}"), server.address)  # type: ignore[union-attr]

    # What goes out.

    def _about(self) -> "dict[str, object]":
        """The body of a HELLO."""
        about = {"boot": self._boot, "up": uptime(), "version": __version__, "plan": self._in_force.digest}
        return dict(about, spools=self._spool.live())

    def _beat(self, now: float) -> None:
        for server in self.homing.beating(now):
            self._beat_to(server)
        self._beat_at = max(self._beat_at + self._in_force.plan.beat, now + self._in_force.plan.beat / 2)

    def _beat_to(self, server: Server) -> None:
        beat = {"up": uptime(), "fill": self._spool.size, "plan": self._in_force.digest}
        self._send(server.session.seal(wire.BEAT, wire.dump(beat)), server.address)  # type: ignore[union-attr]

    def _ship(self, now: float) -> float:
        """Send the home server what it has not acknowledged; when that is to be looked at again."""
        home = self.homing.home
        if home is None or home.session is None:
            return float("inf")
        if home is not self._shipping_to:
            self._shipping_to = home
            self._outbox.restart({}, now)
        for body in self._outbox.send(now):
            self._send(home.session.seal(wire.EVENTS, body), home.address)
        return self._outbox.due

    def _send(self, datagram: bytes, address: "tuple[str, int]") -> None:
        try:
            self._talks.sendto(datagram, address)  # type: ignore[attr-defined]
        except OSError as problem:  # no route, a full buffer: as if the network had lost it
            self.refused["send"] = self.refused.get("send", 0) + 1
            if self.refused["send"] == 1:
                self._tell("{}:{}: {}".format(address[0], address[1], problem.strerror))

    # The plan.

    def _want(self, digest: str, now: float) -> None:
        self._wanted = digest
        if self._fetch is None and self._in_force.lacks(digest) and self._fetch_at == float("inf"):
            self._fetch_at = now

    def _fetch_plan(self, now: float) -> None:
        """Start a fetch, or look whether the one under way is done."""
        if self._fetch is None:
            self._fetch_at = float("inf")
            if self._in_force.lacks(self._wanted) and self.homing.home is not None:
                self._fetch = Asking(self._asked(self.homing.home), now)
                self._fetch_at = now + POLL
            return
        answer = self._fetch.poll(now)
        self._fetch_at = now + POLL
        if answer is None:
            return
        self._fetch = None
        status, body = answer
        if status == 200:
            self._adopt(self._wanted, body.encode("utf-8"), now)
            self._fetch_at = now + RETRY if self._in_force.lacks(self._wanted) else float("inf")
        else:
            self._tell("the plan could not be fetched: {}".format(body.strip() or "status {}".format(status)))
            self._fetch_at = now + RETRY

    def _asked(self, home: Server) -> "dict[str, object]":
        who = self._identity
        proof = {"name": who.name, "key": who.key.hex(), "serial": who.serial.hex(), "generation": who.generation}
        return dict(proof, host=home.address[0], port=home.door, pin=self._pin, method="GET", path="/plan")

    def _adopt(self, wanted: str, body: bytes, now: float) -> None:
        before = self._in_force.digest
        events = self._in_force.adopt(wanted, body)
        if self._in_force.digest != before:
            self._checks.adopt(self._in_force.plan, now)
            self._beat_at = now  # tell the servers at once what is in force
        for event in events:
            self._tell(str(event["text"]))
        self.emit(events, {})

    # The disk.

    def _keep(self, events: "list[dict[str, object]]", positions: "dict[str, object]") -> None:
        if sum(len(kept) for kept, _ in self._unwritten) < UNWRITTEN:
            self._unwritten.append((events, positions))
        else:
            self._unwritten_lost += len(events)
        self._write_at = min(self._write_at, time.monotonic() + RETRY)

    def _write_again(self, now: float) -> None:
        self._write_at = float("inf")
        while self._unwritten:
            try:
                self._spool.append(*self._unwritten[0])
            except OSError:
                self._write_at = now + RETRY
                return
            del self._unwritten[0]
        if self._unwritten_lost:
            self._spool.lose(self._unwritten_lost)
            self._unwritten_lost = 0

    def _count(self, refused: wire.WireError) -> None:
        self.refused[refused.reason] = self.refused.get(refused.reason, 0) + 1

    def _tell(self, text: str) -> None:
        self._say(text)  # type: ignore[operator]


def boot_id() -> str:
    """What changes with each boot of the machine; empty where the kernel does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def uptime() -> int:
    """Seconds since the machine booted, time asleep included."""
    return int(time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7)))
