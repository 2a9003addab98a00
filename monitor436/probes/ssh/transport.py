"""The ssh transport of a client that trusts no server: conch's key exchange and ciphers, with bounds around them."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.conch.ssh.common import NS, getMP, getNS
from twisted.conch.ssh.transport import MSG_DISCONNECT, SSHClientTransport
from twisted.internet import error
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.python.failure import Failure as Problem

from monitor436 import __version__
from monitor436.probes.probe import Failure

MOST_BANNER = 8 << 10  # bytes before and in the line in which a server says what it is
MOST_LINE = 255  # bytes of that line, RFC 4253 section 4.2
MOST_OVERHEAD = 256 << 10  # bytes of a conversation beside what a command prints
MOST_PACKETS = 10_000  # a command that prints byte by byte sends that many
SMALLEST_GROUP, LARGEST_GROUP = 2048, 8192  # bits of a group for Diffie-Hellman

EXCHANGES = [
    b"curve25519-sha256",
    b"curve25519-sha256@libssh.org",
    b"ecdh-sha2-nistp256",
    b"ecdh-sha2-nistp384",
    b"ecdh-sha2-nistp521",
    b"diffie-hellman-group-exchange-sha256",
]
CIPHERS = [b"aes128-ctr", b"aes256-ctr", b"aes192-ctr"]
MACS = [b"hmac-sha2-256", b"hmac-sha2-512", b"hmac-sha1"]
HOST_KEYS = [
    b"ssh-ed25519",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"rsa-sha2-512",
    b"rsa-sha2-256",
]
_RSA = (b"rsa-sha2-512", b"rsa-sha2-256")
_BY_US = b"\0\0\0\x0b" + NS(b"") + NS(b"")  # RFC 4253 section 11.1: disconnected by application


class Conversation(Protocol):
    """Who a transport works for."""

    def phase(self, name: str) -> None:
        """The conversation is that far."""

    def failed(self, failure: Failure) -> None:
        """It is over, and why."""

    def lost(self, why: str) -> None:
        """The connection is closed; nothing if it is over."""

    def trusts(self, type: str, blob: bytes) -> None:
        """Whether this host key is to be believed. Raises Failure."""

    def secure(self, transport: "Transport") -> None:
        """The host is the one it should be, and nobody else listens."""


class Quiet:
    """Conch tells of each connection several times; failures are told by whoever asked."""

    def debug(self, *args: object, **fields: object) -> None:
        """Said to nobody."""

    info = warn = error = failure = debug


class Transport(SSHClientTransport):
    """One connection. Whatever a server sends, the conversation hears of a phase or a failure; nothing is raised.

    `types`: of the keys that the host is known by, none if it is not. `printed`: bytes that a command may print.
    """

    transport: Any
    _log = Quiet()  # type: ignore[assignment]
    ourVersionString = b"SSH-2.0-monitor436_" + __version__.encode()
    supportedKeyExchanges = EXCHANGES
    supportedCiphers = CIPHERS
    supportedMACs = MACS
    supportedCompressions = [b"none"]  # no bombs
    _dhMinimalGroupSize = SMALLEST_GROUP

    def __init__(self, conversation: Conversation, types: tuple[str, ...], printed: int) -> None:
        self._conversation = conversation
        self.supportedPublicKeys = host_keys(types)
        self._most = printed + MOST_OVERHEAD
        self._packets = 0
        self._secure = False
        self.over = False
        self.greeting = ""  # the first line of a server that has not said yet that it speaks ssh

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._conversation.phase("banner")
        super().connectionMade()

    def connectionLost(self, reason: Problem | None = connectionDone) -> None:
        if not self.over:
            self.over = True
            self.service = None
            said = f" after {self.greeting!r}" if self.greeting and not self.gotVersion else ""
            self._conversation.lost(f"closed the connection{said}")

    def dataReceived(self, data: bytes) -> None:
        """Whatever conch's parser raises is a broken packet of theirs."""
        self._most -= len(data)
        if self._most < 0:
            self.refuse("too_long", "sent more than any command may print")
        if self.over:
            return
        try:
            rest = data if self.gotVersion else self._banner(data)
            if rest is not None:
                super().dataReceived(rest)
        except Exception as wrong:
            self.refuse("protocol", f"sent what is no ssh ({type(wrong).__name__})")

    def _banner(self, data: bytes) -> bytes | None:
        """What follows the line in which a server says what it is; None until that has come."""
        self.buf += data
        read = 0
        while (end := self.buf.find(b"\n", read)) >= 0:
            line, read = self.buf[read:end].rstrip(b"\r"), end + 1
            if line.startswith(b"SSH-"):
                return self._version(line, read)
            self.greeting = self.greeting or plain(line)[:60]
        if len(self.buf) > MOST_BANNER:
            self.refuse("banner", f"does not say that it speaks ssh, in {MOST_BANNER >> 10} KiB")
        return None

    def _version(self, line: bytes, read: int) -> bytes | None:
        rest, self.buf = self.buf[read:], b""
        if read > MOST_BANNER or len(line) > MOST_LINE:
            self.refuse("banner", "says too much of what it is")
            return None
        if line.split(b"-")[1] not in self.supportedVersions:
            self.refuse("banner", f"speaks another ssh: {plain(line)}")
            return None
        self.otherVersionString = line
        self.gotVersion = True
        self._conversation.phase("key_exchange")
        return rest

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:
        self._packets += 1
        if self._packets > MOST_PACKETS:
            self.refuse("too_long", "sent too many packets")
        elif not self.over:
            super().dispatchMessage(messageNum, payload)

    # What conch asks of a client.

    def verifyHostKey(self, hostKey: bytes, fingerprint: object) -> "Deferred[bool]":
        """Known, and of the type that was agreed on."""
        kind = getNS(hostKey)[0]
        try:
            if kind != (b"ssh-rsa" if self.keyAlg in _RSA else self.keyAlg):
                raise Failure("host_key", "shows another type of key than was agreed on")
            self._conversation.trusts(kind.decode(), hostKey)
        except Failure as failure:
            self.refuse(*failure.args)
            return fail(failure)
        return succeed(True)

    def connectionSecure(self) -> None:
        if not self._secure:  # again after each exchange of keys
            self._secure = True
            self._conversation.secure(self)

    def _ssh_KEX_ECDH_REPLY(self, packet: bytes) -> Any:
        if self._signed_as_agreed(getNS(packet, 3)[2]):
            return super()._ssh_KEX_ECDH_REPLY(packet)
        return None

    def ssh_KEX_DH_GEX_GROUP(self, packet: bytes) -> Any:
        if self.kexAlg not in EXCHANGES[-1:]:
            return super().ssh_KEX_DH_GEX_GROUP(packet)
        prime, _ = getMP(packet)
        if SMALLEST_GROUP <= prime.bit_length() <= LARGEST_GROUP:
            return super().ssh_KEX_DH_GEX_GROUP(packet)
        return self.refuse("key_exchange", f"wants to agree on keys in a group of {prime.bit_length()} bits")

    def ssh_KEX_DH_GEX_REPLY(self, packet: bytes) -> Any:
        _, rest = getNS(packet)
        _, rest = getMP(rest)
        if self._signed_as_agreed(getNS(rest)[0]):
            return super().ssh_KEX_DH_GEX_REPLY(packet)
        return None

    def _signed_as_agreed(self, signature: bytes) -> bool:
        """An RSA key could be made to sign with SHA-1 too."""
        if getNS(signature)[0] == self.keyAlg:
            return True
        self.refuse("key_exchange", "signs otherwise than was agreed on")
        return False

    def ssh_DISCONNECT(self, packet: bytes) -> None:
        said = plain(getNS(packet[4:])[0])
        self.abort()
        self._conversation.lost(f"ended the connection: {said}" if said else "ended the connection")

    def sendDisconnect(self, reason: int, desc: Any) -> None:
        """What conch found wrong; the server need not hear of it."""
        said = plain(desc) if isinstance(desc, bytes) else str(desc)
        if said == "couldn't match all kex parts":
            self.refuse("key_exchange", "has no algorithm in common with this program; ask it with --ssh")
        else:
            self.refuse("key_exchange" if not self._secure else "protocol", said)

    def sendUnimplemented(self) -> None:
        """Servers are not told."""

    # Ends.

    def refuse(self, reason: str, text: str) -> None:
        """End it for this reason."""
        if not self.over:
            self.abort()
            self._conversation.failed(Failure(reason, text))

    def abort(self) -> None:
        """End it now; nothing more is heard."""
        if not self.over:
            self.over = True
            self.buf = b""
            self.service = None
            self.transport.abortConnection()

    def part(self) -> None:
        """End it politely."""
        if not self.over:
            self.sendPacket(MSG_DISCONNECT, _BY_US)
            self.over = True
            self.buf = b""
            self.service = None
            self.transport.loseConnection()


class Calling(ClientFactory):
    """One attempt to connect; `made` fires with the Transport that `make` gave, or fails with Failure."""

    noisy = False

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._connector: Any = None
        self._transport: Transport | None = None
        self._stopped = False
        self.made: Deferred[Transport] = Deferred()

    def start(self, reactor: Any, address: str, port: int, within: float | None) -> "Deferred[Transport]":
        """Begin; so many seconds for the connection, or as long as it takes."""
        self._connector = reactor.connectTCP(address, port, self, timeout=within)
        return self.made

    def stop(self) -> None:
        """Give up, if it does not stand yet; `made` will not fire."""
        self._stopped = True
        if self._transport is None and self._connector is not None and self._connector.state == "connecting":
            self._connector.stopConnecting()

    def buildProtocol(self, addr: object) -> Transport:
        self._transport = self._make()
        self.made.callback(self._transport)
        return self._transport

    def clientConnectionFailed(self, connector: object, reason: Problem) -> None:
        if not self._stopped and not self.made.called:
            self.made.errback(Problem(unconnected(reason.value)))


def unconnected(problem: BaseException | None) -> Failure:
    """Why there is no connection."""
    if isinstance(problem, error.ConnectionRefusedError):
        return Failure("refused", "refuses connections: nothing listens there")
    if isinstance(problem, error.TimeoutError):
        return Failure("connect", "does not answer attempts to connect")
    args = problem.args if problem else ()
    why = args[1] if len(args) > 1 else problem
    if isinstance(problem, error.ConnectBindError):
        return Failure("unreachable", f"this machine can open no more connections: {why}")
    return Failure("unreachable", f"cannot be reached: {why}")


def host_keys(types: tuple[str, ...]) -> list[bytes]:
    """The algorithms that a host is asked for, those of keys that it is known by first."""
    known = [each for each in HOST_KEYS if ("ssh-rsa" if each in _RSA else each.decode()) in types]
    return known + [each for each in HOST_KEYS if each not in known]


def plain(said: bytes) -> str:
    """What a host said, for a sentence: short, and nothing in it moves the cursor."""
    text = said.decode("utf-8", "replace")[:200]
    return "".join(c if c.isprintable() else " " for c in text).strip()
