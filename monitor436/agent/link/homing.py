"""Which servers this host talks to: heard by their beacons or named by hand, greeted, kept or lost.

Pure: told the time and what arrived, it returns the datagrams to send. Every server that answers gets heartbeats;
one of them, the home, also gets the events and hands out the plan.
"""

from collections.abc import Callable

from monitor436.agent import wire

GREET_EVERY = 1.0  # seconds between two greetings of one server at first; doubled up to GREET_AT_MOST
GREET_AT_MOST = 30.0
UNANSWERED = 2  # beats without an answer after which a server is greeted anew
FORGET_AFTER = 600.0  # seconds of silence after which a server known from beacons alone is forgotten
FORMER = 3600.0  # seconds in which a server may still know no other key than the one this host had before
GREETINGS = 16.0  # HELLOs at once to whom nobody knows, and one more each second: what beacons can make a host send
MAX_SERVERS = 16  # a forger who has an agent file may send beacons: what they cost here is bounded


class Server:
    """One server, as this host sees it. `address` and `door` are where to greet it, until it answers from there."""

    def __init__(self, name: str, address: "tuple[str, int]", static: bool) -> None:
        self.name = name
        self.address = address  # where a session is held
        self.door = address[1]  # its TLS port
        self.boot = ""
        self.static = static
        self.session = None  # type: wire.Session | None
        self.former = None  # type: wire.Session | None  # the one that it has not answered in any more
        self.unanswered = 0
        self.heard = 0.0  # when it was last heard
        self.greet_at = 0.0  # when the next HELLO is due; infinity while there is nothing to greet for
        self.hint = address  # where that HELLO goes
        self.secret = b""  # the key of this host from which the session comes
        self.answers_to = b""  # the key of this host that it knew last, tried first; empty: the present one
        self.greeted = 0  # HELLOs sent since the last answer
        self.greeted_at = float("-inf")  # when the last one was
        self._nonce = b""
        self._patience = GREET_EVERY

    def greet_anew(self) -> None:
        """Greet at the next turn with a fresh nonce. A session that exists stays until the answer comes."""
        self._nonce = b""
        self._patience = GREET_EVERY
        self.greet_at = 0.0
        self.greeted = 0

    def move(self) -> None:
        """It has the present key of this host: greet it anew under that."""
        self.answers_to = b""
        self.greet_anew()

    def nonce_for_greeting(self, now: float, fresh: bytes) -> bytes:
        """The nonce of a HELLO sent now. Repeats keep it, so that a late WELCOME still counts."""
        self._nonce = self._nonce or fresh
        self.greeted += 1
        self.greeted_at = now
        self.greet_at = now + self._patience
        self._patience = min(self._patience * 2, GREET_AT_MOST)
        return self._nonce

    def expects(self, nonce: bytes) -> bool:
        """Whether a WELCOME with this nonce answers a greeting of ours that is still open."""
        return bool(self._nonce) and wire.same_tag(self._nonce, nonce)

    def welcomed(self, session: wire.Session, secret: bytes, address: "tuple[str, int]", now: float) -> None:
        """The greeting was answered, from `address`, under this key of this host."""
        self.session = session
        self.secret = self.answers_to = secret
        self.address = self.hint = address
        self.unanswered = 0
        self.heard = now
        self._nonce = b""
        self.greet_at = float("inf")


class Homing:
    """The servers heard, and the one that is home.

    `random` gives n random bytes; `secret` is the host's key; `about()` the body of a HELLO (a dict).
    """

    def __init__(
        self,
        name: str,
        serial: bytes,
        generation: int,
        secret: bytes,
        about: "Callable[[], dict[str, object]]",
        random: "Callable[[int], bytes]",
    ) -> None:
        self.servers = {}  # type: dict[str, Server]
        self.home = None  # type: Server | None
        self._name, self._serial, self._generation = name, serial, generation
        self._secrets = [(secret, wire.Key(wire.hello_key(secret)))]  # and the one before, for a while
        self._former_until = 0.0
        self._left, self._left_at = GREETINGS, 0.0  # how many of GREETINGS are left, and when that was so
        self._about = about
        self._random = random

    def named(self, label: str, address: "tuple[str, int]") -> None:
        """A server that the admin named, which may never be heard by beacon."""
        self.servers[label] = Server(label, address, True)

    def rekey(self, secret: bytes, now: float) -> None:
        """Greet under another key from now on. Sessions go on; a server that does not answer is for FORMER seconds
        greeted under the key before, too, by turns: it may know no other yet. The one it knew last comes first."""
        self._secrets = [(secret, wire.Key(wire.hello_key(secret))), self._secrets[0]]
        self._former_until = now + FORMER

    def present(self, server: Server) -> bool:
        """Whether the session with a server comes from the present key."""
        return server.secret == self._secrets[0][0]

    def beacon(self, name: str, boot: str, address: "tuple[str, int]", door: int, now: float) -> None:
        """A beacon of our site: a hint where a server is. A new boot id means that it holds no session of ours."""
        server = self._known(name, address)
        if server is None:
            self._make_room()
            server = self.servers[name] = Server(name, address, False)
        if server.boot != boot:
            server.boot = boot
            server.greet_anew()
        server.hint = address
        if server.session is None:
            server.heard = now
            server.door = door

    def welcome(
        self, greeting: wire.Greeting, datagram: bytes, address: "tuple[str, int]", now: float
    ) -> "tuple[Server, dict[str, object]] | None":
        """A WELCOME: the server and the message, if it answers a greeting of ours; None if not. Raises WireError."""
        secret = self._authenticate(datagram)
        for server in self.servers.values():
            if server.expects(greeting.nonce):
                break
        else:
            return None
        message = wire.parse(greeting.body)
        try:
            nonce = bytes.fromhex(str(message["nonce"]))
            door = int(str(message.get("door", server.door)))
        except (KeyError, ValueError):
            raise wire.WireError("body") from None
        to_server, to_agent = wire.session_keys(secret, greeting.nonce, nonce)
        session = wire.Session(greeting.session, self._generation, wire.Key(to_server), wire.Key(to_agent))
        server.welcomed(session, secret, address, now)
        server.name = str(message.get("server", server.name))
        server.boot = str(message.get("boot", server.boot))
        server.door = door
        self._drop_twins(server)
        if self.home is None:
            self.home = server
        return server, message

    def open(self, header: "tuple[int, int, int, int]", datagram: bytes, now: float) -> "tuple[Server, bytes]":
        """The server whose session this is, and the body. Raises WireError."""
        for server in self.servers.values():
            if server.session is not None and server.session.id == header[2]:
                body = server.session.open(datagram, header[3])
                server.heard = now
                return server, body
        raise wire.WireError("session")

    def greetings(self, now: float) -> "list[tuple[bytes, tuple[str, int]]]":
        """The HELLOs that are due, and where each goes; what would be too many waits, as beacons alone ask for them."""
        self._left, self._left_at = min(GREETINGS, self._left + max(0.0, now - self._left_at)), now
        due = [server for server in self.servers.values() if server.greet_at <= now]
        return [(self._hello(server, now), server.hint) for server in due if self._may_greet(server, now)]

    def greeting_due(self) -> float:
        """When the next HELLO is due; infinity if every server has answered."""
        return min([server.greet_at for server in self.servers.values()] or [float("inf")])

    def beating(self, now: float) -> "list[Server]":
        """The servers that get a heartbeat now. One that left UNANSWERED beats unanswered is greeted anew instead."""
        for name, server in list(self.servers.items()):
            if server.session is not None and server.unanswered >= UNANSWERED:
                server.former, server.session = server.session, None
                server.greet_anew()
                if server is self.home:
                    self._move()
            if not server.static and server.session is None and now - server.heard > FORGET_AFTER:
                del self.servers[name]
        beating = [server for server in self.servers.values() if server.session is not None]
        for server in beating:
            server.unanswered += 1
        return beating

    def leave(self) -> "list[Server]":
        """The servers that a goodbye goes to. One that does not answer may only stand still: it knows the session that
        it had, and takes what waits for it when it goes on."""
        for server in self.servers.values():
            server.session = server.session or server.former
        return [server for server in self.servers.values() if server.session is not None]

    @property
    def answers(self) -> bool:
        """Whether there is a home server, and it has answered the last heartbeat."""
        return self.home is not None and self.home.session is not None and not self.home.unanswered

    def _move(self) -> None:
        """Take another server that answers as home; stay, if there is none."""
        for server in self.servers.values():
            if server.session is not None:
                self.home = server
                return

    def _make_room(self) -> None:
        """Keep the table small: what never answered and was heard longest ago goes first."""
        silent = [server for server in self.servers.values() if server.session is None and not server.static]
        if len(self.servers) >= MAX_SERVERS and silent:
            oldest = min(silent, key=lambda server: server.heard)
            self.servers = {label: server for label, server in self.servers.items() if server is not oldest}

    def _known(self, name: str, address: "tuple[str, int]") -> "Server | None":
        for server in self.servers.values():
            if server.name == name or (server.static and server.address == address):
                return server
        return None

    def _drop_twins(self, server: Server) -> None:
        """Two ways to one server (named by hand and heard, or two networks) are one server."""
        for label, other in list(self.servers.items()):
            if other is not server and other.name == server.name and other.boot == server.boot:
                del self.servers[label]
                if other is self.home:
                    self.home = server

    def _authenticate(self, datagram: bytes) -> bytes:
        """The key of this host under which a WELCOME is tagged. Raises WireError."""
        for secret, hello_key in self._secrets[1:]:
            try:
                wire.authenticate(hello_key, datagram)
            except wire.WireError:
                continue
            return secret
        secret, hello_key = self._secrets[0]
        wire.authenticate(hello_key, datagram)
        return secret

    def _may_greet(self, server: Server, now: float) -> bool:
        """Whether it is not too early. A server that has answered before has a limit of its own, others share one."""
        if server.secret:
            server.greet_at = max(server.greet_at, server.greeted_at + GREET_EVERY)
        elif self._left < 1.0:
            server.greet_at = now + GREET_EVERY
        else:
            self._left -= 1.0
        return server.greet_at <= now

    def _hello(self, server: Server, now: float) -> bytes:
        if now >= self._former_until:
            del self._secrets[1:]
        turns = sorted(self._secrets, key=lambda each: each[0] != server.answers_to)
        _, hello_key = turns[server.greeted % len(turns)]
        nonce = server.nonce_for_greeting(now, self._random(16))
        about = wire.dump(self._about())
        return wire.seal_greeting(
            hello_key, wire.Greeting(wire.HELLO, self._generation, 0, nonce, self._serial, self._name, about)
        )
