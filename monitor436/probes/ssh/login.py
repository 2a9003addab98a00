"""Shows a host who asks: by one key after the other, RFC 4252. Passwords are never asked for."""

from collections.abc import Callable, Sequence

from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.service import SSHService
from twisted.python.failure import Failure as Problem

from monitor436.probes.probe import Failure
from monitor436.probes.ssh.keys import PrivateKey, algorithm
from monitor436.probes.ssh.transport import plain

REQUEST, FAILED, SUCCESS, BANNER, WELCOME = 50, 51, 52, 53, 60
MOST_TRIED = 20  # keys; most servers give up after six


class Login(SSHService):
    """`done(key)` is called with the key that was accepted, or `failed(failure)`; each once."""

    name = b"ssh-userauth"

    def __init__(
        self,
        user: str,
        keys: Sequence[PrivateKey],
        lacking: str,
        done: Callable[[PrivateKey], object],
        failed: Callable[[Failure], object],
    ) -> None:
        """`lacking`: a sentence about keys that could not be used."""
        self._user = user
        self._keys = list(keys)[:MOST_TRIED]
        self._lacking = lacking
        self._done = done
        self._failed = failed
        self._tried = 0
        self._key: PrivateKey | None = None
        self._how = b""

    def serviceStarted(self) -> None:
        self._next()

    def serviceStopped(self) -> None:
        """The transport tells who closed the connection."""

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        if messageNum == SUCCESS and self._key is not None:
            self._done(self._key)
        elif messageNum == FAILED:
            self._refused(packet)
        elif messageNum == WELCOME and self._key is not None and self._key.asks:
            self._sign()

    def _next(self, takes: str = "") -> None:
        if self._keys:
            self._key = self._keys.pop(0)
            self._tried += 1
            accepted = self.transport.peerExtensions.get(b"server-sig-algs", b"")  # type: ignore[union-attr]
            self._how = algorithm(self._key.type, accepted)
            if self._key.asks:
                self._send(b"\0" + NS(self._how) + NS(self._key.blob))
            else:
                self._sign()
            return
        self._key = None
        tried = f"accepts none of {self._tried} keys" if self._tried else "was shown no key"
        told = "; ".join(part for part in (f"{tried} for {self._user}", takes, self._lacking) if part)
        self._failed(Failure("authentication", told))

    def _sign(self) -> None:
        key = self._key
        assert key is not None and self.transport is not None and self.transport.sessionID is not None
        request = self._request(b"\1" + NS(self._how) + NS(key.blob))
        signed = key.sign(NS(self.transport.sessionID) + bytes((REQUEST,)) + request, self._how)
        signed.addCallbacks(self._signed, self._unsigned, (request,))

    def _signed(self, signature: bytes, request: bytes) -> None:
        if self.transport is not None and self._key is not None:
            self.transport.sendPacket(REQUEST, request + NS(signature))

    def _unsigned(self, problem: Problem) -> None:
        self._lacking = problem.getErrorMessage()
        self._next()

    def _send(self, proof: bytes) -> None:
        self.transport.sendPacket(REQUEST, self._request(proof))  # type: ignore[union-attr]

    def _request(self, proof: bytes) -> bytes:
        return NS(self._user.encode()) + NS(b"ssh-connection") + NS(b"publickey") + proof

    def _refused(self, packet: bytes) -> None:
        methods, partial = getNS(packet)
        if partial[:1] != b"\0":
            self._key = None
            self._failed(Failure("authentication", f"wants more than a key: {plain(methods)}"))
        elif b"publickey" in methods.split(b","):
            self._next()
        else:
            self._keys = []
            self._next(f"it takes {plain(methods)} only")
