"""Runs one command on hosts over ssh, in this process: a deadline for each phase, and one for everything.

A target's URL is `ssh://user@host:port`. The body of an answer is what `model.remote.write_said` makes.
"""

import getpass
import os
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure as Problem

from monitor436.model.sweep.remote import Said, write_said
from monitor436.model.sweep.uptime import COMMAND
from monitor436.probes.names import Names
from monitor436.probes.probe import Failure, Target
from monitor436.probes.ssh.command import LIMIT, Command
from monitor436.probes.ssh.keys import PrivateKey
from monitor436.probes.ssh.known_hosts import CHANGED, KNOWN, REVOKED, KnownHosts
from monitor436.probes.ssh.login import Login
from monitor436.probes.ssh.ring import KeyRing
from monitor436.probes.ssh.transport import Calling, Transport

MOST_ADDRESSES = 4  # of one name that are tried
SAYS = {
    "name": "its name was not looked up",
    "connect": "no connection came about",
    "banner": "it did not say that it speaks ssh",
    "key_exchange": "keys were not agreed on",
    "authentication": "it did not say whether it lets this user in",
    "command": "the command did not end",
}  # a phase of a conversation, and what is said when its time ends


class Limits(NamedTuple):
    """Seconds that each phase may take; all of them together have the time of the probe."""

    name: float = 5.0
    connect: float = 5.0
    banner: float = 5.0
    key_exchange: float = 5.0
    authentication: float = 10.0
    command: float = 10.0


USUAL = Limits()


class SshProbe:
    """Asks hosts by `command`. `timeout`: seconds for everything from the look-up of the name to the last byte.

    `accept_new`: hosts that are not known yet are believed, and known from then on.
    """

    def __init__(
        self,
        reactor: Any,
        timeout: float,
        ring: KeyRing,
        known: KnownHosts,
        command: str = COMMAND,
        user: str = "",
        accept_new: bool = False,
        limits: Limits = USUAL,
        limit: int = LIMIT,
        names: Names | None = None,
    ) -> None:
        self.timeout = timeout
        self.reactor = reactor
        self.ring = ring
        self.known = known
        self.command = command.encode()
        self.accept_new = accept_new
        self.limits = limits
        self.limit = limit
        self.names = names or Names(reactor)
        self._user = user

    async def probe(self, target: Target, within: float | None = None) -> bytes:
        """What the command left, as `model.remote` reads it. Raises Failure."""
        user = urlsplit(target.url).username or self._user or whoever()
        await self.ring.open()
        conversation = _Conversation(self, target, user, self.timeout if within is None else within)
        try:
            return write_said(await conversation.hold())
        finally:
            conversation.over()

    async def close(self) -> None:
        """No connection is kept but that to the agent."""
        self.ring.close()


class _Conversation:
    """One host being asked: how far it is, and its deadline."""

    def __init__(self, probe: SshProbe, target: Target, user: str, within: float) -> None:
        self._probe = probe
        self._target = target
        self._user = user
        self._reactor = probe.reactor
        self._end = self._reactor.seconds() + within
        self._within = within
        self._phase = ""
        self._limit = 0.0
        self._waits: Deferred[Any] | None = None
        self._said: Deferred[Said] = Deferred()
        self._calling: Calling | None = None
        self._transport: Transport | None = None
        self._new: tuple[str, bytes] | None = None  # a key to be known by, if the host proves that it is its own
        self._call = self._reactor.callLater(within, self._expire)
        self.phase("name")

    async def hold(self) -> Said:
        """Connect, and wait for what the host says."""
        target = self._target
        addresses = [target.host]
        if not isIPAddress(target.host) and not isIPv6Address(target.host):
            self._waits = self._probe.names.addresses(target.host)
            addresses = (await self._waits)[:MOST_ADDRESSES]
        for count, address in enumerate(addresses, 1):
            self.phase("connect")
            types = self._probe.known.types(target.host, target.port)
            self._calling = Calling(lambda types=types: Transport(self, types, self._probe.limit))  # type: ignore[misc]
            self._waits = self._calling.start(self._reactor, address, target.port, self._share(len(addresses) - count))
            try:
                self._transport = await self._waits
            except Failure:
                if count == len(addresses) or self._call is None:
                    raise
                continue
            self._waits = self._said
            return await self._said
        raise Failure("name", f"{target.host} has no address")

    def _share(self, others: int) -> float | None:
        """Seconds for one address: whoever has others must not take the time of all."""
        left: float = min(self._limit, self._end - self._reactor.seconds())
        return max(0.01, left / (1 + others)) if others else None

    def over(self) -> None:
        """Nothing more is waited for."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        if self._calling is not None:
            self._calling.stop()
        if self._transport is not None:
            self._transport.abort()

    # What a transport tells.

    def phase(self, name: str) -> None:
        """From now on it has the time of this phase."""
        if name == self._phase:
            return
        self._phase = name
        self._limit = getattr(self._probe.limits, name)
        if self._call is not None and self._call.active():
            self._call.reset(max(0.0, min(self._limit, self._end - self._reactor.seconds())))

    def failed(self, failure: Failure) -> None:
        """It failed."""
        if not self._said.called:
            self._said.errback(Problem(failure))

    def lost(self, why: str) -> None:
        """The host ended it, in whatever phase it was."""
        self.failed(Failure(self._phase, f"{why} before {AIMS[self._phase]}"))

    def trusts(self, type: str, blob: bytes) -> None:
        """By known_hosts; a new one as it was said."""
        target, known = self._target, self._probe.known
        judged = known.judge(target.host, target.port, type, blob)
        if judged == KNOWN:
            return
        if judged == REVOKED:
            raise Failure("host_key", f"shows a {type} key that was revoked")
        if judged == CHANGED:
            raise Failure("host_key", f"shows a {type} key that is not the one it is known by")
        if not self._probe.accept_new:
            raise Failure("host_key", f"is not known: no known_hosts file has its {type} key")
        self._new = type, blob

    def secure(self, transport: Transport) -> None:
        """It has proved that the key is its own."""
        if self._new is not None:
            try:
                self._probe.known.accept(self._target.host, self._target.port, *self._new)
            except OSError as problem:
                transport.refuse("host_key", f"its new key cannot be kept: {problem.strerror}")
                return
        self.phase("authentication")
        place = f"{self._user}@{self._target.host}:{self._target.port}"
        ring = self._probe.ring
        login = Login(self._user, ring.keys(place), ring.lacking, lambda key: self._let_in(place, key), self._refused)
        transport.requestService(login)

    def _let_in(self, place: str, key: PrivateKey) -> None:
        transport = self._transport
        assert transport is not None
        self._probe.ring.worked(place, key)
        self.phase("command")
        transport.setService(Command(self._probe.command, self._probe.limit, self._done, self._refused))

    def _done(self, said: Said) -> None:
        if self._transport is not None:
            self._transport.part()
        if not self._said.called:
            self._said.callback(said)

    def _refused(self, failure: Failure) -> None:
        if self._transport is not None:
            self._transport.part()
        self.failed(failure)

    def _expire(self) -> None:
        self._call = None
        spent = self._within if self._end <= self._reactor.seconds() else self._limit
        failure = Failure(self._phase, f"{SAYS[self._phase]} within {spent:g} s")
        waits, self._waits = self._waits, None
        if waits is not None and not waits.called:
            waits.errback(Problem(failure))


AIMS = {
    "name": "its name was looked up",
    "connect": "the connection stood",
    "banner": "it said that it speaks ssh",
    "key_exchange": "keys were agreed on",
    "authentication": "it let this user in",
    "command": "the command ended",
}


def whoever() -> str:
    """The user who runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
