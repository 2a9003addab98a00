"""The TLS door, without TLS: who may pass, and what is answered."""

import random
import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from msgspec import json, structs
from treq.testing import StubTreq
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from monitor436.agent import wire
from monitor436.agent.link.door import authorization
from monitor436.bounded_http import BoundedSite
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.model.server.crowd import Crowd
from monitor436.services.door import DoorService
from monitor436.services.keeper import Keeper
from monitor436.site import Site

PLAN = b'{"beat":5.0,"checks":[],"late":15.0}'
STREAMS = 3000  # of bytes, each on a connection of its own
PIECES = [
    *[b"POST /join HTTP/1.1\r\n"] * 3,
    *[b"\r\n", b"Authorization: Bearer TOKEN\r\n", b"Content-Length: 15\r\n", b'\r\n{"name": "web1"}'] * 2,
    b"GET /plan HTTP/1.1\r\n\r\n",
    b"GET //[?%ff=&;= HTTP/1.0\r\n",
    b"GET /agent436.pyz HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"garbage\r\n\r\n",
    b"Authorization: M436 web1 00 0 00 00\r\n",
    b"Content-Length: 4097\r\n\r\n",
    b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Content-Type: multipart/form-data; boundary=x\r\n",
    b"Content-Type: application/x-www-form-urlencoded\r\n",
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
    b"Cookie: a=b; ;=c\r\n",
    b"Host: a\r\n folded\r\n",
    b": no name\r\n",
    b"5\r\nhello\r\n",
    b"1001\r\n" + b"y" * 4097 + b"\r\n",
    b"ffffffffffffffffffff;x\r\n",
    b"0\r\n\r\n",
    b"\xff\x00\r\n",
    b"z" * 17_000,
]


class DoorTests(SynchronousTestCase):
    """Requests to the door of one site."""

    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.site = Site(folder)
        self.token = self.site.token(1000.0, 600.0)
        self.kept: list[Bound] = []
        self.events: list[Event] = []
        self.serials = 0
        self.open()

    def open(self, joinable: bool = True, approve: bool = False) -> None:
        """The next run of the server."""
        self.enrolment = Enrolment(self.kept)
        good = lambda token: self.site.good(token, 1000.0)  # noqa: E731
        keeper = Keeper(self.site, self.enrolment, self.kept.append, good, self.random, approve)
        door = DoorService(
            keeper, self.site, joinable, lambda host: PLAN, lambda: b"zip", self.events.extend, ("", 0), None  # type: ignore[arg-type]
        )  # fmt: skip
        self.pages = door.root()
        self.http = StubTreq(self.pages)

    def random(self, size: int) -> bytes:
        """Bytes nobody had before."""
        self.serials += 1
        return self.serials.to_bytes(size, "big")

    def ask(self, method: str, path: str, authorized: str = "", body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of an answer."""
        headers = {"Authorization": authorized} if authorized else {}
        response = self.successResultOf(self.http.request(method, f"https://door{path}", headers=headers, data=body))
        return response.code, self.successResultOf(response.content())

    def join(self, name: str, token: str = "") -> tuple[int, bytes]:
        """Ask for a key."""
        return self.ask("POST", "/join", f"Bearer {token or self.token}", json.encode({"name": name}))

    def proof(self, given: bytes, path: str = "/plan", name: str = "web1", pin: str = "") -> str:
        """What a host that joined shows."""
        key = json.decode(given)
        secret, serial = bytes.fromhex(key["key"]), bytes.fromhex(key["serial"])
        return authorization(name, serial, key["generation"], secret, pin or self.site.pin, path)

    def test_a_newcomer_with_the_token_gets_a_key_and_with_it_a_plan(self) -> None:
        """The key is the one that servers derive; the join is kept and told."""
        status, given = self.join("web1")
        self.assertEqual(status, 200)
        key = json.decode(given)
        derived = wire.host_key(self.site.key, "web1", bytes.fromhex(key["serial"]), 0)
        self.assertEqual(bytes.fromhex(key["key"]), derived)
        self.assertEqual(
            ([bound.name for bound in self.kept], [event.host for event in self.events]), (["web1"], ["web1"])
        )
        self.assertEqual(self.ask("GET", "/plan", self.proof(given)), (200, PLAN))

    def test_a_name_that_greeted_is_given_to_nobody_else(self) -> None:
        """Nor is its key."""
        _, given = self.join("web1")
        self.enrolment.bind("web1", json.decode(given)["serial"], 0)
        status, text = self.join("web1")
        self.assertEqual(status, 409)
        self.assertIn(b"--name", text)

    def test_without_a_good_token_nobody_joins(self) -> None:
        """And nothing is kept."""
        for token in ("wrong", "0." + "0" * 32, self.site.token(0.0, 1.0)):
            self.assertEqual(self.join("web1", token)[0], 401)
        self.assertEqual(self.ask("POST", "/join", "", b'{"name":"web1"}')[0], 401)
        self.assertEqual(self.kept, [])

    def test_a_closed_site_takes_nobody_in(self) -> None:
        """Hosts that joined before still get their plans."""
        _, given = self.join("web1")
        self.open(joinable=False)
        self.assertEqual(self.join("web2")[0], 403)
        self.assertEqual(self.ask("GET", "/plan", self.proof(given))[0], 200)

    def test_where_joins_are_approved_an_operator_decides_who_gets_a_key(self) -> None:
        """The machine that asked, told once; another one under that name gets nothing."""
        self.open(approve=True)
        asked = {name: json.encode({"name": "web1", "ask": name * 32}) for name in "ab"}
        for _ in range(2):
            self.assertEqual(self.ask("POST", "/join", f"Bearer {self.token}", asked["a"])[0], 202)
        self.assertEqual(self.ask("POST", "/join", f"Bearer {self.token}", asked["b"])[0], 409)
        self.assertEqual([event.kind for event in self.events], [kinds.HOST_WAITING])
        [waiting] = self.kept
        self.enrolment.take(structs.replace(waiting, state="approved"))
        self.assertEqual(self.ask("POST", "/join", f"Bearer {self.token}", asked["b"])[0], 409)
        status, given = self.ask("POST", "/join", f"Bearer {self.token}", asked["a"])
        self.assertEqual(status, 200)
        self.assertEqual(self.ask("GET", "/plan", self.proof(given))[0], 200)

    def test_what_is_no_name_is_refused(self) -> None:
        """With a reason, and without a traceback."""
        for body in (
            b"",
            b"{",
            b"[]",
            b'{"name":1}',
            b'{"name":"../x"}',
            b'{"name":"UP"}',
            b'{"name":""}',
            b"\xff",
            b'{"name":"a","ask":"x y"}',
        ):
            self.assertEqual(self.ask("POST", "/join", f"Bearer {self.token}", body)[0], 400, body)

    def test_a_proof_is_good_once_for_one_path_host_and_certificate(self) -> None:
        """Whatever part is another one."""
        _, given = self.join("web1")
        self.join("web2")
        good = self.proof(given)
        bad = [self.proof(given, path="/other"), self.proof(given, name="web2"), self.proof(given, pin="0" * 64)]
        bad += [
            "M436",
            "M436 a b c d e",
            good + "0",
            good.replace("M436", "Bearer"),
            "M436 web1 zz 0 n p",
            "M436 é 0 0 0 0",
        ]
        for shown in ["", *bad]:
            self.assertEqual(self.ask("GET", "/plan", shown)[0], 401, shown)
        self.assertEqual(self.ask("GET", "/plan", good)[0], 200)
        self.assertEqual(self.ask("GET", "/plan", good)[0], 401)

    def test_the_agent_file_is_for_hosts_and_newcomers(self) -> None:
        """It holds the join token."""
        _, given = self.join("web1")
        self.assertEqual(self.ask("GET", "/agent436.pyz")[0], 401)
        self.assertEqual(self.ask("GET", "/agent436.pyz", f"Bearer {self.token}"), (200, b"zip"))
        self.assertEqual(self.ask("GET", "/agent436.pyz", self.proof(given, "/agent436.pyz")), (200, b"zip"))

    def test_a_length_that_is_no_number_is_no_traceback(self) -> None:
        """Anybody may send one, and the log is for mistakes of ours."""
        web = BoundedSite(Resource(), Crowd(1, 1), "door", Clock())
        channel, wire = web.buildProtocol(None), StringTransport()
        channel.makeConnection(wire)
        channel.dataReceived(b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\nX: y\r\n\r\n")
        self.assertTrue(wire.value().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(wire.disconnecting)

    def test_no_bytes_of_strangers_are_a_traceback(self) -> None:
        """Whatever they are made of, and wherever they are cut: at most one answer each, and no word in the log."""
        told: list[LogEvent] = []
        globalLogPublisher.addObserver(told.append)
        self.addCleanup(globalLogPublisher.removeObserver, told.append)
        dice, clock, answers = random.Random(436), Clock(), Counter[bytes]()
        web = BoundedSite(self.pages, Crowd(10, 10), "door", clock, clock.seconds)
        pieces = [piece.replace(b"TOKEN", self.token.encode()) for piece in PIECES]
        for _ in range(STREAMS):
            channel, wire = web.buildProtocol(None), StringTransport()
            channel.makeConnection(wire)
            data = b"".join(dice.choices(pieces, k=dice.randrange(1, 12)))
            if dice.random() < 0.5:
                at = dice.randrange(len(data))
                data = data[:at] + dice.randbytes(dice.randrange(3)) + data[at + 1 :]
            while data:
                size = dice.choice((1, 7, 100, 30_000))
                channel.dataReceived(data[:size])
                data = data[size:]
            channel.connectionLost(Failure(ConnectionDone()))
            channel.dataReceived(b"\r\n" * 3)
            statuses = re.findall(rb"HTTP/1\.. ([2-5]\d\d) ", wire.value())
            self.assertLessEqual(len(statuses), 1, wire.value())
            answers.update(statuses)
        self.assertEqual((told, clock.getDelayedCalls()), ([], []))
        self.assertLessEqual({b"200", b"400", b"401", b"404", b"413"}, set(answers), answers)

    def test_there_is_nothing_else(self) -> None:
        """Other paths and methods are not found."""
        for method, path in (
            ("GET", "/"),
            ("GET", "/join"),
            ("POST", "/plan"),
            ("GET", "/plan/../x"),
            ("PUT", "/join"),
            ("GET", "/plan/x"),
        ):
            self.assertEqual(self.ask(method, path, f"Bearer {self.token}")[0], 404, path)
