"""Events as they become durable, to whoever keeps `GET /api/live` open (Server-Sent Events).

The last events stand in one ring that all clients share; a client is no more than a place in it and a filter. So one
that does not read costs nothing but its place: what leaves the ring meanwhile is counted, and told in a frame `missed`.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import json
from twisted.application.service import Service
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from monitor436.agent.event import SEVERITIES
from monitor436.model.event import Event, Severity
from monitor436.model.keys.tries import whose
from monitor436.web.ring import RING, Filter, Ring
from monitor436.web.route import Call, Outlet, Query, Refusal, Route

FLUSH = 0.1  # seconds for which events are gathered: a storm becomes few writes
BURST = 200  # events that one client gets in one go; of more the newest, and a count of the others
KEEP_ALIVE = 15.0  # seconds after which a comment is sent, so that proxies and clients see that all is well
DEAF = 120.0  # seconds for which a client may not read, until it is let go
LIFE = 600.0  # seconds of a stream; then the client comes again, and is asked anew who it is
STREAMS = 64  # clients at once ...
EACH = 16  # ... of them of one reader: a team that shares a token; the others are never without a place
HEADERS = MappingProxyType({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})  # nginx would gather frames
MOST_FILTER = 512  # characters

Who = tuple[str, str]  # a reader: the name of its token, certificate or session; where it shows none its address


@implementer(IPushProducer)
class Listener:
    """One client: its place in the ring. `place` -1: it was away for longer than anybody knows."""

    content_type = "text/event-stream"
    headers: Mapping[str, str] = HEADERS

    def __init__(self, live: "Live", wanted: Filter, place: int, who: Who) -> None:
        self.who = who
        self.wanted = wanted
        self.place = place
        self.paused_at: float | None = None
        self.outlet: Outlet | None = None
        self._live = live
        self._ends_at = live.now() + LIFE

    def begin(self, outlet: Outlet) -> None:
        """The client is there; it is told where it stands, and what it missed if it says what it had."""
        self.outlet = outlet
        self._live.join(self)
        outlet.registerProducer(self, True)
        if self.outlet is not None:
            self.outlet.write(self._live.greeting(self.place))
            if self.place < 0:
                self.place = self._live.ring.next
            self.flush()

    def end(self) -> None:
        """It left."""
        self.outlet = None
        self._live.leave(self)

    def alive(self, now: float) -> None:
        """Some time has passed: tell it that all is well, or let it go if it is deaf or was there for long."""
        if now >= self._ends_at or (self.paused_at is not None and now - self.paused_at >= DEAF):
            self.close()
        elif self.paused_at is None and self.outlet is not None:
            self.outlet.write(b": \n\n")

    def close(self) -> None:
        """End it from this side; the client goes on from its cursor."""
        outlet = self.outlet
        if outlet is not None:
            self.end()
            outlet.unregisterProducer()
            outlet.finish()

    def pauseProducing(self) -> None:
        """It does not read: nothing is written until it does."""
        if self.paused_at is None:
            self.paused_at = self._live.now()

    def resumeProducing(self) -> None:
        """It reads again."""
        self.paused_at = None
        self.flush()

    def stopProducing(self) -> None:
        """The connection is gone."""
        self.end()

    def flush(self) -> None:
        """Write what it has not had, as far as it reads: in one piece, and of very much the newest."""
        if self.outlet is None or self.paused_at is not None:
            return
        ring = self._live.ring
        found: deque[tuple[int, Event]] = deque(maxlen=BURST)
        missed = max(0, ring.first - self.place)
        for number, event in ring.since(self.place):
            if self.wanted.wants(event):
                missed += len(found) == BURST
                found.append((number, event))
        self.place = ring.next
        self._live.dropped += missed
        frames = [ring.frame(number, event) for number, event in found]
        if missed:
            frames.insert(0, _missed(missed))
        if frames:
            self.outlet.write(b"".join(frames))


class Live(Service):
    """Takes durable events from the bus, and tells clients. `server` is what it calls itself to them."""

    def __init__(
        self, server: str, boot: str, reactor: Any, most: int = STREAMS, ring: int = RING, each: int = EACH
    ) -> None:
        self.setName("live")
        self.ring = Ring(boot, ring)
        self.dropped = 0  # frames that clients did not get as they came
        self._server = server
        self._reactor = reactor
        self._most, self._each = most, each
        self._listeners: set[Listener] = set()
        self._of: Counter[Who] = Counter()
        self._flush: Any = None
        self._tick: Any = None

    def __len__(self) -> int:
        return len(self._listeners)

    def now(self) -> float:
        """Seconds of the clock that counts how long a client has not read."""
        return float(self._reactor.seconds())

    def stopService(self) -> None:
        super().stopService()
        for listener in list(self._listeners):
            listener.close()

    def heard(self, events: Sequence[Event]) -> None:
        """These events are durable."""
        if self.ring.take(events) and self._listeners and self._flush is None:
            self._flush = self._reactor.callLater(FLUSH, self._flush_all)

    def stream(self, wanted: Filter, cursor: str = "", who: Who = ("", "")) -> Listener:
        """A client of a reader, not connected yet. Raises Refusal if there are too many, or too many of this reader."""
        if len(self._listeners) >= self._most:
            raise Refusal(503, "Too many streams", f"{self._most} clients listen already", {"Retry-After": "10"})
        if self._of[who] >= self._each:
            name = who[0] or who[1]
            why = f"{name} has {self._each} streams open already"
            raise Refusal(429, "Too many streams", why, {"Retry-After": "10"})
        return Listener(self, wanted, self.ring.place(cursor) if cursor else self.ring.next, who)

    def join(self, listener: Listener) -> None:
        """A client is connected."""
        self._listeners.add(listener)
        self._of[listener.who] += 1
        if self._tick is None:
            self._tick = self._reactor.callLater(KEEP_ALIVE, self._keep_alive)

    def leave(self, listener: Listener) -> None:
        """It is not any more."""
        if listener in self._listeners:
            self._listeners.remove(listener)
            self._of[listener.who] -= 1
            if not self._of[listener.who]:
                del self._of[listener.who]
        if not self._listeners:
            for name in ("_flush", "_tick"):
                call = getattr(self, name)
                if call is not None:
                    call.cancel()
                setattr(self, name, None)

    def greeting(self, place: int) -> bytes:
        """The first frame: who speaks and since when; `known` is False if what the client had is of another run."""
        told = {"server": self._server, "boot": self.ring.boot, "known": place >= 0}
        cursor = self.ring.cursor(place if place >= 0 else self.ring.next)
        return f"retry: 2000\nid: {cursor}\nevent: hello\ndata: ".encode() + _encoder.encode(told) + b"\n\n"

    def _flush_all(self) -> None:
        self._flush = None
        for listener in list(self._listeners):
            listener.flush()
        self.ring.sent()

    def _keep_alive(self) -> None:
        self._tick = self._reactor.callLater(KEEP_ALIVE, self._keep_alive)
        for listener in list(self._listeners):
            listener.alive(self.now())


def routes(live: Live) -> list[Route]:
    """The one page of this module."""

    async def answer(call: Call) -> Listener:
        query = call.query
        kinds = frozenset(filter(None, query["kind"].split(",")))
        hosts = tuple(filter(None, query["host"].split(",")))
        severity = SEVERITIES.index(query["severity"])
        cursor = call.headers.get("last-event-id", "") or query["after"]
        name = call.identity.name
        who = name, "" if name else whose(call.address)
        return live.stream(Filter(kinds, severity, hosts, query["text"].casefold()), cursor[:MOST_FILTER], who)

    query = {
        "kind": Query(str, "only these kinds, between commas", "", 0, MOST_FILTER),
        "host": Query(str, 'only these hosts: patterns such as "web*", between commas', "", 0, MOST_FILTER),
        "severity": Query(Severity, "this or worse", "info"),
        "text": Query(str, "what stands in the text, host, kind or check, in any case", "", 0, MOST_FILTER),
        "after": Query(str, "the id of the last frame had, where Last-Event-ID cannot be sent", "", 0, MOST_FILTER),
    }
    summary = "Events as they become durable, as Server-Sent Events; metrics are left out"
    return [
        Route(
            "GET", "/api/live", "read", answer, summary, query=query,
            refuses={429: "Too many streams of one reader.", 503: "Too many clients listen already."},
            content_type=Listener.content_type,
        )
    ]  # fmt: skip


def _missed(count: int) -> bytes:
    return b'event: missed\ndata: {"missed":%d}\n\n' % count


_encoder = json.Encoder()
