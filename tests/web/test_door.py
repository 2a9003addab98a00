"""The HTTP door over connections in memory: what passes, what is refused and how, and what takes too long."""

import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.model.settings.http import Http
from monitor436.web import channel, request
from monitor436.web.route import Answer, Call, Identity, Query, Refusal, Route
from tests.web.conversation import TOKENS, WEB1, Answered, Conversation, ask, door
from tests.web.conversation import request as written

READER, WRITER, BOSS, LATE = (TOKENS[name] for name in ("reader", "writer", "boss", "late"))
SMALL = 200  # bytes of a body


class Shape(Struct, forbid_unknown_fields=True):
    """A body."""

    host: str
    values: dict[str, float] = {}


async def echo(call: Call) -> dict[str, Any]:
    """What came in."""
    return {"values": call.values, "query": call.query, "body": call.body, "who": call.identity.name, "root": call.root}


def routes(**answers: Callable[[Call], Awaitable[Any]]) -> list[Route]:
    """Some routes; `get` and `post` are their answers."""
    get, post = answers.get("get", echo), answers.get("post", echo)
    most = {
        "most": Query(int, "How many.", 10, 1, 100),
        "kind": Query(str, "", "", 0, 5),
        "deep": Query(bool, "", False),
    }
    return [
        Route("GET", "/api/things", "read", get, "Things.", query=most),
        Route("GET", "/api/things/{thing}", "read", get, "A thing."),
        Route("POST", "/api/things/{thing}", "metrics", post, "Post.", body=Shape, most=SMALL),
        Route("DELETE", "/api/things/{thing}", "admin", get, "Remove."),
        Route("PUT", "/api/raw", "metrics", post, "Bytes.", body=bytes, most=SMALL),
        Route("GET", "/", "", get, "Open."),
    ]


class DoorCase(SynchronousTestCase):
    """A door with some routes, and a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.open()

    def open(self, http: Http | None = None, **answers: Any) -> None:
        """The next door."""
        self.http = http or Http()
        self.door = door(*routes(**answers), http=self.http, clock=self.clock)

    def ask(self, method: str, path: str, token: str = "", body: bytes | None = None, *lines: str) -> Answered:
        """One request."""
        return ask(self.door, method, path, token, body, *lines)

    def refused(self, answered: Answered, status: int, says: str = "") -> None:
        """It is that problem, and told as one."""
        self.assertEqual((answered.status, answered.fields["content-type"]), (status, "application/problem+json"))
        self.assertEqual(answered.value["status"], status)
        self.assertIn(says, answered.value.get("detail", ""))
        self.assertNotIn("Traceback", answered.body.decode())


class AnswerTests(DoorCase):
    """What may pass."""

    def test_a_call_has_everything_decoded_and_typed(self) -> None:
        """Path, query, body, and who asks."""
        found = self.ask("GET", "/api/things?most=7&deep=yes", READER)
        self.assertEqual((found.status, found.value["query"]), (200, {"most": 7, "kind": "", "deep": True}))
        found = self.ask("POST", "/api/things/a%20b%C3%A4", WRITER, b'{"host":"x","values":{"a":1}}')
        self.assertEqual(found.value["values"], {"thing": "a bä"})
        self.assertEqual(found.value["body"], {"host": "x", "values": {"a": 1.0}})
        self.assertEqual((found.value["who"], found.value["root"]), ("writer", "http://127.0.0.1"))
        self.assertEqual(self.ask("GET", "/").status, 200)

    def test_a_path_is_decoded_once(self) -> None:
        """%2541 is %41, not A."""
        self.assertEqual(self.ask("GET", "/api/things/%2541", READER).value["values"], {"thing": "%41"})

    def test_head_is_get_without_a_body(self) -> None:
        """With the length that it would have."""
        got, head = self.ask("GET", "/api/things", READER), self.ask("HEAD", "/api/things", READER)
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.fields["content-length"], str(len(got.body)))

    def test_every_answer_is_safe_to_show_in_a_browser(self) -> None:
        """Refusals too; a page that needs another policy says so itself."""
        for answered in (self.ask("GET", "/"), self.ask("GET", "/nothing")):
            self.assertEqual(answered.fields["x-content-type-options"], "nosniff")
            self.assertIn("default-src 'none'", answered.fields["content-security-policy"])
            self.assertEqual(answered.fields["cache-control"], "no-store")
            self.assertIn("GMT", answered.fields["date"])

        async def page(call: Call) -> Answer:
            return Answer(b"<p>", "text/html", headers={"Content-Security-Policy": "default-src 'self'"})

        self.open(get=page)
        self.assertEqual(self.ask("GET", "/").fields["content-security-policy"], "default-src 'self'")

    def test_requests_of_one_connection_are_answered_in_their_order(self) -> None:
        """Those that come before the answer, too."""
        talk = Conversation(self.door)
        talk.send(written("GET", "/api/things/1", READER) + written("GET", "/api/things/2", READER) + b"GET /api/th")
        self.assertEqual([each.value["values"]["thing"] for each in talk.answers()], ["1", "2"])
        talk.send(written("GET", "/api/things/3", READER)[11:])
        self.assertEqual([each.value["values"]["thing"] for each in talk.answers()], ["3"])
        self.assertFalse(talk.closed)

    def test_a_body_in_chunks_is_one_body(self) -> None:
        """Whatever the pieces."""
        talk = Conversation(self.door)
        for byte in (
            written("PUT", "/api/raw", WRITER, None, "Transfer-Encoding: chunked") + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        ):
            talk.send(bytes([byte]))
        [answered] = talk.answers()
        self.assertEqual((answered.status, answered.value["body"]), (200, "YWJj"))

    def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(self) -> None:
        """Unless the answer is known without it."""
        talk = Conversation(self.door)
        talk.send(b"PUT /api/raw HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        [answered] = talk.answers()
        self.refused(answered, 401)
        talk = Conversation(self.door)
        talk.send(written("PUT", "/api/raw", WRITER, None, "Expect: 100-continue", "Content-Length: 3"))
        self.assertTrue(talk.wire.value().startswith(b"HTTP/1.1 100 "))
        talk.send(b"abc")
        self.assertEqual(talk.answers()[0].status, 200)

    def test_the_host_of_a_token_is_known_to_pages(self) -> None:
        """They refuse it another host's numbers."""

        async def post(call: Call) -> str:
            call.identity.only_for(call.values["thing"])
            return "well"

        self.open(post=post)
        self.assertEqual(self.ask("POST", "/api/things/web1", WEB1, b'{"host":"x"}').status, 200)
        self.refused(self.ask("POST", "/api/things/web2", WEB1, b'{"host":"x"}'), 403, "web1")
        self.assertEqual(self.ask("POST", "/api/things/web2", WRITER, b'{"host":"x"}').status, 200)

    def test_what_is_done_is_counted_by_route(self) -> None:
        """Also what was refused there; what meets no route is one row."""
        self.ask("GET", "/api/things/a", READER)
        self.ask("GET", "/api/things/b")
        self.ask("POST", "/api/things/b", WRITER, b'{"host":"x"}')
        self.ask("GET", "/none")
        rows = {(each.method, each.path): each for each in self.door.measures}
        got = rows["GET", "/api/things/{thing}"]
        self.assertEqual((got.statuses["2xx"], got.statuses["4xx"]), (1, 1))
        posted = rows["POST", "/api/things/{thing}"]
        self.assertEqual(posted.received, len(b'{"host":"x"}'))
        self.assertGreater(posted.sent, 10)
        self.assertEqual(rows["", "none"].statuses["4xx"], 1)


class RefusalTests(DoorCase):
    """What may not."""

    def test_without_a_good_token_nothing_is_told(self) -> None:
        """And how to show one is."""
        for token in ("", "m436_x", LATE, READER[:-1], "m436i_x.y"):
            answered = self.ask("GET", "/api/things", token)
            self.refused(answered, 401)
            self.assertTrue(answered.fields["www-authenticate"].startswith("Bearer"))
        self.refused(self.ask("GET", "/api/things", "", None, "Authorization: Basic YTpi"), 401, "Bearer")

    def test_a_token_is_good_for_its_scopes(self) -> None:
        """An admin's for all of them."""
        self.refused(self.ask("GET", "/api/things", WRITER), 403, "read")
        self.refused(self.ask("DELETE", "/api/things/1", READER), 403, "admin")
        for method, path in (("GET", "/api/things"), ("DELETE", "/api/things/1")):
            self.assertEqual(self.ask(method, path, BOSS).status, 200)

    def test_whoever_guesses_is_told_to_wait_but_good_tokens_of_that_address_are_not(self) -> None:
        """Guessing 256 bits leads nowhere; it shall not fill logs, nor lock out a network."""
        for _ in range(10):
            self.refused(self.ask("GET", "/api/things", "m436_guess"), 401)
        answered = self.ask("GET", "/api/things", "m436_guess")
        self.refused(answered, 429)
        self.assertEqual(answered.fields["retry-after"], "61")
        self.assertEqual(self.ask("GET", "/api/things", READER).status, 200)
        other = Conversation(self.door, "192.0.2.10")
        other.send(written("GET", "/api/things", "m436_guess"))
        self.refused(other.answers()[0], 401)
        self.clock.advance(60)
        self.refused(self.ask("GET", "/api/things", "m436_guess"), 401)

    def test_scopes_that_need_no_token_are_open_to_nobody_in_particular(self) -> None:
        """Others are not, and a wrong token is still wrong."""
        self.open(Http(without_token=("read",)))
        self.assertEqual(self.ask("GET", "/api/things").value["who"], "")
        self.refused(self.ask("POST", "/api/things/1", "", b'{"host":"x"}'), 401)
        self.refused(self.ask("GET", "/api/things", LATE), 401, "expired")

    def test_a_page_of_somebody_else_cannot_use_what_is_open(self) -> None:
        """Neither by a name that leads here, nor by a browser's form. With names in the settings those are ours."""
        self.open(Http(without_token=("read", "metrics"), names=("monitor.example",)))
        for host, status in (
            ("monitor.example:4380", 200),
            ("127.0.0.1:4380", 200),
            ("[::1]:4380", 200),
            ("localhost:4380", 200),
            ("evil.example", 421),
        ):
            talk = Conversation(self.door)
            talk.send(f"GET /api/things HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            self.assertEqual(talk.answers()[0].status, status, host)
        body = b'{"host":"x"}'
        self.refused(self.ask("POST", "/api/things/1", "", body, "Origin: http://evil.example"), 403, "another site")
        self.refused(self.ask("POST", "/api/things/1", "", body, "Sec-Fetch-Site: cross-site"), 403, "another site")
        self.assertEqual(self.ask("POST", "/api/things/1", "", body, "Origin: http://127.0.0.1").status, 200)
        self.assertEqual(self.ask("POST", "/api/things/1", WRITER, body, "Origin: http://evil.example").status, 200)

    def test_a_cookie_changes_things_from_our_own_pages_alone(self) -> None:
        """A browser sends it from any page, but the header only from ours."""
        signed = Identity("me", frozenset({"admin"}), "cookie")
        sessions = {"good": signed}.get
        self.door = door(*routes(), sessions=sessions)
        cookie = "Cookie: other=1; m436=good"
        self.assertEqual(self.ask("GET", "/api/things", "", None, cookie).value["who"], "me")
        self.refused(self.ask("DELETE", "/api/things/1", "", None, cookie), 403, "another site")
        self.assertEqual(self.ask("DELETE", "/api/things/1", "", None, cookie, "X-Monitor436: 1").status, 200)
        evil = "Origin: http://evil.example"
        self.refused(self.ask("DELETE", "/api/things/1", "", None, cookie, "X-Monitor436: 1", evil), 403)
        self.refused(self.ask("GET", "/api/things", "", None, "Cookie: m436=bad"), 401)

    def test_there_are_no_tricks_with_paths(self) -> None:
        """Nothing is guessed at: it is a plain path, or refused."""
        for path, status in (
            ("/api/../api/things", 400),
            ("/api/%2e%2e/things", 400),
            ("/api/things/%2e", 400),
            ("/api/things/a%2fb", 400),
            ("/api/things/a%5cb", 400),
            ("/api/things/a\\b", 400),
            ("/api/things/%00", 400),
            ("/api/things/%0d%0aX: y".replace(" ", "%20"), 400),
            ("/api/things/%ff", 400),
            ("/api/things/%zz", 400),
            ("/api/things/%", 400),
            ("/api/things/a#b", 400),
            ("things", 400),
            ("*", 400),
            ("//api/things", 404),
            ("/api//things", 404),
            ("/api/things/", 404),
            ("/API/things", 404),
            ("/" + "a" * 3000, 414),
        ):
            self.refused(self.ask("GET", path, READER), status)
        self.assertEqual(self.ask("GET", "http://elsewhere/api/things", READER).status, 200)

    def test_another_method_is_told_which_ones_there_are(self) -> None:
        """In the Allow header."""
        answered = self.ask("PATCH", "/api/things/1", BOSS)
        self.refused(answered, 405, "DELETE, GET, HEAD, POST")
        self.assertEqual(answered.fields["allow"], "DELETE, GET, HEAD, POST")
        self.refused(self.ask("OPTIONS", "/api/things", BOSS), 405)
        self.refused(self.ask("CONNECT", "evil.example:443", BOSS), 400)

    def test_parameters_are_held_to_type_and_bounds(self) -> None:
        """And those that nobody knows are mistakes."""
        for query, says in (
            ("most=x", "?most"),
            ("most=0", ">= 1"),
            ("most=101", "<= 100"),
            ("most=1&most=2", "twice"),
            ("kind=abcdef", "length <= 5"),
            ("kind=a%00b", "NUL"),
            ("deep=maybe", "true or false"),
            ("mots=1", "known here: deep, kind, most"),
            ("kind=%ff", "UTF-8"),
            ("&".join(f"a{n}=1" for n in range(40)), "at most 32"),
        ):
            self.refused(self.ask("GET", f"/api/things?{query}", READER), 400, says)

    def test_a_mistake_in_a_body_is_pointed_at(self) -> None:
        """By a JSON pointer, where it is JSON at all."""
        for body, status, pointer in (
            (b"", 400, None),
            (b"{", 400, None),
            (b'{"host":"x"} x', 400, None),
            (b"\xff", 400, None),
            (b"[" * 100 + b"]" * 100, 422, ""),
            (b"[]", 422, ""),
            (b"{}", 422, ""),
            (b'{"host":1}', 422, "/host"),
            (b'{"host":"x","values":{"a":"b"}}', 422, "/values/*"),
            (b'{"host":"x","more":1}', 422, ""),
            (b'{"host":"x","values":{"a":NaN}}', 400, None),
        ):
            answered = self.ask("POST", "/api/things/1", WRITER, body)
            self.refused(answered, status)
            self.assertEqual(answered.value.get("pointer"), pointer, body)

    def test_a_body_that_says_it_is_no_json_is_not_taken_for_it(self) -> None:
        """What curl says of -d by itself is let pass."""
        body = b'{"host":"x"}'
        self.refused(self.ask("POST", "/api/things/1", WRITER, body, "Content-Type: text/xml"), 415, "text/xml")
        for kind in ("application/json; charset=utf-8", "application/x-www-form-urlencoded", "application/a+json"):
            self.assertEqual(self.ask("POST", "/api/things/1", WRITER, body, f"Content-Type: {kind}").status, 200)

    def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(self) -> None:
        """A small one is read away, so that the connection may stay."""
        talk = Conversation(self.door)
        talk.send(written("PUT", "/api/raw", WRITER, b"x" * (SMALL + 1)))
        self.refused(talk.answers()[0], 413, str(SMALL))
        self.assertFalse(talk.closed)
        talk.send(written("PUT", "/api/raw", WRITER, None, "Transfer-Encoding: chunked"))
        talk.send(b"%x\r\n%s\r\n" % (SMALL, b"x" * SMALL) + b"1\r\ny\r\n")
        self.assertEqual(talk.answers(), [])
        talk.send(b"0\r\n\r\n")
        self.refused(talk.answers()[0], 413)
        talk.send(written("PUT", "/api/raw", WRITER, b"x" * SMALL))
        self.assertEqual(talk.answers()[0].status, 200)

    def test_a_body_without_end_is_cut_off_and_nothing_of_it_is_held(self) -> None:
        """The client is told, may read why, and then it is over."""
        for lines in (("Transfer-Encoding: chunked",), (f"Content-Length: {1 << 40}",)):
            talk = Conversation(self.door)
            talk.send(written("PUT", "/api/raw", WRITER, None, *lines))
            answers = []
            for _ in range(100):
                talk.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                answers += talk.answers()
            self.refused(answers[0], 413)
            self.assertEqual((len(answers), answers[0].fields["connection"]), (1, "close"))
            self.assertEqual(self.door.reception.held, 0)
            self.clock.advance(channel.LINGER)
            self.assertTrue(talk.closed)

    def test_a_body_takes_no_more_room_than_it_has_bytes(self) -> None:
        """However small its chunks are."""
        size, taken = 1 << 16, []

        async def take(call: Call) -> Answer:
            taken.append(call.body)
            return Answer()

        talk = Conversation(door(Route("PUT", "/api/big", "metrics", take, "Take.", bytes, size)))
        talk.send(written("PUT", "/api/big", WRITER, None, "Transfer-Encoding: chunked"))
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(size // 1024):
            talk.send(b"2\r\nxy\r\n" * 512)
        self.assertLess(tracemalloc.get_traced_memory()[0], 3 * size)
        talk.send(b"0\r\n\r\n")
        self.assertEqual((talk.answers()[0].status, taken), (200, [b"xy" * (size // 2)]))

    def test_whoever_may_not_pass_cannot_make_us_hold_a_body(self) -> None:
        """It is refused by its head; a body of no length to speak of is read away."""
        talk = Conversation(self.door)
        talk.send(written("PUT", "/api/raw", "", None, "Transfer-Encoding: chunked"))
        talk.send(b"64\r\n" + b"x" * 100 + b"\r\n")
        self.assertEqual(self.door.reception.held, 0)
        talk.send(b"0\r\n\r\n")
        self.refused(talk.answers()[0], 401)
        self.assertFalse(talk.closed)

    def test_bodies_that_are_held_at_once_are_bounded(self) -> None:
        """Whoever comes later is told to come again, and once they are gone he may."""
        self.patch(request, "MOST_HELD", SMALL + 50)
        first, second = Conversation(self.door), Conversation(self.door)
        first.send(written("PUT", "/api/raw", WRITER, None, "Content-Length: 200") + b"x" * 150)
        second.send(written("PUT", "/api/raw", WRITER, b"y" * 150))
        self.refused(second.answers()[0], 503)
        first.send(b"x" * 50)
        self.assertEqual(first.answers()[0].status, 200)
        second.send(written("PUT", "/api/raw", WRITER, b"y" * 150))
        self.assertEqual(second.answers()[0].status, 200)
        self.assertEqual(self.door.reception.held, 0)

    def test_what_is_no_http_gets_a_problem_and_no_second_answer(self) -> None:
        """Bad heads of all kinds, with a good request behind them."""
        good = written("GET", "/")
        for head in (
            b"\x16\x03\x01\x02\x00\x01\x00\r\n",
            b"GET /\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\nX: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\nX: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(200)) + b"\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 15000 + b"\r\n" + b"X: " + b"y" * 15000 + b"\r\n\r\n",
            b"PUT /api/raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ):
            talk = Conversation(self.door)
            talk.send(head + good)
            answers = talk.answers()
            self.assertEqual(len(answers), 1, head)
            self.refused(answers[0], 400)
            self.clock.advance(channel.LINGER)
            self.assertTrue(talk.closed, head)
        talk = Conversation(self.door)
        talk.send(b"GET /" + b"a" * 20000)
        self.refused(talk.answers()[0], 431)

    def test_a_request_names_its_host_once(self) -> None:
        """And shows one token."""
        for head in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n\r\n",
        ):
            talk = Conversation(self.door)
            talk.send(head)
            self.refused(talk.answers()[0], 400)

    def test_a_mistake_of_ours_is_told_by_a_number_that_the_log_has(self) -> None:
        """And by nothing else."""

        async def broken(call: Call) -> None:
            raise ValueError("secret")

        async def unwritable(call: Call) -> object:
            return object()

        for page in (broken, unwritable):
            self.open(get=page)
            answered = self.ask("GET", "/")
            self.refused(answered, 500)
            self.assertNotIn(b"secret", answered.body)
            [failure] = self.flushLoggedErrors()
            self.assertEqual(len(answered.value["id"]), 12)
            self.assertIsInstance(failure.value, ValueError | TypeError)

    def test_pages_refuse_with_sentences_of_their_own(self) -> None:
        """And with headers and members that say more."""

        async def page(call: Call) -> None:
            raise Refusal(409, "Conflict", "it is there already", {"Retry-After": "9"}, other="web2")

        self.open(get=page)
        answered = self.ask("GET", "/")
        self.refused(answered, 409, "there already")
        self.assertEqual((answered.value["other"], answered.fields["retry-after"]), ("web2", "9"))


class PatienceTests(DoorCase):
    """What takes too long, and who does not stay."""

    def drip(self, talk: Conversation, data: bytes, every: float, most: float) -> float:
        """Send byte after byte until the door closes; after how long."""
        began = self.clock.seconds()
        for byte in data:
            if talk.closed or self.clock.seconds() - began > most:
                break
            talk.send(bytes([byte]))
            self.clock.advance(every)
        return self.clock.seconds() - began

    def test_a_head_that_comes_drop_by_drop_is_cut_off(self) -> None:
        """However regular the drops."""
        talk = Conversation(self.door)
        took = self.drip(talk, b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 1000, 1.0, 100.0)
        self.assertLessEqual(took, self.http.header_time + channel.LINGER + 1)
        self.refused(talk.answers()[0], 408, "head")
        self.assertEqual(self.door.measures.crowd.late, 1)

    def test_so_is_a_body(self) -> None:
        """And what it held is free."""
        talk = Conversation(self.door)
        talk.send(written("PUT", "/api/raw", WRITER, None, "Content-Length: 200"))
        took = self.drip(talk, b"y" * 150, 1.0, 100.0)
        self.assertLessEqual(took, self.http.body_time + channel.LINGER + 1)
        self.refused(talk.answers()[0], 408, "body")
        talk.leave()
        self.assertEqual(self.door.reception.held, 0)

    def test_what_came_while_the_server_stood_still_is_read_before_it_is_called_late(self) -> None:
        """A head, and a body: the time-out is over, and so is the wait."""
        whole = written("PUT", "/api/raw", WRITER, b"x" * 20)
        for cut in (0, 10, len(whole) - 5):
            talk = Conversation(self.door)
            talk.send(whole[:cut])
            patience = self.http.body_time if cut > 10 else self.http.header_time
            self.clock.callLater(patience, talk.send, whole[cut:])
            self.clock.advance(patience)
            self.assertEqual([each.status for each in talk.answers()], [200], cut)

    def test_a_connection_without_a_request_is_closed(self) -> None:
        """A new one soon, one that had requests after a while."""
        silent = Conversation(self.door)
        self.clock.advance(self.http.header_time)
        self.assertTrue(silent.closed)
        talk = Conversation(self.door)
        talk.send(written("GET", "/"))
        self.assertEqual(talk.answers()[0].status, 200)
        self.clock.advance(self.http.idle - 1)
        self.assertFalse(talk.closed)
        talk.send(written("GET", "/"))
        self.assertEqual(talk.answers()[0].status, 200)
        self.clock.advance(self.http.idle)
        self.assertTrue(talk.closed)

    def test_an_answer_that_does_not_come_is_given_up(self) -> None:
        """The client is told, and whoever worked on it is told to stop."""
        stopped: list[str] = []

        async def never(call: Call) -> None:
            try:
                await Deferred()
            except CancelledError:
                stopped.append("cancelled")
                raise

        self.open(get=never)
        talk = Conversation(self.door)
        talk.send(written("GET", "/"))
        self.clock.advance(self.http.answer_time)
        [answered] = talk.answers()
        self.refused(answered, 503, "too long")
        self.assertEqual((stopped, answered.fields["connection"]), (["cancelled"], "close"))
        self.clock.advance(channel.CLOSING + request.LATE)
        self.assertTrue(talk.closed)

    def test_work_for_a_client_that_left_is_cancelled(self) -> None:
        """And nothing is logged, as nothing went wrong."""
        stopped: list[str] = []
        waited: Deferred[None] = Deferred(lambda _: stopped.append("cancelled"))

        async def never(call: Call) -> None:
            await waited

        self.open(get=never)
        talk = Conversation(self.door)
        talk.send(written("GET", "/"))
        talk.leave()
        self.assertEqual((stopped, self.door.measures.left), (["cancelled"], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_client_that_does_not_read_gets_no_more_than_fits(self) -> None:
        """Until it reads again; if it never does, it is cut off."""
        large = b"x" * (1 << 20)

        async def page(call: Call) -> Answer:
            return Answer(large, "text/plain")

        self.open(get=page)
        talk = Conversation(self.door)
        talk.wire.room = 100_000
        talk.send(written("GET", "/"))
        self.assertLess(len(talk.wire.value()), 200_000)
        got = talk.wire.value()
        while not got.endswith(large):
            talk.wire.clear()
            talk.channel.resumeProducing()
            self.assertLess(len(talk.wire.value()), 200_000)
            got += talk.wire.value()
            self.assertLess(len(got), 2 << 20)
        talk.wire.clear()
        talk.channel.resumeProducing()
        talk.send(written("GET", "/"))
        self.clock.advance(self.http.answer_time)
        self.assertTrue(talk.wire.aborted)

    def test_a_client_that_asks_on_and_on_without_reading_is_not_read_either(self) -> None:
        """Its requests stay in the kernel, and answers are not heaped up."""
        talk = Conversation(self.door)
        talk.wire.room = 1000
        for _ in range(50):
            if talk.wire.producerState == "producing":
                talk.send(written("GET", "/api/things", READER) * 3)
        self.assertEqual(talk.wire.producerState, "paused")
        self.assertLess(len(talk.wire.value()), 20_000)
        self.clock.advance(self.http.answer_time)
        self.assertTrue(talk.wire.aborted)

    def test_one_that_reads_late_may_go_on(self) -> None:
        """Its connection is idle from then on."""
        talk = Conversation(self.door)
        talk.wire.room = 100
        talk.send(written("GET", "/"))
        self.assertEqual(talk.wire.producerState, "paused")
        self.clock.advance(self.http.answer_time - 1)
        talk.wire.clear()
        talk.wire.room = None
        talk.channel.resumeProducing()
        self.clock.advance(self.http.idle - 1)
        talk.send(written("GET", "/"))
        self.assertEqual((talk.answers()[0].status, talk.closed), (200, False))

    def test_there_are_no_more_connections_than_may_be(self) -> None:
        """In all, and of one address; others and trusted proxies still come."""
        self.open(Http(connections=5, connections_each=2, trusted_proxies=("198.51.100.0/24",)))
        talks = [Conversation(self.door) for _ in range(3)]
        self.assertEqual([talk.closed for talk in talks], [False, False, True])
        self.refused(talks[2].answers()[0], 503)
        proxy = [Conversation(self.door, "198.51.100.7") for _ in range(4)]
        self.assertEqual([talk.closed for talk in proxy], [False, False, False, True])
        self.assertEqual(self.door.measures.connections()[:2], (5, 2))
        for talk in (*talks, *proxy):
            talk.leave()
        self.assertEqual(self.door.measures.connections()[0], 0)
        self.assertFalse(Conversation(self.door).closed)
        network = [Conversation(self.door, f"2001:db8::{number}") for number in range(1, 4)]
        self.assertEqual([talk.closed for talk in network], [False, False, True])  # whoever has one has them all
        for talk in network:
            talk.leave()
        self.assertFalse(Conversation(self.door, "2001:db8::4").closed)

    def test_when_the_server_stops_answers_under_way_still_go_out(self) -> None:
        """Connections that wait for nothing are ended; nobody is waited for longer than a moment."""
        waited: Deferred[str] = Deferred()

        async def page(call: Call) -> str:
            return await waited

        self.open(get=page)
        idle, busy, stuck = (Conversation(self.door) for _ in range(3))
        busy.send(written("GET", "/"))
        stuck.send(written("PUT", "/api/raw", WRITER, None, "Content-Length: 200"))
        stopping = self.door.connections.close()
        self.assertTrue(idle.wire.aborted and stuck.wire.aborted)
        self.assertFalse(busy.closed)
        waited.callback("well")
        self.assertEqual(busy.answers()[0].value, "well")
        self.assertTrue(busy.closed)
        for talk in (idle, busy, stuck):
            talk.leave()
        self.successResultOf(stopping)

    def test_when_the_server_stops_an_answer_is_not_thrown_away_before_the_kernel_takes_it(self) -> None:
        """Else who posts would post again what was taken. Who does not take it is not waited for."""

        async def page(call: Call) -> str:
            return "well"

        self.open(get=page)
        answered = Conversation(self.door)
        answered.send(written("GET", "/"))
        self.door.connections.close()
        self.assertEqual((answered.closed, answered.wire.aborted), (True, False))
        self.clock.advance(channel.GRACE)
        self.assertTrue(answered.wire.aborted)

    def test_a_stream_goes_on_until_its_client_leaves(self) -> None:
        """No time is up for it, and it hears when it is over, once."""
        heard: list[str] = []

        class Ticks:
            content_type = "text/event-stream"
            headers: dict[str, str] = {}

            def begin(self, outlet: Any) -> None:
                self.outlet = outlet
                outlet.write(b"data: 1\n\n")

            def end(self) -> None:
                heard.append("end")

        ticks = Ticks()

        async def page(call: Call) -> Ticks:
            return ticks

        self.open(get=page)
        talk = Conversation(self.door)
        talk.send(written("GET", "/"))
        self.assertIn(b"data: 1", talk.wire.value())
        self.clock.advance(10 * self.http.answer_time)
        ticks.outlet.write(b"data: 2\n\n")
        self.assertIn(b"data: 2", talk.wire.value())
        talk.leave()
        self.assertEqual(heard, ["end"])
        self.assertEqual(ask(self.door, "HEAD", "/").status, 200)
        self.assertEqual(heard, ["end"])


class FollowTests(DoorCase):
    """Other settings while it runs."""

    def test_who_needs_no_token_is_settled_anew(self) -> None:
        """And how long things may take."""
        self.assertEqual(self.ask("GET", "/api/things").status, 401)
        self.door.follow(Http(without_token=("read",), header_time=2.0, listen="127.0.0.1:9"))
        self.assertEqual(self.ask("GET", "/api/things").status, 200)
        self.assertEqual((self.door.settings.listen, self.door.settings.header_time), (self.http.listen, 2.0))
        talk = Conversation(self.door)
        self.clock.advance(2.0)
        self.assertTrue(talk.closed)
