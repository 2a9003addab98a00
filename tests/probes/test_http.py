"""Status pages on loopback that answer, or do not, in every way that was thought of."""

import gzip
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from monitor436.probes.names import Names
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Answer, Failed, Failure, Target
from monitor436.probes.tcp import TcpProbe
from monitor436.probes.web.http import HttpProbe
from monitor436.probes.web.tls import TlsOptions
from tests.probes.certificates import certificate
from tests.probes.servers import Farm, Server, ok

reactor: Any = the_reactor
TIMEOUT = 0.6  # seconds, where it is to be over
PATIENCE = 30.0  # seconds, where it is not, however busy this machine is
BOMB = gzip.compress(b"0" * 100_000_000)


class ProbeCase(TestCase):
    """Shared: farms that are closed at the end, and a probe."""

    made: Any = HttpProbe

    def farm(self, behave: Any, tls: Any = None, address: str = "127.0.0.1") -> Farm:
        """Servers of one behaviour."""
        farm = Farm(behave)
        farm.serve(reactor, tls, address)
        self.addCleanup(lambda: Deferred.fromCoroutine(farm.close()))
        return farm

    def http(self, *args: Any, on: Any = reactor, **options: Any) -> Any:
        """A probe."""
        probe = self.made(on, *(args or (PATIENCE,)), **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(probe.close()))
        return probe

    def unused(self) -> int:
        """A port on which nothing listens until this test ends: it is taken, so nobody else begins to."""
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])

    def mktemp_folder(self) -> Path:
        """A folder of this test."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        return folder

    async def until(self, look: Callable[[], bool]) -> None:
        """Until it is so."""
        for _ in range(round(PATIENCE / 0.01)):
            if look():
                return
            await turn(0.01)
        self.fail("it never was so")

    async def failure(self, probe: Any, target: Target) -> Failure:
        """Why it fails."""
        try:
            body = await probe.probe(target)
        except Failure as failure:
            return failure
        raise AssertionError(f"answered {body!r}")


class AnswerTests(ProbeCase):
    async def test_a_page_is_asked_for_as_browsers_do(self) -> None:
        """The path with its query, the host with its port; what cannot stand in a request line is escaped."""
        farm = self.farm(lambda server, request: server.write(ok()))
        probe = self.http(headers=[("X-Key", "k"), ("accept", "text/plain")])
        self.assertEqual(await probe.probe(farm.target("/a b?c=d&e=ü\n")), b'{"Application":"a"}')
        lines = farm.requests[0].decode().split("\r\n")
        self.assertEqual(lines[0], "GET /a%20b?c=d&e=%C3%BC HTTP/1.1")
        self.assertIn(f"Host: 127.0.0.1:{farm.port.getHost().port}", lines)
        self.assertIn("X-Key: k", lines)
        self.assertEqual([line.lower() for line in lines if line.lower().startswith("accept:")], ["accept: text/plain"])

    async def test_a_name_and_a_word_in_the_address_are_sent(self) -> None:
        """http://me:secret@host/ is basic authentication, RFC 7617."""
        farm = self.farm(lambda server, request: server.write(ok()))
        target = farm.target()
        await self.http().probe(target._replace(url=target.url.replace("//", "//me:a%20b@")))
        self.assertIn(b"Authorization: Basic bWU6YSBi", farm.requests[0])
        self.assertNotIn(b"@", farm.requests[0].partition(b"User-Agent")[0])

    async def test_a_connection_is_used_again(self) -> None:
        """Unless either side wants to close it."""
        farm = self.farm(lambda server, request: server.write(ok()))
        probe = self.http()
        for _ in range(3):
            await probe.probe(farm.target())
        self.assertEqual((len(farm.requests), len(farm.connections)), (3, 1))
        await probe.close()
        await probe.probe(farm.target())
        self.assertEqual(len(farm.connections), 2)

    async def test_a_connection_that_was_closed_meanwhile_is_nobodys_failure(self) -> None:
        """Servers close what was idle for some seconds; the next round connects anew."""
        farm = self.farm(lambda server, request: (server.write(ok()), server.end()))
        probe = self.http()
        for _ in range(3):
            await probe.probe(farm.target())
        self.assertEqual(len(farm.connections), 3)

    async def test_a_header_that_would_be_two_is_refused(self) -> None:
        """Where the probe is made."""
        for pair in (("X", "a\r\nY: b"), ("X Y", "a"), ("", "a"), ("X", "\0")):
            with self.assertRaises(ValueError):
                HttpProbe(reactor, 1.0, headers=[pair])

    async def test_a_name_is_looked_up_once(self) -> None:
        """And its other addresses are tried when the first refuses."""
        farm = self.farm(lambda server, request: (server.write(ok()), server.end()))
        asked: list[str] = []

        def look_up(name: str) -> list[str]:
            asked.append(name)
            return ["127.0.0.9", "127.0.0.1"]

        probe = self.http(names=Names(reactor, look_up))
        for _ in range(3):
            await probe.probe(farm.target(host="web1.example"))
        self.assertEqual(asked, ["web1.example"])
        self.assertIn(b"Host: web1.example:", farm.requests[0])

    async def test_an_address_that_does_not_answer_has_its_share_of_the_time(self) -> None:
        """Then comes the next one."""
        farm = self.farm(lambda server, request: server.write(ok()))
        number = farm.port.getHost().port
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.9", number))
            deaf.listen(0)
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.9", number))
                self.addCleanup(filler.close)
            clock, names = Timed(), Names(reactor, lambda name: ["127.0.0.9", "127.0.0.1"])
            await names.addresses("web1.example")
            began = time.monotonic()
            asked = self.http(2.0, on=clock, names=names).probe(farm.target(host="web1.example"))
            answered = Deferred.fromCoroutine(asked).addCallback(lambda body: time.monotonic())
            while clock.time.seconds() < 1.0:  # the other second is never over, however busy this machine is
                await turn(0.1)
                clock.time.advance(0.1)
            self.assertGreater(await answered - began, 0.9)

    async def test_ipv6_addresses_stand_in_brackets(self) -> None:
        """In the Host field as in the URL."""
        try:
            farm = self.farm(lambda server, request: server.write(ok()), address="::1")
        except Exception as problem:
            self.skipTest(f"no IPv6 on this machine: {problem}")
        number = farm.port.getHost().port
        await self.http().probe(Target("v6", f"http://[::1]:{number}/", "::1", number))
        self.assertIn(f"Host: [::1]:{number}".encode(), farm.requests[0])


def drip(server: Server, request: bytes) -> None:
    """A byte at a time, for ever."""
    if server.connected:
        server.write(b"x")
        server.drips += 1
        server.later(0.05, drip, request)


def slow_body(server: Server, request: bytes) -> None:
    """The header at once, the body byte by byte."""
    server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(server, request)


class Flood:
    """Sends as long as somebody takes it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        server.write(b"HTTP/1.1 200 OK\r\n\r\n")
        server.transport.registerProducer(self, False)  # type: ignore[union-attr]

    def resumeProducing(self) -> None:
        """More."""
        self.server.write(b"x" * 65536)

    def stopProducing(self) -> None:
        """Gone."""


def page(status: bytes, *fields: bytes) -> Any:
    """A behaviour: this answer."""
    data = b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: 0", *fields, b"", b""])
    return lambda server, request: server.write(data)


LATE = ("header", "body")  # classes that are told when the time is over
DRIPS = 4  # by which a client has heard the first bytes: each is a turn of the reactor of its own

HOSTILE: dict[str, tuple[Any, str]] = {
    "an error": (page(b"503 Service Unavailable"), "status"),
    "elsewhere": (page(b"302 Found", b"Location: http://127.0.0.1:22/"), "redirect"),
    "hangs": (lambda server, request: None, "header"),
    "drips": (lambda server, request: (server.write(b"HTTP/1.1 200 OK\r\nX: "), drip(server, request)), "header"),
    "drips its body": (slow_body, "body"),
    "never ends": (lambda server, request: Flood(server), "too_long"),
    "1 GB": (
        lambda server, request: server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"),
        "too_long",
    ),
    "a gzip bomb": (lambda server, request: server.write(ok(BOMB, b"Content-Encoding: gzip")), "too_long"),
    "less than it said": (
        lambda server, request: (server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), server.end()),
        "protocol",
    ),
    "hangs up": (lambda server, request: server.end(), "protocol"),
    "resets": (lambda server, request: server.transport.abortConnection(), "protocol"),
    "another protocol": (lambda server, request: server.write(b"220 ready\r\n"), "protocol"),
}


class HostileTests(ProbeCase):
    async def test_each_is_told_as_what_it_is(self) -> None:
        """Those that are late when the time is over, the others at once.

        That time is a clock's in this test, which nothing but the late ones moves: so a busy machine changes nothing.
        """
        clock = Timed()
        probe = self.http(TIMEOUT, on=clock)
        for name, (behave, reason) in HOSTILE.items():
            farm = self.farm(behave)
            told = Deferred.fromCoroutine(self.failure(probe, farm.target()))
            if reason in LATE:
                await self.until(lambda: farm.settled(1, DRIPS))  # noqa: B023
                self.assertFalse(told.called, name)
                clock.time.advance(TIMEOUT)
            await self.until(lambda: told.called)  # noqa: B023
            failure = await told
            self.assertEqual(failure.reason, reason, f"{name}: {failure}")

    async def test_a_thousand_of_them_at_once(self) -> None:
        """All classes mixed: every one in its class, and memory within bounds.

        Who says nothing, or goes on for ever, is told at the deadline and not a moment later. That is a clock's in this
        test, so a busy machine changes nothing.
        """
        farms = [(self.farm(behave), reason) for behave, reason in HOSTILE.values()]
        fine = self.farm(lambda server, request: server.write(ok()))
        kinds = [*farms, (fine, "")]
        places = [kinds[place % len(kinds)] for place in range(1000)]
        targets = [farm.target(f"/{place}") for place, (farm, _) in enumerate(places)]
        late = Counter(id(farm) for farm, reason in places if reason in LATE)
        waits = sum(late.values())
        clock = Timed()
        poller = Poller(reactor, self.http(5.0, on=clock), monotonic=clock.time.seconds)
        process = psutil.Process()
        before = process.memory_info().rss
        largest = 0
        heard: list[Any] = []

        def told(result: Answer | Failed) -> None:
            nonlocal largest
            heard.append(result)
            if len(heard) % 50 == 0:
                largest = max(largest, process.memory_info().rss)

        round = Deferred.fromCoroutine(poller.poll(targets, told))
        while len(heard) < 1000 - waits or not all(
            farm.settled(late[id(farm)], DRIPS) for farm, _ in farms if id(farm) in late
        ):
            self.assertFalse(round.called)
            await turn(0.02)
        clock.time.advance(4.9)
        await turn(0.02)
        self.assertEqual(len(heard), 1000 - waits)
        clock.time.advance(0.2)
        await turn(0)
        self.assertEqual(len(heard), 1000)
        results = await round
        self.assertEqual([result.target for result in results] == targets, True)
        found = Counter(
            (reason, result.reason if isinstance(result, Failed) else "")
            for (_, reason), result in zip(places, results, strict=True)
        )
        self.assertEqual([pair for pair in found if pair[0] != pair[1]], [])
        self.assertLess(largest - before, 400 << 20)  # the servers are in it

    async def test_an_answer_that_came_in_time_counts_though_we_were_busy(self) -> None:
        """The time of the exchange ends before this process comes to read what is here."""
        clock = Timed()

        def behave(server: Server, request: bytes) -> None:
            server.transport.socket.send(ok())  # type: ignore[union-attr]
            reactor.callLater(0, clock.time.advance, 5.0)

        self.assertEqual(await self.http(5.0, on=clock).probe(self.farm(behave).target()), b'{"Application":"a"}')

    async def test_nothing_listens(self) -> None:
        """And the sentence says so."""
        number = self.unused()
        target = Target("x", f"http://127.0.0.1:{number}/", "127.0.0.1", number)
        for probe in (self.http(), TcpProbe(reactor, PATIENCE)):
            failure = await self.failure(probe, target)
            self.assertEqual((failure.reason, failure.text), ("refused", "refuses connections: nothing listens there"))

    async def test_nobody_answers_attempts_to_connect(self) -> None:
        """A full queue of a listener drops them, as a firewall does."""
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            number = deaf.getsockname()[1]
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", number))
                self.addCleanup(filler.close)
            target = Target("x", f"http://127.0.0.1:{number}/", "127.0.0.1", number)
            for probe in (self.http(TIMEOUT), TcpProbe(reactor, TIMEOUT)):
                self.assertEqual((await self.failure(probe, target)).reason, "connect")

    async def test_a_network_that_is_not_there(self) -> None:
        """The broadcast address takes no connections."""
        target = Target("x", "http://255.255.255.255:80/", "255.255.255.255", 80)
        self.assertEqual((await self.failure(self.http(), target)).reason, "unreachable")

    async def test_names(self) -> None:
        """One that is not known, and one whose look-up takes too long; nobody waits for its thread."""
        slow = Deferred[None]()

        def look_up(name: str) -> list[str]:
            if name == "slow.example":
                for _ in range(round(PATIENCE / 0.02)):
                    if slow.called:
                        break
                    wait(0.02)
            raise OSError(-2, "Name or service not known")

        names = Names(reactor, look_up)
        failures = [
            await self.failure(self.http(within, names=names), Target(name, f"http://{name}/", name, 80))
            for name, within in (("no.example", PATIENCE), ("slow.example", TIMEOUT))
        ]
        slow.callback(None)
        self.assertEqual([failure.reason for failure in failures], ["name", "name"])
        self.assertIn("no.example is not known: Name or service not known", failures[0].text)
        self.assertIn("was not looked up within 0.6 s", failures[1].text)

    async def test_what_is_no_address_of_a_page(self) -> None:
        """It is said, and nothing is sent."""
        for url in ("ftp://127.0.0.1/", "127.0.0.1", "http://[/"):
            failure = await self.failure(self.http(), Target("x", url, "127.0.0.1", 80))
            self.assertEqual(failure.reason, "protocol")

    async def test_who_cancels_leaves_nothing_open(self) -> None:
        """A service that stops in the middle of a round."""
        farm = self.farm(lambda server, request: None)
        round = Deferred.fromCoroutine(Poller(reactor, self.http(30.0)).poll([farm.target()] * 5))
        while len(farm.requests) < 5:
            await turn(0.01)
        round.cancel()
        round.addErrback(lambda problem: None)
        self.assertTrue(round.called)
        await self.until(lambda: [server.connected for server in farm.connections] == [0] * 5)


class Timed:
    """The reactor, with deadlines by a clock of its own."""

    def __init__(self) -> None:
        self.time = Clock()

    def callLater(self, seconds: float, call: Any, *args: Any) -> Any:
        """By the clock; what is for the next turn by the reactor."""
        return (self.time if seconds else reactor).callLater(seconds, call, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class EarlyTests(ProbeCase):
    async def test_what_was_begun_is_the_connection_that_is_asked(self) -> None:
        """However the exchange ends. Nothing is begun where a connection is kept, over TLS, or for a name."""
        farm = self.farm(lambda server, request: server.write(ok()) if b"GET /s" in request else server.end())
        probe = self.http()
        for count, path in enumerate(("/status", "/end", "/\ud800"), 1):
            begun = probe.begin(farm.target(path))
            self.assertIsNotNone(begun)
            await self.until(lambda: len(farm.connections) >= count)  # noqa: B023
            outcome = Deferred.fromCoroutine(probe.probe(farm.target(path), begun=begun))
            await outcome.addErrback(lambda problem: problem.trap(Failure) and None)
            await turn(0.02)
            self.assertEqual(len(farm.connections), count)
            if path == "/status":
                self.assertIsNone(probe.begin(farm.target(path)))
                await probe.close()
        await self.until(lambda: [connection.connected for connection in farm.connections] == [0, 0, 0])
        self.assertEqual(
            [probe.begin(farm.target(scheme="https")), probe.begin(farm.target(host="web1"))], [None, None]
        )

    async def test_what_was_begun_and_not_asked_can_be_dropped(self) -> None:
        """Also what could not even begin."""
        farm = self.farm(lambda server, request: server.write(ok()))
        for probe in (self.http(), TcpProbe(reactor, PATIENCE)):
            begun = probe.begin(farm.target())
            assert begun is not None
            await self.until(lambda: len(farm.connections) == 1)
            begun.drop()
            begun.drop()
            await self.until(lambda: [connection.connected for connection in farm.connections] == [0])
            farm.connections.clear()
            for wrong in ({"host": "255.255.255.255"}, {"host": "::1%lo"}, {"port": 99999}):
                target = farm.target()._replace(**wrong)
                never = probe.begin(target)
                assert never is not None
                never.drop()
                failure = await self.failure(probe, target)
                self.assertEqual((failure.reason, failure.text[:18]), ("unreachable", "cannot be reached:"), wrong)


class TlsTests(ProbeCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.names = Names(reactor, lambda name: ["127.0.0.1"])
        self.ca, made = certificate(self.folder, "web1.example")
        self.server = self.farm(lambda server, request: server.write(ok()), made)
        self.target = self.server.target(scheme="https", host="web1.example")

    async def test_a_certificate_that_is_trusted(self) -> None:
        """By a file; the connection lasts as others do."""
        probe = self.http(tls=TlsOptions(ca=str(self.ca)), names=self.names)
        for _ in range(2):
            self.assertIn(b"Application", await probe.probe(self.target))
        self.assertEqual(len(self.server.connections), 1)

    async def test_a_certificate_that_is_not(self) -> None:
        """Unknown to the system, or of another name: both are failures of TLS, unless one does not mind."""
        for options, target in (
            (None, self.target),
            (TlsOptions(ca=str(self.ca)), self.server.target(scheme="https", host="web2.example")),
        ):
            probe = self.http(tls=options, names=self.names)
            self.assertEqual((await self.failure(probe, target)).reason, "tls")
            easy = self.http(tls=TlsOptions(insecure=True), names=self.names)
            self.assertIn(b"Application", await easy.probe(target))

    async def test_no_tls_at_all(self) -> None:
        """A server that says something else, one that says nothing, and one that hangs up."""
        farm = self.farm(lambda server, request: None)
        clock = Timed()
        told = Deferred.fromCoroutine(self.failure(self.http(TIMEOUT, on=clock), farm.target(scheme="https")))
        await self.until(lambda: any(server._begun for server in farm.connections))
        clock.time.advance(TIMEOUT)
        failure = await told
        self.assertEqual((failure.reason, failure.text), ("tls", "TLS was not agreed on within 0.6 s"))
        farm.protocol = Rude  # type: ignore[assignment]
        failure = await self.failure(self.http(), farm.target(scheme="https"))
        self.assertEqual(failure.reason, "tls")


class Rude(Server):
    """Says something as soon as it is connected, and hangs up."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.end()


class RoundTests(ProbeCase):
    rounds = 120

    async def test_a_hundred_rounds_leave_nothing_behind(self) -> None:
        """Descriptors and memory are those after the first rounds."""
        fine = self.farm(lambda server, request: server.write(ok()))
        broken = self.farm(lambda server, request: server.end())
        number = self.unused()
        refusing = Target("r", f"http://127.0.0.1:{number}/", "127.0.0.1", number)
        targets = [farm.target(f"/{place}") for place in range(10) for farm in (fine, broken)] + [refusing]
        poller = Poller(reactor, self.http(5.0))
        process = psutil.Process()
        for count in range(self.rounds):
            results = await poller.poll(targets)
            self.assertEqual(sum(isinstance(result, Answer) for result in results), 10)
            if count == 20:
                await turn(0.05)
                del fine.connections[:], broken.connections[:], fine.requests[:], broken.requests[:]
                before = process.num_fds(), process.memory_info().rss
        await turn(0.05)
        self.assertLessEqual(process.num_fds(), before[0] + 5)
        self.assertLess(process.memory_info().rss - before[1], 8 << 20)
        self.assertLessEqual(len(fine.connections), 10)


def turn(seconds: float) -> "Deferred[None]":
    """Let the reactor run."""
    later: Deferred[None] = Deferred()
    reactor.callLater(seconds, later.callback, None)
    return later


def wait(seconds: float) -> None:
    """In a thread that stands for a slow resolver."""
    import threading

    threading.Event().wait(seconds)
