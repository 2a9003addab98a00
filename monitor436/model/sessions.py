"""The sessions of agents: made by a greeting, in use from the first datagram under their keys.

Pure: callers say what time it is. A server keeps them in memory only; after a restart there are none.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

from monitor436.agent import wire
from monitor436.model.messages import Hello

MAX_PENDING = 4  # greetings of one host that wait for their first datagram: a replayed one must not displace a live one
MAX_HOSTS_KEYS = 4096  # host keys kept ready; deriving one again costs some microseconds


class AgentSession:
    """One agent's session: whose it is, and where the agent was last heard from."""

    __slots__ = ("name", "serial", "hello", "wire", "address", "nonce", "server_nonce")

    def __init__(
        self,
        greeting: wire.Greeting,
        hello: Hello,
        session: wire.Session,
        address: tuple[str, int],
        server_nonce: bytes,
    ) -> None:
        self.name: str = greeting.name
        self.serial: str = greeting.serial.hex()
        self.hello: Hello | None = hello  # until the first datagram under the new keys shows that it was no replay
        self.wire = session
        self.address = address
        self.nonce: bytes = greeting.nonce
        self.server_nonce = server_nonce


class Sessions:
    """At most one session in use for each host, and some that were only just greeted.

    `random(n)` gives n random bytes.
    """

    def __init__(self, site_key: bytes, random: Callable[[int], bytes]) -> None:
        self._site_key = site_key
        self._random = random
        self._by_id: dict[int, AgentSession] = {}
        self._in_use: dict[str, AgentSession] = {}
        self._pending: dict[str, list[AgentSession]] = {}
        self._secrets: OrderedDict[tuple[str, bytes, int], tuple[bytes, wire.Key]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_id)

    def authenticate(self, greeting: wire.Greeting, datagram: bytes) -> wire.Key:
        """The key of this host's greetings, if the greeting carries its tag. Raises WireError."""
        if greeting.kind != wire.HELLO or greeting.session or len(datagram) != wire.HELLO_SIZE:
            raise wire.WireError("type")
        _, hello_key = self._secret(greeting)
        wire.authenticate(hello_key, datagram)
        return hello_key

    def greet(self, greeting: wire.Greeting, hello: Hello, address: tuple[str, int]) -> AgentSession:
        """The session that an authentic greeting asks for; the same one again if the greeting is a repetition."""
        pending = self._pending.setdefault(greeting.name, [])
        for session in pending:
            if session.nonce == greeting.nonce:
                session.address = address
                return session
        secret, _ = self._secret(greeting)
        server_nonce = self._random(16)
        to_server, to_agent = wire.session_keys(secret, greeting.nonce, server_nonce)
        number = int.from_bytes(self._random(8), "big") or 1
        keys = wire.Key(to_agent, sha256), wire.Key(to_server, sha256)
        made = AgentSession(greeting, hello, wire.Session(number, greeting.generation, *keys), address, server_nonce)
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
        if session.address != address:
            session.address = address
        if session.name in self._pending:
            self._use(session)
        return session, body

    def of(self, name: str) -> AgentSession | None:
        """The session in use for a host."""
        return self._in_use.get(name)

    def end(self, session: AgentSession) -> None:
        """Forget a session: the agent said goodbye."""
        self._by_id.pop(session.wire.id, None)
        if self._in_use.get(session.name) is session:
            del self._in_use[session.name]

    def _use(self, session: AgentSession) -> None:
        if session not in self._pending[session.name]:
            return
        for other in self._pending.pop(session.name):
            if other is not session:
                del self._by_id[other.wire.id]
        before = self._in_use.get(session.name)
        if before is not None:
            del self._by_id[before.wire.id]
        self._in_use[session.name] = session

    def _secret(self, greeting: wire.Greeting) -> tuple[bytes, wire.Key]:
        who = (greeting.name, greeting.serial, greeting.generation)
        if who not in self._secrets:
            secret = wire.host_key(self._site_key, *who)
            self._secrets[who] = secret, wire.Key(wire.hello_key(secret), sha256)
            if len(self._secrets) > MAX_HOSTS_KEYS:
                self._secrets.popitem(last=False)
        return self._secrets[who]
