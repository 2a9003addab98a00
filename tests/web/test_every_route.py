"""Every route of the server as it is assembled: what each must refuse, whoever wrote its page."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import json, structs
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.application import make_service
from monitor436.model.keys.tokens import Token, hashed, spelt_token
from monitor436.model.settings.events import Events
from monitor436.model.settings.hosts import Plans
from monitor436.model.settings.http import Http
from monitor436.model.settings.whole import Settings
from monitor436.state_folder import TOKENS
from monitor436.token_file import TokenFile
from monitor436.web import channel
from monitor436.web.door import HttpDoor
from monitor436.web.request import DISCARD
from monitor436.web.route import Route
from monitor436.web.table import places
from tests.web.conversation import Answered, Conversation, ask, request

BY_SCOPE = {scope: spelt_token(scope.encode().ljust(32)) for scope in ("read", "metrics", "admin")}
EXPIRED = spelt_token(b"e" * 32)
OTHER = {"read": "metrics", "metrics": "read", "admin": "read"}
DEEP = b"[" * 400 + b"]" * 400


class EveryRouteTests(SynchronousTestCase):
    """One door for all; nothing of it listens."""

    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "plans").mkdir()
        settings = structs.replace(
            Settings(),
            name="srv",
            state=str(folder),
            plans=Plans(folder=str(folder / "plans")),
            events=Events(file=str(folder / "events.jsonl")),
        )
        file = TokenFile(folder / TOKENS)
        for scope, token in BY_SCOPE.items():
            file.keep(Token(scope, hashed(token), (scope,)))  # type: ignore[arg-type]
        file.keep(Token("late", hashed(EXPIRED), ("read", "metrics", "admin"), 1.0, 2.0))
        self.clock = MemoryReactorClock()
        self.door: HttpDoor = make_service(settings, self.clock).getServiceNamed("http")
        self.http: Http = settings.http

    def routes(self, body: bool = False, scope: bool = False) -> Iterator[tuple[Route, str]]:
        """Every route, or those with a body or a scope, and a path that leads to it."""
        for route in self.door.reception.table:
            if not ((body and route.body is None) or (scope and not route.scope)):
                yield route, path(route)

    def refused(self, answered: Answered, statuses: tuple[int, ...], told: object) -> None:
        """With one of these statuses, as a problem."""
        self.assertIn(answered.status, statuses, (told, answered.body))
        self.assertEqual(answered.fields["content-type"], "application/problem+json", told)
        self.assertEqual(answered.value["status"], answered.status)
        self.assertNotIn(b"Traceback", answered.body)

    def test_there_are_routes(self) -> None:
        """Those of the API; each has a sentence, what is posted is bounded, and what changes things needs a scope."""
        found = {(route.method, route.path) for route, _ in self.routes()}
        self.assertLessEqual(
            {("POST", "/api/perf/{host}/{epoch}"), ("POST", "/api/token"), ("GET", "/metrics"), ("GET", "/api/hosts")},
            found,
        )
        for route, _ in self.routes():
            self.assertGreater(len(route.summary), 5, route)
            self.assertLessEqual(route.most, 4 << 20, route)
            if route.method != "GET":
                self.assertTrue(route.scope or route.path in ("/api/token", "/api/session"), route)

    def test_without_a_token_or_with_a_wrong_one(self) -> None:
        """401, whatever the body."""
        for number, (route, at) in enumerate(self.routes(scope=True)):
            for token in ("", "m436_wrong", EXPIRED, BY_SCOPE["read"][:-1]):
                body, peer = b"{}" if route.body else None, f"192.0.2.{number}"
                self.refused(ask(self.door, route.method, at, token, body, peer=peer), (401,), (route.path, token))

    def test_with_a_token_of_another_scope(self) -> None:
        """403."""
        for route, at in self.routes(scope=True):
            self.refused(ask(self.door, route.method, at, BY_SCOPE[OTHER[route.scope]]), (403,), route.path)

    def test_with_a_body_that_is_too_large(self) -> None:
        """413 by what it says, before a byte of it came; a small one is read away."""
        for route, at in self.routes():
            most = route.most if route.body is not None else DISCARD
            talk = Conversation(self.door)
            talk.send(request(route.method, at, BY_SCOPE["admin"], None, f"Content-Length: {most + DISCARD + 1}"))
            self.refused(talk.answers()[0], (413,), route.path)
            talk.leave()

    def test_with_chunks_without_end(self) -> None:
        """413, and it is over; nothing is held."""
        for route, at in self.routes():
            talk = Conversation(self.door)
            talk.send(request(route.method, at, BY_SCOPE["admin"], None, "Transfer-Encoding: chunked"))
            chunk = b"%x\r\n%s\r\n" % (1 << 16, b"x" * (1 << 16))
            answers = []
            for _ in range((4 << 20) // (1 << 16)):
                talk.send(chunk)
                answers += talk.answers()
                if answers:
                    break
            self.refused(answers[0], (413,), route.path)
            self.clock.advance(channel.LINGER)
            self.assertTrue(talk.closed)
            talk.leave()
        self.assertEqual(self.door.reception.held, 0)

    def test_with_a_body_that_does_not_come(self) -> None:
        """408 after a while."""
        for route, at in self.routes(body=True):
            talk = Conversation(self.door)
            talk.send(request(route.method, at, BY_SCOPE["admin"], None, "Content-Length: 10") + b"{")
            self.clock.advance(self.http.body_time)
            self.refused(talk.answers()[0], (408,), route.path)

    def test_with_json_that_is_wrong(self) -> None:
        """400 or 422."""
        for route, at in self.routes(body=True):
            for body in (b"{", b"\xff\xfe", b'"\\ud800"', b"NaN", DEEP, b"12", b'{"no such field at all": 1}', b"[1]"):
                if route.body is not bytes:
                    answered = ask(self.door, route.method, at, BY_SCOPE["admin"], body)
                    self.refused(answered, (400, 422), (route.path, body))
            answered = ask(self.door, route.method, at, BY_SCOPE["admin"], b"<a/>", "Content-Type: text/xml")
            self.refused(answered, (415,), route.path)

    def test_with_tricks_in_the_path(self) -> None:
        """400 or 404."""
        for route, at in self.routes():
            for trick in (
                f"{at}/..",
                f"/..{at}",
                f"{at}/%2e%2e/x",
                at.rstrip("/") + "%2f",
                at.rstrip("/") + "%00",
                at.rstrip("/") + "//",
                at.rstrip("/") + "%",
                at.rstrip("/") + "\\..\\x",
                f"/{at}",
            ):
                answered = ask(self.door, route.method, trick, BY_SCOPE["admin"])
                self.refused(answered, (400, 404, 405), (route.path, trick))

    def test_with_places_full_of_oddities(self) -> None:
        """What stands at a {place} is not trusted by any page."""
        for route, _ in self.routes():
            for odd in ("a" * 1000, "%27%22%3Cscript%3E", "-1", "1e309", "9" * 60, "%F0%9F%92%A9", ".hidden", "*", "~"):
                if places(route.path) and route.body is None:
                    talk = Conversation(self.door)
                    talk.send(request(route.method, path(route, odd), BY_SCOPE["admin"]))
                    for answered in talk.answers():
                        self.assertLess(answered.status, 500, (route.path, odd, answered.body))
                    talk.leave()

    def test_with_parameters_that_are_wrong(self) -> None:
        """400, for each that a route takes and one that none does."""
        for route, at in self.routes():
            for query in ("no_such_parameter=1", *(f"{name}=1&{name}=2" for name in route.query)):
                answered = ask(
                    self.door, route.method, f"{at}?{query}", BY_SCOPE["admin"], b"{}" if route.body else None
                )
                self.refused(answered, (400,), (route.path, query))

    def test_with_another_method(self) -> None:
        """405 with those that there are."""
        for _, at in self.routes():
            answered = ask(self.door, "PATCH", at, BY_SCOPE["admin"])
            self.refused(answered, (405,), at)
            self.assertRegex(answered.fields["allow"], r"\A[A-Z]+(, [A-Z]+)*\Z")

    def test_the_openapi_document_has_every_one_of_them(self) -> None:
        """Those of the API: with what it needs, takes and refuses, and every reference in it leads somewhere."""
        answered = ask(self.door, "GET", "/api/openapi.json")
        made: dict[str, Any] = answered.value
        self.assertEqual((made["openapi"], made["servers"]), ("3.1.0", [{"url": "http://127.0.0.1"}]))
        listed = {(method.upper(), at) for at, methods in made["paths"].items() for method in methods}
        expected = {
            (each.method, each.path) for each, _ in self.routes() if each.path.startswith(("/api/", "/metrics"))
        }
        self.assertEqual(listed, expected)
        for route, _ in self.routes():
            if (route.method, route.path) in expected:
                told = made["paths"][route.path][route.method.lower()]
                self.assertEqual(bool(told["security"]), bool(route.scope))
                self.assertEqual("requestBody" in told, route.body is not None)
                named = {each["name"] for each in told["parameters"]}
                self.assertEqual(named, {*route.query, *places(route.path)})
        text = json.encode(made).decode()
        for name in set(text.split('"#/components/schemas/')[1:]):
            self.assertIn(name.partition('"')[0], made["components"]["schemas"])
        ids = [told["operationId"] for methods in made["paths"].values() for told in methods.values()]
        self.assertEqual(len(ids), len(set(ids)))


def path(route: Route, value: str = "1") -> str:
    """A path that leads to a route."""
    at = route.path
    for name in places(route.path):
        at = at.replace("{" + name + "}", value)
    return at
