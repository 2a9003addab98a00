"""Hosts that answer ssh, in this process: for rehearsals, and for tests. Nothing is run on them."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.avatar import ConchUser
from twisted.conch.error import ValidPublicKey
from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ISSHPrivateKey
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from zope.interface import implementer

from monitor436.model.sweep.remote import Said
from monitor436.probes.ssh.transport import Quiet

Answers = Callable[[bytes], Said | None]  # what comes of a command; None: nothing ever
ERRORS = 1  # the kind of extended data that complaints are, RFC 4254 section 5.2


def new_key() -> Any:
    """A key pair that nobody has seen."""
    return Key(Ed25519PrivateKey.generate())


class _Session(SSHChannel):
    name = b"session"
    avatar: Any
    conn: Any

    def request_exec(self, data: bytes) -> bool:
        """The answer follows in the next turn, after this request was granted."""
        command = getNS(data)[0]
        self.avatar.later(0, self._answer, command)
        return True

    def _answer(self, command: bytes) -> None:
        said = self.avatar.answers(command)
        if said is None or self.remoteClosed or self.localClosed:
            return
        self.write(said.output)
        if said.errors:
            self.writeExtended(ERRORS, said.errors)
        self.conn.sendRequest(self, b"exit-status", struct.pack(">L", said.status))
        self.loseConnection()


class _User(ConchUser):
    def __init__(self, answers: Answers, later: Any) -> None:
        super().__init__()
        self.answers = answers
        self.later = later
        self.channelLookup[b"session"] = _Session

    def logout(self) -> None:
        """Nothing was begun for this user."""


@implementer(IRealm)
class _Realm:
    def __init__(self, answers: Answers, later: Any) -> None:
        self._answers = answers
        self._later = later

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: object) -> Any:
        """Whoever has a key."""
        user = _User(self._answers, self._later)
        return IConchUser, user, user.logout


@implementer(ICredentialsChecker)
class _Keys:
    credentialInterfaces = (ISSHPrivateKey,)

    def __init__(self, user: str, keys: Sequence[Any]) -> None:
        self._user = user.encode()
        self._keys = {key.blob(): key for key in keys}

    def requestAvatarId(self, credentials: Any) -> Any:
        """A known key without a signature is only told to be one."""
        key = self._keys.get(credentials.blob)
        if key is None or credentials.username != self._user:
            raise UnauthorizedLogin
        if credentials.signature is None:
            raise ValidPublicKey
        if not key.verify(credentials.signature, credentials.sigData):
            raise UnauthorizedLogin
        return credentials.username


class _Server(SSHServerTransport):
    _log = Quiet()  # type: ignore[assignment]


class SshHost(SSHFactory):
    """A host at which `user` may log in with one of `keys` (public ones) and is answered by `answers`.

    `key` is the host's own. Listens wherever a reactor is told to; `reactor` calls the answers.
    """

    noisy = False
    protocol = _Server

    def __init__(self, key: Any, user: str, keys: Sequence[Any], answers: Answers, reactor: Any) -> None:
        self.publicKeys = {key.sshType(): key.public()}
        self.privateKeys = {key.sshType(): key}
        self.primes: Any = None
        self.portal = Portal(_Realm(answers, reactor.callLater), [_Keys(user, [key.public() for key in keys])])


def known_line(place: str, key: Any) -> str:
    """A line of known_hosts."""
    return f"{place} {key.public().toString('openssh').decode().strip()}\n"


def proc_uptime(seconds: Callable[[], float], boot: str) -> Answers:
    """A host that prints its uptime, and fails at everything else."""

    def answers(command: bytes) -> Said:
        if not command.startswith(b"cat /proc/uptime"):
            return Said(127, b"", b"not found\n")
        return Said(0, f"{seconds():.2f} 1.00\n{boot}\n".encode(), b"")

    return answers
