"""The sessions of agents: made by a greeting, in use from the first datagram under their keys.

Pure: callers say what time it is. A server keeps them in memory only; after a restart there are none.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from monitor436.agent import wire
from monitor436.model.hosts.datagrams import Ring, ring
from monitor436.model.keys.site_keys import SiteKeys, mark
from monitor436.model.stream.messages import Hello

MAX_PENDING = 4  # greetings of one host that wait for their first datagram: a replayed one must not displace a live one
NOBODYS = ring()  # what comes before a host is known by its session is nobody's, and shown to nobody
MAX_HOSTS_KEYS = 4096  # host keys kept ready; deriving one again costs some microseconds


class Secret(NamedTuple):
    """A host's key, that of its greetings, and the mark of the site key from which both come."""

    key: bytes
    hello: wire.Key
    mark: str


class AgentSession:
    """One agent's session: whose it is, and where the agent was last heard from.

    `mark` is that of the site key it comes from; `rekey` says that the host is to be moved to the present one.
    `greeted` is when its greeting came (monotonic seconds), `datagrams` the ring of the host once it has spoken.
    """

    __slots__ = (
        "name", "serial", "hello", "wire", "address", "nonce", "server_nonce", "mark", "rekey", "greeted", "datagrams",
    )  # fmt: skip

    def __init__(
        self,
        greeting: wire.Greeting,
        hello: Hello,
        session: wire.Session,
        address: tuple[str, int],
        server_nonce: bytes,
        mark: str,
    ) -> None:
        self.name: str = greeting.name
        self.serial: str = greeting.serial.hex()
        self.hello: Hello | None = hello  # until the first datagram under the new keys shows that it was no replay
        self.wire = session
        self.address = address
        self.nonce: bytes = greeting.nonce
        self.server_nonce = server_nonce
        self.mark = mark
        self.rekey = False
        self.greeted = 0.0
        self.datagrams: Ring = NOBODYS


class Sessions:
    """At most one session in use for each host, and some that were only just greeted.

    `random(n)` gives n random bytes.
    """

    def __init__(self, site_key: bytes, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._site_keys = {mark(site_key): site_key}  # those that are accepted, by their marks, the present one first
        self._by_id: dict[int, AgentSession] = {}
        self.find = self._by_id.get  # the session with this id
        self._in_use: dict[str, AgentSession] = {}
        self._pending: dict[str, list[AgentSession]] = {}
        self._secrets: OrderedDict[tuple[str, str, bytes, int], Secret] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_id)

    def follow(self, keys: SiteKeys) -> None:
        """The keys of the site from now on. Sessions under the present one go on, those under the one before are to be
        moved, others end."""
        self._site_keys = {mark(key): key for key in keys.accepted}
        self._secrets.clear()
        for session in list(self._by_id.values()):
            session.rekey = session.mark != self._present
            if session.mark not in self._site_keys:
                self._drop(session)

    def end_unless(self, allowed: Callable[[AgentSession], bool]) -> None:
        """End the sessions that are not allowed any more."""
        for session in [session for session in self._by_id.values() if not allowed(session)]:
            self._drop(session)

    def authenticate(self, greeting: wire.Greeting, datagram: bytes) -> Secret:
        """Under which key the greeting carries this host's tag. Raises WireError."""
        if greeting.kind != wire.HELLO or greeting.session or len(datagram) != wire.HELLO_SIZE:
            raise wire.WireError("type")
        for site_key in self._site_keys:
            secret = self._secret(greeting, site_key)
            try:
                wire.authenticate(secret.hello, datagram)
            except wire.WireError:
                continue
            return secret
        raise wire.WireError("tag")

    def greet(
        self, greeting: wire.Greeting, hello: Hello, address: tuple[str, int], secret: Secret | None = None
    ) -> AgentSession:
        """The session that an authentic greeting asks for; the same one again if the greeting is a repetition.

        `secret` is what `authenticate` gave, by default the one under the present key.
        """
        secret = secret or self._secret(greeting, self._present)
        pending = self._pending.setdefault(greeting.name, [])
        for session in pending:
            if (session.nonce, session.mark) == (greeting.nonce, secret.mark):
                session.address = address
                return session
        server_nonce = self._random(16)
        to_server, to_agent = wire.session_keys(secret.key, greeting.nonce, server_nonce)
        number = int.from_bytes(self._random(8), "big") or 1
        keys = wire.Key(to_agent, sha256), wire.Key(to_server, sha256)
        on_the_wire = wire.Session(number, greeting.generation, *keys)
        made = AgentSession(greeting, hello, on_the_wire, address, server_nonce, secret.mark)
        made.rekey = secret.mark != self._present
        pending.append(made)
        self._by_id[number] = made
        if len(pending) > MAX_PENDING:
            del self._by_id[pending.pop(0).wire.id]
        return made

    def open(
        self, header: tuple[int, int, int, int], datagram: bytes, address: tuple[str, int]
    ) -> tuple[AgentSession, bytes]:
        """Whose datagram this is, and its body. Raises WireError.

        The first one opened puts a new session in use, in place of the one before it.
        """
        session = self._by_id.get(header[2])
        if session is None:
            raise wire.WireError("session")
        body = session.wire.open(datagram, header[3])
        session.address = address
        if session.hello is not None:
            self._use(session)
        return session, body

    def of(self, name: str) -> AgentSession | None:
        """The session in use for a host."""
        return self._in_use.get(name)

    def end(self, session: AgentSession) -> None:
        """Forget a session: the agent said goodbye."""
        self._drop(session)

    @property
    def _present(self) -> str:
        return next(iter(self._site_keys))

    def _drop(self, session: AgentSession) -> None:
        self._by_id.pop(session.wire.id, None)
        if self._in_use.get(session.name) is session:
            del self._in_use[session.name]
        waiting = self._pending.get(session.name, [])
        if session in waiting:
            waiting.remove(session)

    def _use(self, session: AgentSession) -> None:
        if session not in self._pending.get(session.name, ()):
            return
        for other in self._pending.pop(session.name):
            if other is not session:
                del self._by_id[other.wire.id]
        before = self._in_use.get(session.name)
        if before is not None:
            del self._by_id[before.wire.id]
        self._in_use[session.name] = session

    def _secret(self, greeting: wire.Greeting, site_key: str) -> Secret:
        who = (site_key, greeting.name, greeting.serial, greeting.generation)
        if who not in self._secrets:
            key = wire.host_key(self._site_keys[site_key], *who[1:])
            self._secrets[who] = Secret(key, wire.Key(wire.hello_key(key), sha256), site_key)
            if len(self._secrets) > MAX_HOSTS_KEYS:
                self._secrets.popitem(last=False)
        return self._secrets[who]
