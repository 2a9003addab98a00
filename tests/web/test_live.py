"""Live events, over transports in memory: who gets what, who missed what, and what those cost who do not read."""

import json
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from monitor436.model.event import Event, Severity
from monitor436.model.settings.http import Http
from monitor436.web.live import BURST, DEAF, FLUSH, KEEP_ALIVE, LIFE, Live, Who, routes
from monitor436.web.ring import Filter
from monitor436.web.route import Call, Refusal
from tests.web.conversation import TOKENS, Conversation, ask, door, request


class Outlet(StringTransport):
    """The answer to a client that is connected."""

    def finish(self) -> None:
        """The end of the answer."""
        self.loseConnection()

    def frames(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(event, id, data) of each frame since the last call."""
        told, found = self.value().decode(), []
        self.clear()
        for block in told.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
            if lines:
                found.append((lines["event"], lines.get("id", ""), json.loads(lines["data"])))
        return found

    def texts(self) -> list[str]:
        """The texts of the events, and how many were missed."""
        frames = [frame for frame in self.frames() if frame[0] != "hello"]
        return [data["text"] if event == "event" else f"missed {data['missed']}" for event, _, data in frames]


def event(text: str, kind: str = "host_down", host: str = "web1", severity: Severity = "critical") -> Event:
    """One that became durable."""
    return Event(kind=kind, host=host, text=text, severity=severity)


class LiveTests(SynchronousTestCase):
    """A bus on one side, clients on the other."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.live = self.started()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.live.stopService())

    def started(self, **limits: int) -> Live:
        """A service that listens to the bus."""
        live = Live("srv", "b00t", self.clock, **limits)
        live.startService()
        return live

    def client(self, wanted: Filter | None = None, cursor: str = "", who: Who = ("", "")) -> Outlet:
        """A client that is connected."""
        outlet = Outlet()
        outlet.listener = self.live.stream(wanted or Filter(), cursor, who)  # type: ignore[attr-defined]
        outlet.listener.begin(outlet)  # type: ignore[attr-defined]
        return outlet

    def tell(self, *events: Event) -> None:
        """These became durable, and the moment passed for which they are gathered."""
        self.live.heard(events)
        self.clock.advance(FLUSH)

    def numbered(self, numbers: Sequence[int]) -> list[Event]:
        """Events with these numbers as texts."""
        return [event(str(number)) for number in numbers]

    def test_a_client_is_greeted_and_told_each_event_in_order(self) -> None:
        """With the id from which it goes on."""
        client = self.client()
        kind, cursor, hello = client.frames()[0]
        self.assertEqual((kind, cursor, hello["server"], hello["known"]), ("hello", "b00t.0", "srv", True))
        self.tell(event("a"), event("b"))
        frames = client.frames()
        self.assertEqual([(cursor, data["text"]) for _, cursor, data in frames], [("b00t.1", "a"), ("b00t.2", "b")])

    def test_only_what_passes_the_filter_is_sent(self) -> None:
        """By kind, severity, host and a word; a metric never is."""
        kinds, bad = self.client(Filter(kinds=frozenset({"log_line"}))), self.client(Filter(severity=1))
        hosts, word = self.client(Filter(hosts=("db*",))), self.client(Filter(text="fire"))
        self.tell(
            event("line", "log_line", "db1", "info"),
            event("gone", "host_down", "web1"),
            event("Disk on FIRE", "reported", "web2", "warning"),
            event("load 1", "metric", "db1", "info"),
        )
        self.assertEqual(kinds.texts(), ["line"])
        self.assertEqual(bad.texts(), ["gone", "Disk on FIRE"])
        self.assertEqual(hosts.texts(), ["line"])
        self.assertEqual(word.texts(), ["Disk on FIRE"])

    def test_who_comes_again_goes_on_where_it_was(self) -> None:
        """Nothing twice, nothing left out."""
        client = self.client()
        self.tell(*self.numbered(range(3)))
        cursor = client.frames()[-2][1]
        client.listener.end()  # type: ignore[attr-defined]
        self.live.heard(self.numbered(range(3, 6)))
        self.assertEqual(self.client(cursor=cursor).texts(), ["2", "3", "4", "5"])

    def test_a_cursor_of_another_run_is_said_to_be_unknown(self) -> None:
        """So that the client reads the pages again."""
        self.live.heard(self.numbered(range(3)))
        for cursor in ("other.1", "b00t.x", "b00t.", "…"):
            client = self.client(cursor=cursor)
            frames = client.frames()
            self.assertEqual((len(frames), frames[0][2]["known"]), (1, False))

    def test_what_left_the_ring_is_counted(self) -> None:
        """A client that comes back too late is told how much it missed."""
        self.live = self.started(ring=10)
        self.live.heard(self.numbered(range(25)))
        self.assertEqual(self.client(cursor="b00t.5").texts(), ["missed 10", *map(str, range(15, 25))])

    def test_a_client_that_does_not_read_gets_nothing_until_it_does(self) -> None:
        """However much happens meanwhile: then the newest, and a count."""
        client = self.client()
        client.frames()
        client.producer.pauseProducing()  # type: ignore[union-attr]
        for _ in range(100):
            self.tell(*self.numbered(range(1000)))
        self.assertEqual(client.value(), b"")
        client.producer.resumeProducing()  # type: ignore[union-attr]
        texts = client.texts()
        self.assertEqual(texts, [f"missed {100_000 - BURST}", *map(str, range(1000 - BURST, 1000))])
        self.assertEqual(self.live.dropped, 100_000 - BURST)
        self.tell(event("next"))
        self.assertEqual(client.texts(), ["next"])

    def test_who_never_reads_is_let_go(self) -> None:
        """Its place is for others."""
        client = self.client()
        client.producer.pauseProducing()  # type: ignore[union-attr]
        self.clock.pump([KEEP_ALIVE] * round(DEAF / KEEP_ALIVE + 1))
        self.assertTrue(client.disconnecting)
        self.assertEqual(len(self.live), 0)

    def test_a_quiet_stream_is_kept_alive_and_ends_some_day(self) -> None:
        """So that who has no right any more hears no more."""
        client = self.client()
        client.clear()
        self.clock.advance(KEEP_ALIVE)
        self.assertEqual(client.value(), b": \n\n")
        self.clock.pump([KEEP_ALIVE] * round(LIFE / KEEP_ALIVE))
        self.assertTrue(client.disconnecting)

    def test_a_storm_is_few_writes(self) -> None:
        """Batches within a moment are one."""
        client = self.client()
        client.clear()
        for number in range(50):
            self.live.heard([event(str(number))])
        self.assertEqual(client.value(), b"")
        self.clock.advance(FLUSH)
        self.assertEqual(len(client.texts()), 50)

    def test_there_are_not_more_clients_than_agreed(self) -> None:
        """The next is refused with 503, until one leaves."""
        self.live = self.started(most=2)
        first, _ = self.client(), self.client()
        with self.assertRaises(Refusal) as refused:
            self.client()
        self.assertEqual(refused.exception.status, 503)
        first.listener.end()  # type: ignore[attr-defined]
        self.client()

    def test_one_reader_does_not_take_the_places_of_the_others(self) -> None:
        """Its next stream is refused with 429, until one of its own ends; nothing is kept of who is gone."""
        self.live = self.started(each=2)
        first, _ = self.client(who=("team", "")), self.client(who=("team", ""))
        with self.assertRaises(Refusal) as refused:
            self.client(who=("team", ""))
        self.assertEqual((refused.exception.status, refused.exception.headers["Retry-After"]), (429, "10"))
        self.assertIn("team", refused.exception.detail)
        others = self.client(who=("", "192.0.2.1"))
        others.listener.end()  # type: ignore[attr-defined]
        first.listener.close()  # type: ignore[attr-defined]
        self.client(who=("team", ""))
        self.assertEqual(dict(self.live._of), {("team", ""): 2})

    def test_the_end_of_the_server_ends_every_stream(self) -> None:
        """And nothing is written after it."""
        client = self.client()
        self.live.stopService()
        self.assertTrue(client.disconnecting)
        client.clear()
        self.live.heard([event("late")])
        self.assertEqual(client.value(), b"")

    def test_an_event_is_one_frame_whatever_it_says(self) -> None:
        """Line ends in a text are none in the stream."""
        client = self.client()
        client.frames()
        self.tell(event("a\n\nevent: hello\r\ndata: {}\u2028 \u202e"))
        self.assertEqual(client.texts(), ["a\n\nevent: hello\r\ndata: {}\u2028 \u202e"])


class PageTests(SynchronousTestCase):
    """What stands in the address."""

    def test_the_page_reads_its_filter_and_cursor(self) -> None:
        """Last-Event-ID is stronger than `after`: it is what the browser had last."""
        live = Live("srv", "b00t", Clock())
        live.heard([event("a"), event("b")])
        (route,) = routes(live)
        query = {name: parameter.default for name, parameter in route.query.items()}
        query |= {"kind": "host_up,host_down", "host": "web*", "severity": "warning", "after": "b00t.0", "text": "Fire"}
        call = Call("GET", "/api/live", query=query, headers={"last-event-id": "b00t.1"})
        listener = self.successResultOf(Deferred.fromCoroutine(route.answer(call)))  # type: ignore[arg-type]
        wanted = Filter(frozenset({"host_up", "host_down"}), 1, ("web*",), "fire")
        self.assertEqual((listener.wanted, listener.place), (wanted, 1))


class DoorTests(SynchronousTestCase):
    """The stream behind the real door."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.live = Live("srv", "b00t", self.clock)
        self.door = door(*routes(self.live), clock=self.clock)

    def listening(self, room: int | None = None) -> Conversation:
        """A client whose connection is full after so many bytes."""
        talk = Conversation(self.door)
        talk.wire.room = room
        talk.send(request("GET", "/api/live", TOKENS["reader"]))
        return talk

    def test_frames_pass_the_door_as_they_come(self) -> None:
        """With the headers that keep proxies from gathering them; who leaves is forgotten."""
        talk = self.listening()
        self.assertIn(b"Content-Type: text/event-stream", talk.wire.value())
        self.assertIn(b"X-Accel-Buffering: no", talk.wire.value())
        talk.wire.clear()
        self.live.heard([event("a")])
        self.clock.advance(FLUSH)
        self.assertIn(b'"text":"a"', talk.wire.value())
        talk.leave()
        self.assertEqual(len(self.live), 0)

    def test_a_client_that_never_reads_is_written_no_more_than_its_connection_takes(self) -> None:
        """However long a storm blows; and after a while its place is free."""
        talk = self.listening(room=2000)
        for _ in range(50):
            self.live.heard([event(str(number)) for number in range(1000)])
            self.clock.advance(FLUSH)
        self.assertLess(len(talk.wire.value()), 100_000)
        self.clock.pump([KEEP_ALIVE] * round(DEAF / KEEP_ALIVE + 1))
        self.assertEqual(len(self.live), 0)

    def test_a_reader_is_known_by_its_token_and_without_one_by_its_address(self) -> None:
        """Two addresses of one token are one reader, two addresses without any are two; the answer is a problem."""
        self.live = Live("srv", "b00t", self.clock, each=1)
        self.door = door(*routes(self.live), http=Http(without_token=("read",)), clock=self.clock)
        for address, token, status in (
            ("192.0.2.1", TOKENS["reader"], 200),
            ("192.0.2.2", TOKENS["reader"], 429),
            ("192.0.2.1", "", 200),
            ("192.0.2.1", "", 429),
            ("2001:db8::1", "", 200),
            ("2001:db8::2", "", 429),
            ("192.0.2.1", TOKENS["boss"], 200),
        ):
            talk = Conversation(self.door, address)
            talk.send(request("GET", "/api/live", token))
            head = talk.wire.value()
            self.assertIn(b"%d " % status, head.partition(b"\r\n")[0], (address, token))
            self.assertEqual(b"application/problem+json" in head, status == 429)

    def test_without_a_token_there_is_no_stream_and_a_head_has_no_end_to_wait_for(self) -> None:
        """401; and the headers alone."""
        self.assertEqual(ask(self.door, "GET", "/api/live").status, 401)
        head = ask(self.door, "HEAD", "/api/live", TOKENS["reader"])
        self.assertEqual((head.status, len(self.live)), (200, 0))
