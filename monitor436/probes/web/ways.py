"""How Twisted's HTTP client gets to a server on our terms: our names, addresses that are allowed, told phases."""

from collections.abc import Callable
from typing import Any

from twisted.internet import ssl
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IHandshakeListener, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure as Problem
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory
from zope.interface import alsoProvides, implementer

from monitor436.probes.names import Names
from monitor436.probes.probe import Failure
from monitor436.probes.web.connection import lost_in_handshake, not_connected
from monitor436.probes.web.exchange import MOST_ADDRESSES
from monitor436.probes.web.hops import is_inside
from monitor436.probes.web.reading import MOST_HEAD


class Way:
    """One exchange on its way: in which `phase` it is, and whether it may go `inside`, see `is_inside`.

    `encoding`: how the body of the last answer is packed; `abort()` ends the connection over which it comes.
    """

    def __init__(self, reactor: Any, names: Names, creator: Callable[[str], Any], within: float) -> None:
        self.reactor = reactor
        self.names = names
        self.creator = creator
        self.within = within  # seconds of the exchange, of which each address of a name has its share
        self.inside = True
        self.phase = "name"
        self.encoding = b""
        self.abort: Callable[[], object] = _nothing


def _nothing() -> None:
    pass


async def addresses_of(host: str, way: Way) -> list[str]:
    """Of a name, or an address itself. Raises Failure."""
    way.phase = "name"
    if isIPAddress(host) or isIPv6Address(host):
        return [host]
    return (await way.names.addresses(host))[:MOST_ADDRESSES]


def agent_on(way: Way, pool: HTTPConnectionPool) -> IAgent:
    """What treq asks through."""
    return _Plain(Agent.usingEndpointFactory(way.reactor, _Doors(way), pool), way)


def why_no_answer(problem: Exception, way: Way) -> Failure:
    """The class of what treq raised: its reasons stand within it."""
    inner = [reason for reason in getattr(problem, "reasons", ()) if isinstance(reason, Problem)]
    for reason in inner:
        if isinstance(reason.value, Failure):
            return reason.value
        if isinstance(reason.value, ssl.SSL.Error):  # type: ignore[attr-defined]
            return lost_in_handshake(reason)
    if way.phase == "tls" and inner:
        return lost_in_handshake(inner[0])
    names = ", ".join(dict.fromkeys(reason.type.__name__ for reason in inner if reason.type)) or type(problem).__name__
    if names == "ConnectionAborted":
        return Failure("protocol", f"its header has more than {MOST_HEAD} bytes")
    if names.startswith("Connection"):
        return Failure("protocol", "closed the connection before it answered")
    return Failure("protocol", f"its answer is no good HTTP: {names}")


@implementer(IAgent)
class _Plain:
    """An agent that asks for no packing, and hides it where there is some: treq would unpack it without a bound."""

    def __init__(self, agent: Agent, way: Way) -> None:
        self._agent = agent
        self._way = way

    def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> "Deferred[Any]":
        """As IAgent has it."""
        headers = headers.copy() if headers else Headers()
        headers.setRawHeaders(b"accept-encoding", [b"identity"])
        return self._agent.request(method, uri, headers, bodyProducer).addCallback(self._unpacking)

    def _unpacking(self, response: Any) -> Any:
        said = response.headers.getRawHeaders(b"content-encoding", [])
        self._way.abort = response.abort
        self._way.encoding = b", ".join(said).strip().lower()
        response.headers.removeHeader(b"content-encoding")
        return response


@implementer(IAgentEndpointFactory)
class _Doors:
    """Gives Twisted's agent the endpoint of an address."""

    def __init__(self, way: Way) -> None:
        self._way = way

    def endpointForURI(self, uri: Any) -> "_Door":
        """Nothing is connected yet."""
        return _Door(self._way, uri.host.decode("ascii").strip("[]"), uri.port, uri.scheme == b"https")


@implementer(IStreamClientEndpoint)
class _Door:
    """Connects to the first address of a host that takes it and may be gone to."""

    def __init__(self, way: Way, host: str, port: int, secure: bool) -> None:
        self._way = way
        self._host, self._port, self._secure = host, port, secure

    def connect(self, factory: Any) -> "Deferred[Any]":
        """As IStreamClientEndpoint has it; fails with Failure."""
        return Deferred.fromCoroutine(self._connect(_Watched(factory, self._way, self._secure)))

    async def _connect(self, factory: "_Watched") -> Any:
        way = self._way
        found = await addresses_of(self._host, way)
        allowed = [address for address in found if way.inside or not is_inside(address)]
        if not allowed:
            raise Failure("redirect", f"leads to {self._host} ({found[0]}), which is no place for others to lead us")
        for address in allowed:
            way.phase = "connect"
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint: Any = kind(way.reactor, address, self._port, timeout=way.within / len(allowed))
            if self._secure:
                endpoint = wrapClientTLS(way.creator(self._host), endpoint)
            try:
                made = await maybeDeferred(endpoint.connect, factory)
            except ConnectError as problem:
                if address == allowed[-1]:
                    raise not_connected(problem) from None
                continue
            way.phase = "tls" if self._secure and way.phase == "connect" else "header"
            return made
        raise AssertionError("the last address returns or raises")


class _Watched(Factory):
    """Makes the protocols of another factory: tells when TLS stands, and ends those that send a header for ever."""

    noisy = False

    def __init__(self, factory: Any, way: Way, secure: bool) -> None:
        self._factory = factory
        self._way = way
        self._secure = secure

    def buildProtocol(self, addr: Any) -> Any:
        made = self._factory.buildProtocol(addr)
        if self._secure:
            alsoProvides(made, IHandshakeListener)
            made.handshakeCompleted = self._stands
        _bounded(made)
        return made

    def _stands(self) -> None:
        self._way.phase = "header"


def _bounded(protocol: Any) -> None:
    """Bytes of a header count, as Twisted bounds its lines and not their number."""
    take, request = protocol.dataReceived, protocol.request
    left: list[int] = []  # bytes that a header may still have; empty when it is complete

    def received(data: bytes) -> None:
        take(data)
        if left:
            left[0] -= len(data)
            if left[0] < 0:
                protocol.transport.abortConnection()

    def complete(outcome: Any) -> Any:
        left.clear()
        if not isinstance(outcome, Problem):
            outcome.abort = protocol.transport.abortConnection  # a response has no way to end its connection at once
        return outcome

    def asked(what: Any) -> Any:
        left[:] = [MOST_HEAD]
        return request(what).addBoth(complete)

    protocol.dataReceived, protocol.request = received, asked
