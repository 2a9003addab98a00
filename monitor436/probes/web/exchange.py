"""One target being asked: how far it is, its one deadline, and the way to a connection."""

from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure as Problem

from monitor436.probes.names import Names
from monitor436.probes.probe import Failure, Target
from monitor436.probes.web.connection import Connecting, Connection
from monitor436.probes.web.stream import Stream

MOST_ADDRESSES = 4  # of one name that are tried

SAYS = {
    "name": "its name was not looked up",
    "connect": "no connection came about",
    "tls": "TLS was not agreed on",
    "header": "it did not begin to answer",
    "body": "it did not end its answer",
}  # a phase of an exchange, and what is said when the time ends in it


def begin(reactor: Any, target: Target) -> Stream | None:
    """A connection on its way to a target, before its exchange; None if the name of its host is to be looked up."""
    return Stream(reactor, target.host, target.port) if _is_address(target.host) else None


def _is_address(host: str) -> bool:
    return isIPAddress(host) or isIPv6Address(host)


class Exchange:
    """Ends with a Failure named by its phase after `within` seconds, unless it is `over` before."""

    __slots__ = ("_call", "_connecting", "_reactor", "_waits", "_within", "connection", "expired")

    def __init__(self, reactor: Any, within: float) -> None:
        self._reactor = reactor
        self._within = within
        self._waits: Deferred[Any] | None = None
        self._connecting: Connecting | None = None
        self.connection: Connection | None = None
        self.expired: Failure | None = None
        self._call = reactor.callLater(within, self._late)

    @property
    def phase(self) -> str:
        """A key of SAYS."""
        if self.connection is not None:
            return "body" if self.connection.begun else "header"
        if self._connecting is not None:
            return "tls" if self._connecting.shaking else "connect"
        return "name"

    def over(self) -> None:
        """The deadline is off."""
        if self._call.active():
            self._call.cancel()

    async def connect(self, target: Target, names: Names, creator: Any, begun: Stream | None = None) -> Connection:
        """A new connection to the first address of the host that takes one; over TLS, if there is a creator for it.

        Or the one that has `begun`, where the host is an address.
        """
        addresses = [target.host]
        if not _is_address(target.host):
            self._waits = names.addresses(target.host)
            addresses = (await self._waits)[:MOST_ADDRESSES]
        for count, address in enumerate(addresses, 1):
            last = count == len(addresses)
            self._connecting = Connecting(creator)
            share = None if last else self._within / len(addresses)
            self._waits = self._connecting.start(self._reactor, address, target.port, share, begun)
            try:
                self.connection = await self._waits
            except Failure:
                if self.expired or last:
                    raise
                continue
            return self.connection
        raise Failure("name", f"{target.host} has no address")

    def _late(self) -> None:
        """What came while this process had something else to do is read first."""
        self._call = self._reactor.callLater(0, self._expire)

    def _expire(self) -> None:
        phase = self.phase
        self.expired = Failure(phase, f"{SAYS[phase]} within {self._within:.3g} s")
        if self.connection is not None:
            self.connection.fail(self.expired)
        elif self._waits is not None:
            if self._connecting is not None:
                self._connecting.stop()
            self._waits.errback(Problem(self.expired))
