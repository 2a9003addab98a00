"""Asks by HTTP through treq where the plain way does not do: redirects are followed, so many and not everywhere.

Its failures are those of the plain probe. Each exchange has cookies of its own; header fields that were given are sent
to the target's own server only.
"""

from collections.abc import Callable, Iterable
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure as Problem
from twisted.web.client import HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from monitor436.probes.names import Names
from monitor436.probes.probe import Failure, Target
from monitor436.probes.web.bodies import MOST_HELD, SMALL, Bodies
from monitor436.probes.web.exchange import SAYS
from monitor436.probes.web.hops import FOLLOWED, Hop, first, is_inside, onward
from monitor436.probes.web.http import FIELDS, LIMIT, header_field
from monitor436.probes.web.packing import shown, unpacked
from monitor436.probes.web.tls import Creators, TlsOptions
from monitor436.probes.web.ways import Way, addresses_of, agent_on, why_no_answer

KEPT_EACH = 16  # connections of one server that wait for their next request
KEPT = 75.0  # seconds that a connection waits for its next request


class FollowingProbe:
    """At most `follow` redirects, all within the time and the limit of one exchange; the rest as `HttpProbe` has it.

    From a target that is elsewhere nobody is led to addresses of this machine or its link.
    """

    def __init__(
        self,
        reactor: Any,
        timeout: float,
        headers: Iterable[tuple[str, str]] = (),
        tls: TlsOptions | None = None,
        limit: int = LIMIT,
        names: Names | None = None,
        follow: int = 0,
        most_held: int = MOST_HELD,
    ) -> None:
        self.timeout = timeout
        self._reactor = reactor
        self._limit = limit
        self._bodies = Bodies(most_held)
        self._names = names or Names(reactor)
        self._given = dict(header_field(name, value) for name, value in headers)
        self._creators = Creators(tls)
        self._follow = follow
        self._pools = {inside: _pool(reactor) for inside in (False, True)}  # whose connections may lead inside

    async def probe(self, target: Target, within: float | None = None) -> bytes:
        """The body; within `within` seconds, or the time of this probe. Raises Failure."""
        seconds = self.timeout if within is None else within
        way = Way(self._reactor, self._names, self._creators.of, seconds)
        asked = Deferred.fromCoroutine(self._asked(first(target), way))
        expired: list[Failure] = []
        given_up: list[bool] = []

        def give_up(answer: object) -> None:
            """Nobody waits any more; what treq and Twisted make of that is no failure of the target."""
            given_up.append(True)
            asked.cancel()

        answer: Deferred[bytes] = Deferred(give_up)
        asked.addBoth(lambda outcome: None if given_up else answer.callback(outcome))

        def expire() -> None:
            expired.append(Failure(way.phase, f"{SAYS[way.phase]} within {seconds:g} s"))
            asked.cancel()

        call = self._reactor.callLater(seconds, lambda: late())

        def late() -> None:
            nonlocal call
            call = self._reactor.callLater(0, expire)  # what came while this process was busy is read first

        try:
            return await answer
        except (CancelledError, Failure):
            if expired:
                raise expired[0] from None
            raise
        finally:
            if call.active():
                call.cancel()

    async def close(self) -> None:
        """End every connection that waits for the next round."""
        for pool in self._pools.values():
            await pool.closeCachedConnections()

    async def _asked(self, begin: Hop, way: Way) -> bytes:
        way.inside = all(map(is_inside, await addresses_of(begin.host, way)))
        agent = agent_on(way, self._pools[way.inside])
        client = HTTPClient(agent)  # with cookies of its own
        hop = begin
        for count in range(self._follow + 1):
            response = await self._response(client, agent, hop, way, hop.like(begin))
            location = response.headers.getRawHeaders(b"location", [b""])[0]
            if response.code not in FOLLOWED or not location or count == self._follow:
                return await self._body(response, location, way)
            await self._whole(response, way)
            hop = onward(hop, location)
        raise AssertionError("the last hop returns")

    async def _response(self, client: HTTPClient, agent: Any, hop: Hop, way: Way, ours: bool) -> Any:
        fields = {**FIELDS, **(self._given if ours else {})}
        if ours and hop.login and "authorization" not in {name.lower() for name in fields}:
            fields["Authorization"] = hop.login
        headers = Headers({name.encode("ascii"): [value.encode("latin-1")] for name, value in fields.items()})
        way.phase = "header"
        try:
            response: Any
            if ":" in hop.host:  # treq takes an IPv6 address for a name
                response = await agent.request(b"GET", hop.url.encode("ascii"), headers, None)
            else:
                response = await client.get(
                    hop.url, headers=headers, allow_redirects=False, unbuffered=True, reactor=self._reactor
                )
        except (Failure, CancelledError):
            raise
        except Exception as problem:
            raise why_no_answer(problem, way) from None
        way.phase = "body"
        return response

    async def _body(self, response: Any, location: bytes, way: Way) -> bytes:
        code = response.code
        if not 200 <= code < 300:
            self._drop(response, way)
            if 300 <= code < 400:
                where = f" to {shown(location)}" if location else ""
                often = f"{self._follow} times and then " if self._follow else ""
                raise Failure("redirect", f"answers {code}, which leads elsewhere {often}{where}".replace("  ", " "))
            if code == 101 or not 400 <= code < 600:
                raise Failure("protocol", f"answers {code}, which is no answer to a question")
            raise Failure("status", f"answers {code} {shown(response.phrase)}".rstrip())
        body = await self._whole(response, way)
        return unpacked(body, way.encoding, self._limit)

    async def _whole(self, response: Any, way: Way) -> bytes:
        """The body as it was sent. Raises Failure."""
        length = response.length if isinstance(response.length, int) else None
        if length is not None and length > self._limit:
            self._drop(response, way)
            raise Failure("too_long", f"its body has {length} bytes, more than {self._limit}")
        body = _Body(self._limit, length, way.abort, self._bodies)
        response.deliverBody(body)
        return await body.done

    def _drop(self, response: Any, way: Way) -> None:
        """Its body is of no interest: the connection ends, unless all of it is here."""
        body = _Body(0, None, way.abort, self._bodies)
        body.done.addErrback(lambda problem: None)
        response.deliverBody(body)
        body.done.cancel()


class _Body(Protocol):
    """Collects a body as there is room for it among `bodies`; one longer than `limit` ends with its connection.

    `length` bytes, where that is told; `abort` ends the connection at once: over TLS it would wait for a farewell.
    """

    def __init__(self, limit: int, length: int | None, abort: Callable[[], object], bodies: Bodies) -> None:
        self.done: Deferred[bytes] = Deferred(self._cancelled)
        self._limit = limit
        self._length = length
        self._abort = abort
        self._bodies = bodies
        self._large = False
        self._taken = bytearray()

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        self._taken += data
        if len(self._taken) > self._limit:
            self._ends(Failure("too_long", f"its body has more than {self._limit} bytes"))
        elif max(len(self._taken), self._length or 0) > SMALL:
            self._large = True
            self._bodies.want(self.transport, self._length or self._limit)

    def connectionLost(self, reason: Problem = connectionDone) -> None:
        if reason.check(ResponseDone, PotentialDataLoss):
            self._ends(None)
        else:
            self._ends(Failure("protocol", f"closed the connection after {len(self._taken)} bytes of its body"))

    def _ends(self, failure: Failure | None) -> None:
        if self.done.called:
            return
        self._leave()
        if failure is None:
            self.done.callback(bytes(self._taken))
        else:
            self.done.errback(Problem(failure))
            self._abort()

    def _cancelled(self, done: object) -> None:
        self._leave()
        self._abort()

    def _leave(self) -> None:
        if self._large:
            self._bodies.leave(self.transport)


def _pool(reactor: Any) -> HTTPConnectionPool:
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = KEPT_EACH
    pool.cachedConnectionTimeout = KEPT  # type: ignore[assignment]
    return pool
