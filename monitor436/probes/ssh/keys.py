"""The private keys by which this machine shows who it is: in files, or held by an agent that signs with them."""

import os
import stat
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.keys import EncryptedKeyError, Key
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.internet.protocol import Protocol as Connection
from twisted.python.failure import Failure as Problem

USUAL = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
RSA = (b"rsa-sha2-512", b"rsa-sha2-256")  # SHA-1, which "ssh-rsa" means in a signature, can be forged
MOST = 64 << 10  # bytes of a key file
MOST_TOLD = 256 << 10  # bytes of what an agent says at once
MOST_KEYS = 64  # of an agent
WAIT = 5.0  # seconds for an agent to answer what it has

LIST, LISTED, SIGN, SIGNED = 11, 12, 13, 14  # draft-ietf-sshm-ssh-agent
_FLAGS = {b"rsa-sha2-512": 4, b"rsa-sha2-256": 2}


class KeyRefused(Exception):
    """A key cannot be used; the text is a sentence."""


class PrivateKey(Protocol):
    """A key pair. `blob`: the public half as it is sent; `asks`: whether a signature costs more than a question."""

    type: bytes
    blob: bytes
    asks: bool

    def sign(self, data: bytes, algorithm: bytes) -> "Deferred[bytes]":
        """The signature, as it is sent."""


class FileKey:
    """A key that was read from a file."""

    asks = False

    def __init__(self, key: Any) -> None:
        self.type: bytes = key.sshType()
        self.blob: bytes = key.public().blob()
        self._key = key

    def sign(self, data: bytes, algorithm: bytes) -> "Deferred[bytes]":
        """At once."""
        return succeed(self._key.sign(data, algorithm))


class AgentKey:
    """A key that an agent holds."""

    asks = True

    def __init__(self, agent: "Agent", blob: bytes) -> None:
        self.type: bytes = getNS(blob)[0]
        self.blob = blob
        self._agent = agent

    def sign(self, data: bytes, algorithm: bytes) -> "Deferred[bytes]":
        """When the agent has signed; fails with KeyRefused."""
        request = NS(self.blob) + NS(data) + struct.pack(">L", _FLAGS.get(algorithm, 0))
        return self._agent.ask(SIGN, request, SIGNED).addCallback(lambda said: getNS(said)[0])


def algorithm(type: bytes, accepted: bytes) -> bytes:
    """How a key of this type signs, for a host that says so much of what it accepts (RFC 8308, section 3.1).

    Not every host tells the truth there, so the key is shown in any case.
    """
    wanted = RSA if type == b"ssh-rsa" else (type,)
    known = accepted.split(b",")
    return next((each for each in wanted if each in known), wanted[0])


def read_key(path: str | Path) -> FileKey:
    """The key in a file. Raises KeyRefused."""
    file = Path(path).expanduser()
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            mode = os.fstat(descriptor).st_mode
            content = opened.read(MOST + 1)
    except OSError as problem:
        raise KeyRefused(f"{file}: {problem.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and stat.S_ISREG(mode):
        raise KeyRefused(f"{file}: others may read this key, so it is no secret: chmod 600 {file}")
    try:
        key = Key.fromString(content[:MOST])
        if key.isPublic():
            raise KeyRefused(f"{file}: holds a public key; the private one is wanted")
        return FileKey(key)
    except EncryptedKeyError:
        raise KeyRefused(f"{file}: is encrypted; add it to an agent with ssh-add, or give another key") from None
    except KeyRefused:
        raise
    except Exception as problem:  # a parser of many formats raises what it likes
        raise KeyRefused(f"{file}: holds no private key that is understood ({type(problem).__name__})") from None


def usual_keys(files: Iterable[str] = USUAL) -> list[FileKey]:
    """Those of the usual files that are there and not encrypted."""
    found = []
    for file in files:
        try:
            found.append(read_key(file))
        except KeyRefused:
            continue
    return found


class Agent(Connection):
    """A connection to an agent, which answers in the order in which it is asked."""

    def __init__(self, ready: "Callable[[Agent], object]") -> None:
        self._ready = ready
        self._heard = b""
        self._waiting: list[tuple[int, Deferred[bytes]]] = []
        self._lost = False

    def connectionMade(self) -> None:
        self._ready(self)

    def ask(self, kind: int, payload: bytes, answer: int) -> "Deferred[bytes]":
        """What it says in an answer of that kind; fails with KeyRefused."""
        waits: Deferred[bytes] = Deferred(lambda _: None)
        if self._lost:
            waits.errback(Problem(KeyRefused("the agent is gone")))
            return waits
        self._waiting.append((answer, waits))
        self.transport.write(struct.pack(">LB", len(payload) + 1, kind) + payload)  # type: ignore[union-attr]
        return waits

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= 4:
            (length,) = struct.unpack(">L", self._heard[:4])
            if not 0 < length <= MOST_TOLD or not self._waiting:
                self.transport.abortConnection()  # type: ignore[union-attr]
                return
            if len(self._heard) < 4 + length:
                return
            packet, self._heard = self._heard[4 : 4 + length], self._heard[4 + length :]
            answer, waits = self._waiting.pop(0)
            if waits.called:
                continue
            if packet[0] == answer:
                waits.callback(packet[1:])
            else:
                waits.errback(Problem(KeyRefused("the agent refuses to sign")))

    def connectionLost(self, reason: Problem = connectionDone) -> None:
        self._lost = True
        waiting, self._waiting = self._waiting, []
        for _, waits in waiting:
            if not waits.called:
                waits.errback(Problem(KeyRefused("the agent is gone")))

    def close(self) -> None:
        """Ask no more."""
        if not self._lost:
            self.transport.loseConnection()  # type: ignore[union-attr]


class _Calling(ClientFactory):
    noisy = False

    def __init__(self) -> None:
        self.made: Deferred[Agent] = Deferred()

    def buildProtocol(self, addr: object) -> Agent:
        return Agent(self.made.callback)

    def clientConnectionFailed(self, connector: object, reason: Problem) -> None:
        self.made.errback(Problem(KeyRefused(f"no agent answers: {reason.getErrorMessage()}")))


async def agent_keys(path: str, reactor: Any) -> tuple[Agent, list[AgentKey]]:
    """The agent that listens there, and the keys that it holds. Raises KeyRefused."""
    factory = _Calling()
    reactor.connectUNIX(path, factory, timeout=WAIT)
    agent = await factory.made
    late = reactor.callLater(WAIT, agent.close)
    try:
        said = await agent.ask(LIST, b"", LISTED)
    finally:
        if late.active():
            late.cancel()
    (count,), rest = struct.unpack(">L", said[:4]), said[4:]
    found = []
    for _ in range(min(count, MOST_KEYS)):
        blob, _, rest = getNS(rest, 2)
        found.append(AgentKey(agent, blob))
    return agent, found
