"""A host that does nothing but beat: greets one server, beats, answers, says goodbye, with the agent's own code.

Pure: told the time and what arrived, it returns the datagrams to send and where they go.
"""

from collections.abc import Callable

from monitor436 import __version__
from monitor436.agent import wire
from monitor436.agent.identity import Identity
from monitor436.agent.link.homing import UNANSWERED, Homing, Server

REKEY = b'"rekey"'  # in answers to who is to come for another key; nothing else that they say matters here
Sent = list[tuple[bytes, tuple[str, int]]]


class Heart:
    """Beats `every` seconds as the host `identity`.

    `boot` is what changes with each boot of the machine, `up()` the seconds since then; `random(n)` gives n random
    bytes.
    """

    def __init__(
        self,
        identity: Identity,
        every: float,
        boot: str,
        up: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        about = lambda: {"boot": boot, "up": up(), "version": __version__, "spools": []}  # noqa: E731
        self.homing = Homing(identity.name, identity.serial, identity.generation, identity.key, about, random)
        self.identity = identity
        self.every = every
        self.refused: dict[str, int] = {}
        self._up = up
        self._beat_at = 0.0
        self.told: Callable[[Server, dict[str, object], float], None] = lambda server, message, now: None
        self._given_up: dict[int, tuple[wire.Session, tuple[str, int]]] = {}

    @property
    def due(self) -> float:
        """When `turn` has something to do next."""
        return min(self._beat_at, self.homing.greeting_due())

    @property
    def greeted(self) -> bool:
        """Whether some server has answered the last greeting."""
        return any(server.session is not None for server in self.homing.servers.values())

    def turn(self, now: float) -> Sent:
        """What is to be sent by now."""
        sent: Sent = []
        if now >= self._beat_at:
            self._beat_at = max(self._beat_at + self.every, now + self.every / 2)
            for server in self.homing.servers.values():
                if server.session is not None and server.unanswered >= UNANSWERED:  # this turn gives it up
                    self._given_up[server.session.id] = server.session, server.address
            sent += [self._seal(server, wire.BEAT, self._beat()) for server in self.homing.beating(now)]
        return sent + self.homing.greetings(now)

    def takes(self, datagram: bytes, address: tuple[str, int], now: float) -> Sent:
        """A datagram arrived: what is to be sent because of it. What is not ours is counted."""
        try:
            header = wire.header(datagram)
            if header[0] == wire.WELCOME:
                return self._welcome(datagram, address, now)
            if header[2] in self._given_up:
                return self._still_there(header, datagram)
            server, body = self.homing.open(header, datagram, now)
            if header[0] == wire.BEATACK and REKEY in body:
                self.told(server, wire.parse(body), now)
        except wire.WireError as refused:
            self.refused[refused.reason] = self.refused.get(refused.reason, 0) + 1
            return []
        if header[0] == wire.BEATACK:
            server.unanswered = 0
        elif header[0] == wire.PING:
            return [self._seal(server, wire.PONG, b"{}")]
        elif header[0] == wire.RESET:
            return [self._seal(server, wire.RESETACK, b"{}")]
        return []

    def _welcome(self, datagram: bytes, address: tuple[str, int], now: float) -> Sent:
        welcomed = self.homing.welcome(wire.open_greeting(datagram), datagram, address, now)
        if welcomed is None:
            return []
        self._given_up = {number: each for number, each in self._given_up.items() if each[1] != address}
        return [self._seal(welcomed[0], wire.BEAT, self._beat())]

    def _still_there(self, header: tuple[int, int, int, int], datagram: bytes) -> Sent:
        """While a greeting is on its way the server may still ask through the session before."""
        session, address = self._given_up[header[2]]
        session.open(datagram, header[3])
        return [(session.seal(wire.PONG, b"{}"), address)] if header[0] == wire.PING else []

    def goodbye(self) -> Sent:
        """A clean stop."""
        return [self._seal(server, wire.BYE, b"{}") for server in self.homing.leave()]

    def _beat(self) -> bytes:
        return b'{"up":%d}' % self._up()

    def _seal(self, server: Server, kind: int, body: bytes) -> tuple[bytes, tuple[str, int]]:
        assert server.session is not None
        return server.session.seal(kind, body), server.address
