"""`monitor436 push`: what receivers are sent, and what is said of it; the command as far as it goes without asking."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from monitor436.cli.push import push
from monitor436.cli.pushed.credentials import Certificate, Credentials, Nobody, TokenFile
from monitor436.cli.pushed.posting import Poster, Reply, Trust, Unreached
from monitor436.cli.pushed.publishing import Publishing, Receiver
from monitor436.model.metrics.push import Measured
from monitor436.probes.web.tls import TlsOptions

URL = "http://monitor:4380/api/perf"
PROBLEM = b'{"title": "Unprocessable Content", "detail": "cpu is \\u001b[31mtoo late"}'


class Post:
    """Receivers by URL: what each answers next, or that nobody is there."""

    def __init__(self) -> None:
        self.says: dict[str, list[Reply | str]] = {}
        self.sent: list[tuple[str, Mapping[str, str], bytes]] = []
        self.hangs: list[Deferred[None]] = []

    async def __call__(self, url: str, fields: Mapping[str, str], body: bytes) -> Reply:
        self.sent.append((url, fields, body))
        base = next((base for base in self.says if url.startswith(base)), "")
        said = self.says[base].pop(0) if self.says.get(base) else Reply(200)
        if said == "hang":
            self.hangs.append(Deferred())
            await self.hangs[-1]
            return Reply(200)
        if isinstance(said, str):
            raise Unreached(said)
        return said


class PublishingCase(SynchronousTestCase):
    """Shared: a clock, a measurement each second."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.post = Post()
        self.said: list[str] = []
        self.complained: list[str] = []
        self.measured = 0

    def start(self, *urls: str, host: str = "jarvis", credentials: Credentials | None = None) -> Publishing:
        """Publishing runs."""
        receivers = [
            Receiver(url, host, self.post, credentials or Nobody(), self.said.append, self.complained.append,
                     self.clock.seconds)
            for url in urls or (URL,)
        ]  # fmt: skip
        wall = 1465001846.5
        publishing = Publishing(1.0, self.measure, receivers, lambda: wall + self.clock.seconds(), self.clock)
        publishing.startService()
        self.addCleanup(lambda: publishing.running and publishing.stopService())
        return publishing

    def measure(self) -> dict[str, float]:
        self.measured += 1
        return {"cpu": float(self.measured), "mem": 50.0}


class ReceiverTests(PublishingCase):
    def test_what_is_measured_is_posted_under_its_second_as_lizmon_did(self) -> None:
        """The first one after a period: the use of processors is between two looks."""
        self.start()
        self.assertEqual(self.post.sent, [])
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(
            self.post.sent,
            [(f"{URL}/jarvis/1465001847", {}, b'{"cpu":2.0,"mem":50.0}'),
             (f"{URL}/jarvis/1465001848", {}, b'{"cpu":3.0,"mem":50.0}')],
        )  # fmt: skip
        self.assertEqual(self.said[0], f"INFO:  Publish was successful to {URL}/jarvis/1465001847")
        self.assertEqual(len(self.said), 2)

    def test_while_a_receiver_is_away_samples_wait_and_come_in_order(self) -> None:
        """Each failure says how many wait."""
        self.start()
        self.post.says[URL] = ["Connection refused"] * 3
        self.clock.pump([0.5] * 20)
        self.assertEqual(len(self.complained), 3)
        self.assertIn("details:  Connection refused; 1 sample waits, again in 1 s", self.complained[0])
        self.assertIn("samples wait, again in 4 s", self.complained[2])
        self.assertEqual([line.rpartition("/")[2] for line in self.said], [str(1465001847 + n) for n in range(10)])

    def test_who_asks_once_is_not_told_that_it_is_asked_again(self) -> None:
        """Nor what waits: the command says at its end what was not published."""
        receiver = Receiver(
            URL, "jarvis", self.post, Nobody(), self.said.append, self.complained.append, self.clock.seconds, once=True
        )
        self.post.says[URL] = ["Connection refused"]
        receiver.take(Measured(1465001847, {"cpu": 1.0}))
        self.assertEqual(
            self.complained, [f"ERROR:  Publish failed to {URL}/jarvis/1465001847, details:  Connection refused"]
        )

    def test_receivers_do_not_wait_for_each_other(self) -> None:
        """One hangs, one is away, one is well."""
        urls = [f"http://{name}/api/perf" for name in ("hangs", "away", "well")]
        self.start(*urls)
        self.post.says = {urls[0]: ["hang"], urls[1]: ["Connection refused"] * 9}
        self.clock.pump([1] * 5)
        self.assertEqual([line for line in self.said if "well" not in line], [])
        self.assertEqual(len(self.said), 5)
        self.post.hangs[0].callback(None)
        self.assertEqual(sum("hangs" in line for line in self.said), 5)

    def test_what_a_receiver_does_not_want_is_dropped_and_told(self) -> None:
        """In its own words, with nothing in them that moves a cursor."""
        publishing = self.start()
        self.post.says[URL] = [Reply(422, PROBLEM)]
        self.clock.pump([1] * 2)
        self.assertIn("HTTP status 422: Unprocessable Content: cpu is \\u001b[31mtoo late; this sample is dropped",
                      self.complained[0])  # fmt: skip
        self.assertEqual((publishing.receivers[0].backlog.dropped, len(self.said)), (1, 1))

    def test_a_receiver_in_trouble_gets_it_later(self) -> None:
        """5xx, redirects, too many requests, and what may be mended by an operator, such as a token."""
        for reply in (Reply(500), Reply(301), Reply(429, b"", 7.0), Reply(403), Reply(401)):
            with self.subTest(status=reply.status):
                self.said, self.complained = [], []
                publishing = self.start()
                self.post.says[URL] = [reply]
                self.clock.pump([0.5] * 24)
                self.assertEqual(len(self.complained), 1)
                self.assertIn(f"HTTP status {reply.status}", self.complained[0])
                self.assertIn("again in 7 s" if reply.wait else "again in 1 s", self.complained[0])
                self.assertEqual((len(self.said), publishing.receivers[0].backlog.dropped), (12, 0))
                publishing.stopService()

    def test_a_name_goes_into_the_url_safely(self) -> None:
        """Whatever is in it."""
        self.start(host="a?b#ü%")
        self.clock.advance(1)
        self.assertEqual(self.post.sent[0][0], f"{URL}/a%3Fb%23%C3%BC%25/1465001847")

    def test_it_is_known_when_nothing_is_under_way(self) -> None:
        """So that a stop can wait for the last one."""
        publishing = self.start()
        self.successResultOf(publishing.settled())
        self.post.says[URL] = ["hang"]
        self.clock.advance(1)
        publishing.stopService()
        settled = publishing.settled()
        self.assertNoResult(settled)
        self.post.hangs[0].callback(None)
        self.successResultOf(settled)


class CredentialsTests(PublishingCase):
    def file(self) -> Path:
        """A place for a token."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        return folder / "token"

    def test_a_token_of_a_file_goes_with_each_post_and_a_new_one_after_it_was_replaced(self) -> None:
        """The file is looked at before each."""
        path = self.file()
        path.write_text("m436_first\n")
        self.start(credentials=TokenFile(str(path)))
        self.clock.advance(1)
        path.with_suffix(".new").write_text("m436_second\n")
        os.replace(path.with_suffix(".new"), path)
        self.clock.advance(1)
        self.assertEqual([fields["Authorization"] for _, fields, _ in self.post.sent],
                         ["Bearer m436_first", "Bearer m436_second"])  # fmt: skip
        path.unlink()
        self.clock.advance(1)
        self.assertIn("No such file", self.complained[0])

    def test_a_file_that_holds_no_token_is_refused(self) -> None:
        """It would be sent as a header."""
        for text in ("", "two words", "a\nX-Header: b", "ü", "\x1b"):
            path = self.file()
            path.write_text(text)
            with self.assertRaisesRegex(ValueError, "holds no token"):
                TokenFile(str(path))

    def test_a_certificate_gets_a_token_first_and_another_when_that_has_expired(self) -> None:
        """Both unseen by the samples: none is late or lost."""
        self.post.says = {
            "https://monitor/api/token": [Reply(200, b'{"token": "one"}'), Reply(200, b'{"token": "two"}')],
            "https://monitor/api/perf": [Reply(200), Reply(401), Reply(200)],
        }
        url = "https://monitor/api/perf"
        self.start(url, credentials=Certificate("https://monitor", self.post))
        self.clock.pump([1] * 2)
        self.assertEqual([fields.get("Authorization") for _, fields, _ in self.post.sent],
                         [None, "Bearer one", "Bearer one", None, "Bearer two"])  # fmt: skip
        self.assertEqual((len(self.said), self.complained), (2, []))

    def test_a_receiver_that_gives_no_token_is_told(self) -> None:
        """And asked again later."""
        answers = [Reply(403, b'{"title": "Forbidden"}'), Reply(200, b"[]"), Reply(200, b'{"token": "a b"}')]
        self.post.says["https://m/api/token"] = [*answers, Reply(200, b'{"token": "good"}')]
        self.start("https://m/api/perf", credentials=Certificate("https://m", self.post))
        self.clock.pump([0.5] * 30)
        told = [line.partition("details:  ")[2].partition(";")[0] for line in self.complained]
        self.assertEqual(told[0], "no token from https://m/api/token: HTTP status 403: Forbidden")
        self.assertEqual(told[1:], ["https://m/api/token gave no token"] * 2)
        self.assertEqual(len(self.said), 15)


class PosterTests(SynchronousTestCase):
    def test_who_takes_a_request_and_says_nothing_does_not_answer_in_time(self) -> None:
        """As a plain door that is talked TLS with."""
        reactor = MemoryReactorClock()
        told = self.failureResultOf(Deferred.fromCoroutine(self.posted(reactor)), Unreached)
        self.assertEqual(str(told.value), "no answer within 10 s")

    async def posted(self, reactor: MemoryReactorClock) -> Reply:
        """What is answered to a request over a connection that only takes."""
        reply = Deferred.fromCoroutine(Poster(Trust(TlsOptions()), reactor).post("http://192.0.2.1/", {}, b"{}"))
        [client] = reactor.tcpClients
        protocol = client[2].buildProtocol(None)
        transport = StringTransport()
        protocol.makeConnection(transport)
        self.assertIn(b"POST / HTTP/1.1", transport.value())
        reactor.advance(10)
        protocol.connectionLost(Failure(ConnectionAborted()))
        return await reply


class CommandTests(SynchronousTestCase):
    def refused(self, *words: str) -> str:
        """What is said of a command line that is wrong."""
        result = CliRunner().invoke(push, words)
        self.assertEqual(result.exit_code, 2, result.output)
        return " ".join(result.output.split())

    def test_a_wrong_command_line_is_told_in_a_sentence(self) -> None:
        """Before anything is measured or sent."""
        folder = Path(tempfile.mkdtemp())
        (folder / "token").write_text("m436_x")
        token, bad = ("--token-file", str(folder / "token")), folder / "token"
        cases: list[tuple[Any, ...]] = [
            ("expected a URL", "--this-host", "a", "--publish", "monitor"),
            ("expected no fragment", "--this-host", "a", "--publish", "http://m/#x"),
            ("http or https", "--this-host", "a", "--publish", "ftp://m/"),
            ("holds no user and password", "--this-host", "a", "--publish", "http://a:b@m/"),
            ("without spaces and slashes", "--this-host", "a/b", "--publish", URL),
            ("everybody can read it", "--this-host", "a", "--publish", URL, *token),
            ("over https only", "--this-host", "a", "--publish", URL, "--certificate", str(bad)),
            ("must end in /api/perf", "--this-host", "a", "--publish", "https://m/x", "--certificate", str(bad)),
            ("choose one", "--this-host", "a", "--publish", "https://m/api/perf", *token, "--certificate", "x"),
            ("expected a PEM certificate", "--this-host", "a", "--publish", "https://m/api/perf", "--certificate",
             str(bad)),
            ("No such file", "--this-host", "a", "--publish", "https://m/api/perf", "--ca", str(folder / "none")),
            ("No such file", "--this-host", "a", "--publish", "https://m/", "--token-file", str(folder / "none")),
            ("--interval", "--this-host", "a", "--publish", URL, "--interval", "0"),
        ]  # fmt: skip
        for sentence, *words in cases:
            with self.subTest(words=words):
                self.assertIn(sentence, self.refused(*words))
