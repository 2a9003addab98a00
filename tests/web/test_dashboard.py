"""The dashboard's own pages, asked through the door: signing in, files, overview, plans, charts, silences."""

import gzip
import random
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import json
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from monitor436.acts import Acts
from monitor436.links import LIFE, LinkError, Links
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.keys.tokens import Tokens
from monitor436.model.metrics.rollup import Sample
from monitor436.model.plans.planbook import Planbook
from monitor436.model.settings.http import Http
from monitor436.web import sessions
from monitor436.web.dashboard import Dashboard
from monitor436.web.live import Live
from monitor436.web.page import POLICY, TYPES, read_files, wants_text
from monitor436.web.sessions import Browsers, written
from monitor436.web.signin import SignInPages
from monitor436.web.silences import QuietPages
from tests.web.conversation import KEPT, NOW, TOKENS, WEB1, Answered, ask, door
from tests.web.known import PagesCase

OURS = "X-Monitor436: 1"
JSON = "Content-Type: application/json"
LONG = 3600 * 24 * 3.0


class PlansStub:
    """One rule for everybody."""

    folder = "/site/agents"
    book = Planbook({})

    def plan(self, host: str) -> bytes:
        """The plan of a host."""
        return b'{"checks": [{"name": "load", "reading": "load1", "warning": "above 8", "tags": []}]}'

    def digest(self, host: str) -> str:
        """What it is known by."""
        return "d1"


class DashboardCase(PagesCase):
    """Shared: all its pages behind a door that wants tokens or cookies."""

    def setUp(self) -> None:
        super().setUp()
        self.dice = random.Random(436)
        self.links = Links(self.folder / "links.jsonl")
        self.acts = Acts(self.folder / "acts.jsonl")
        self.browsers = Browsers(self.clock.seconds, self.dice.randbytes)
        self.tokens = Tokens(KEPT)
        live = Live("srv", "b00t", self.clock)
        wall = lambda: NOW  # noqa: E731
        signin = SignInPages("srv", self.browsers, self.links, lambda: self.tokens, lambda: self.door.admission, wall)
        dashboard = Dashboard("srv", live, signin, wall)
        plans = PlansStub()
        plans.book.groups = lambda host: self.groups.get(host, ())  # type: ignore[method-assign]
        plans.book.origin = lambda host: {"load": ("/site/agents/all.yaml", 7)}  # type: ignore[method-assign]
        self.own = dashboard.routes(
            self.pages.fleet, plans, self.rollups, lambda: self.late, self.clock.seconds,
            lambda: len(self.board.silences.known),
        )  # fmt: skip
        quiet = QuietPages(
            lambda: self.board, lambda act: execute(self.acts.add, act), self.roster.get, lambda: NOW
        ).routes()
        self.door = door(*self.own, *quiet, http=Http(), clock=self.clock, sessions=self.browsers.who)

    def exchange(self, *lines: str, **shown: str) -> Answered:
        """Show a link or a token."""
        return ask(self.door, "POST", "/api/session", "", json.encode(shown), JSON, *lines)

    def cookie(self, scope: str = "read") -> str:
        """The Cookie header of somebody who signed in with a link."""
        secret = self.dice.randbytes(16).hex()
        self.links.make(secret, "ann", (scope,), NOW)
        set_cookie = self.exchange(link=secret).fields["set-cookie"]
        return f"Cookie: {set_cookie.partition(';')[0]}"

    def as_browser(self, method: str, path: str, cookie: str, body: Any = None, *lines: str) -> Answered:
        """What a browser is answered."""
        content = None if body is None else json.encode(body)
        return ask(self.door, method, path, "", content, JSON, cookie, *lines)


class SignInTests(DashboardCase):
    """A link or a token for a cookie."""

    def test_a_link_is_good_once(self) -> None:
        """Its cookie is kept from scripts and from other sites, and tells who it is."""
        self.links.make("s3cret", "ann", ("read",), NOW)
        answered = self.exchange(link="s3cret")
        self.assertEqual(answered.value["scopes"], ["read"])
        set_cookie = answered.fields["set-cookie"]
        self.assertRegex(set_cookie, r"^m436=[\w-]{43}; Path=/; Max-Age=28800; HttpOnly; SameSite=Strict$")
        cookie = f"Cookie: {set_cookie.partition(';')[0]}"
        self.assertEqual(self.as_browser("GET", "/api/session", cookie).value["name"], "ann")
        self.assertEqual(self.as_browser("GET", "/api/overview", cookie).status, 200)
        again = self.exchange(link="s3cret")
        self.assertEqual((again.status, "used before" in again.value["detail"]), (401, True))

    def test_wrong_links_and_tokens_are_few(self) -> None:
        """After ten of them the address waits."""
        statuses = [self.exchange(link=f"guess {number}").status for number in range(8)]
        statuses += [self.exchange(token=f"m436_{number}").status for number in range(4)]
        self.assertEqual(statuses, [401] * 10 + [429] * 2)

    def test_a_token_signs_in_as_long_as_it_is_good(self) -> None:
        """A revoked one ends the session; that of a host and none at all sign nobody in."""
        answered = self.exchange(token=TOKENS["reader"])
        cookie = f"Cookie: {answered.fields['set-cookie'].partition(';')[0]}"
        self.assertEqual(self.as_browser("GET", "/api/overview", cookie).status, 200)
        self.tokens = Tokens()
        self.assertEqual(self.as_browser("GET", "/api/overview", cookie).status, 401)
        self.assertEqual(self.exchange(token=WEB1).status, 403)
        self.assertEqual(self.exchange().status, 422)
        self.assertEqual(self.exchange(token="x", link="y").status, 422)

    def test_signing_out_and_time_end_a_session(self) -> None:
        """An hour without a request, or eight hours with them."""
        cookie = self.cookie()
        gone = self.as_browser("DELETE", "/api/session", cookie, None, OURS)
        self.assertEqual((gone.status, "Max-Age=0" in gone.fields["set-cookie"]), (204, True))
        self.assertEqual(self.as_browser("GET", "/api/overview", cookie).status, 401)
        idle, busy = self.cookie(), self.cookie()
        for _ in range(8):
            self.assertEqual(self.as_browser("GET", "/api/overview", busy).status, 200)
            self.clock.advance(sessions.IDLE - 1)
        self.assertEqual(self.as_browser("GET", "/api/overview", idle).status, 401)
        self.assertEqual(self.as_browser("GET", "/api/overview", busy).status, 200)
        self.clock.advance(60)
        self.assertEqual(self.as_browser("GET", "/api/overview", busy).status, 401)

    def test_sessions_are_bounded_and_known_by_their_hashes(self) -> None:
        """The one that was quiet longest goes first."""
        first = self.browsers.begin("ann", frozenset({"read"}))
        for _ in range(sessions.MOST):
            self.browsers.begin("bob", frozenset({"read"}))
        self.assertEqual(len(self.browsers), sessions.MOST)
        self.assertIsNone(self.browsers.who(first))
        self.assertNotIn(first, repr(vars(self.browsers)))

    def test_another_site_changes_nothing_with_our_cookie(self) -> None:
        """Without our header, or with an origin of its own, a change is refused."""
        cookie, silence = self.cookie("admin"), {"host": "web1", "seconds": 3600, "text": "x"}
        self.assertEqual(self.as_browser("POST", "/api/silences", cookie, silence).status, 403)
        evil = "Origin: https://evil.example"
        self.assertEqual(self.as_browser("POST", "/api/silences", cookie, silence, OURS, evil).status, 403)
        self.assertEqual(self.as_browser("POST", "/api/silences", cookie, silence, OURS).status, 200)

    def test_another_site_signs_nobody_in(self) -> None:
        """A browser tells where a page is from; our own page sends a header that others cannot."""
        self.links.make("s3cret", "ann", ("read",), NOW)
        origin = "Origin: https://evil.example"
        self.assertEqual(self.exchange(origin, link="s3cret").status, 403)
        self.assertEqual(self.exchange(origin, OURS, link="s3cret").status, 200)

    def test_behind_a_proxy_with_tls_the_cookie_is_for_that_path_and_for_tls_only(self) -> None:
        """As the client reaches the server."""
        text = written("v", "https://monitor.example/sub/path")
        self.assertIn("Path=/sub/path;", text)
        self.assertTrue(text.endswith("; Secure"))


class LinkTests(SynchronousTestCase):
    """The file of links."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "links.jsonl"
        self.links = Links(self.path)

    def test_no_secret_is_in_the_file_and_nobody_else_reads_it(self) -> None:
        """Hashes alone."""
        self.links.make("s3cret", "ann", ("read",), NOW)
        self.assertNotIn(b"s3cret", self.path.read_bytes())
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_a_link_ends_by_time_and_after_a_clock_was_set_back(self) -> None:
        """Ten minutes, on both sides."""
        self.links.make("a", "ann", ("read",), NOW)
        for wrong in (NOW + LIFE, NOW - LONG):
            with self.assertRaises(LinkError):
                self.links.use("a", wrong)
        self.assertEqual(self.links.use("a", NOW + LIFE - 1).name, "ann")

    def test_a_used_link_stays_used_over_a_restart_and_half_a_line(self) -> None:
        """What a power cut left is passed over."""
        self.links.make("a", "ann", ("admin",), NOW)
        Links(self.path).use("a", NOW)
        with open(self.path, "ab") as file:
            file.write(b'{"hash": "half')
        self.links.make("b", "bob", ("read",), NOW)
        with self.assertRaisesRegex(LinkError, "used before"):
            Links(self.path).use("a", NOW)
        self.assertEqual(Links(self.path).use("b", NOW).scopes, ("read",))

    def test_the_file_does_not_grow_for_ever(self) -> None:
        """What has expired leaves it."""
        for number in range(50):
            self.links.make(str(number), "ann", ("read",), NOW + number * LIFE)
        self.assertLess(len(self.path.read_bytes().splitlines()), 4)


class FileTests(DashboardCase):
    """The page and its files."""

    def test_a_browser_gets_the_page_with_its_policy_and_asks_again_for_little(self) -> None:
        """Packed if it takes that, and 304 once it has it."""
        first = ask(self.door, "GET", "/", "", None, "Accept: text/html", "Accept-Encoding: gzip")
        self.assertEqual(first.fields["content-security-policy"], POLICY)
        self.assertTrue(gzip.decompress(first.body).startswith(b"<!DOCTYPE html>"))
        mark = f"If-None-Match: {first.fields['etag']}"
        again = ask(self.door, "GET", "/", "", None, "Accept: text/html", "Accept-Encoding: gzip", mark)
        self.assertEqual((again.status, again.body), (304, b""))
        bare = ask(self.door, "GET", "/", "", None, "Accept: text/html")
        self.assertNotEqual(bare.fields["etag"], first.fields["etag"])

    def test_a_terminal_gets_text_if_it_may_read(self) -> None:
        """curl by its name, anybody by what he accepts."""
        self.roster.beat("web1", self.clock.seconds(), 1, 0, "")
        self.assertEqual(ask(self.door, "GET", "/", "", None, "User-Agent: curl/8").status, 401)
        told = ask(self.door, "GET", "/", TOKENS["reader"], None, "User-Agent: curl/8")
        self.assertEqual(told.fields["content-type"], "text/plain; charset=utf-8")
        self.assertIn(b"srv: 1 of 1 hosts are up", told.body)
        self.assertFalse(wants_text({"user-agent": "curl/8", "accept": "text/html"}))
        self.assertTrue(wants_text({"user-agent": "Mozilla", "accept": "text/plain"}))

    def test_every_file_has_a_type_and_a_way_to_it(self) -> None:
        """What no file is is 404, whatever it is called."""
        files = read_files()
        for name in files:
            answered = ask(self.door, "GET", f"/static/{name}")
            self.assertEqual((answered.status, answered.fields["content-type"]), (200, files[name].kind), name)
        for name in ("nothing.js", "..%2fpage.py", "%2e%2e"):
            self.assertIn(ask(self.door, "GET", f"/static/{name}").status, (400, 404), name)

    def test_nothing_in_the_page_breaks_its_policy(self) -> None:
        """No script or style within HTML, no HTML in strings, no address of another place."""
        for name, file in read_files().items():
            if name.startswith("uPlot") or file.kind == TYPES["svg"]:
                continue
            text = file.content.decode()
            self.assertIsNone(re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text), name)
            self.assertEqual(re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text), [], name)
            if name.endswith(".html"):
                self.assertIsNone(re.search(r"<style|\sstyle=|\son\w+=|<script>", text), name)

    def test_every_file_that_is_named_is_there(self) -> None:
        """Of scripts, styles and what they import."""
        files = read_files()
        for name, file in files.items():
            if name.startswith("uPlot"):
                continue
            for named in re.findall(r'(?:static/|"\./)([\w.-]+\.(?:js|css|svg))', file.content.decode()):
                self.assertIn(named, files, name)


class OverviewTests(DashboardCase):
    """The fleet in one answer."""

    def setUp(self) -> None:
        super().setUp()
        now = self.clock.seconds()
        for name, age in (("web1", 100), ("db1", 2), ("web2", 0)):
            self.roster.beat(name, now - age, 1, 0, "")
        self.roster.expire(now - 84)
        self.groups = {"web1": ("web",), "web2": ("web", "all"), "db1": ("all",)}
        at = datetime.fromtimestamp(NOW, UTC)
        bad = Event(at, "warning", "web2", "check_state", "disk", "\x1b[31mfull\u202e", {"state": "warning"})
        self.hear(bad)

    def overview(self) -> Any:
        """What it says."""
        return ask(self.door, "GET", "/api/overview", TOKENS["reader"]).value

    def test_hosts_are_counted_by_state_and_drawn_by_group(self) -> None:
        """A letter each, in the order of names; a host of two groups is in both."""
        told = self.overview()
        self.assertEqual(told["hosts"], {"up": 2, "late": 1})
        self.assertEqual(told["worse"], {"critical": 0, "warning": 2})
        self.assertEqual([(each["name"], each["cells"]) for each in told["groups"]], [("all", "uw"), ("web", "lw")])

    def test_it_is_counted_anew_a_moment_later(self) -> None:
        """Many pages may ask at once."""
        self.overview()
        self.roster.beat("web3", self.clock.seconds(), 1, 0, "")
        self.assertEqual(self.overview()["hosts"]["up"], 2)
        self.clock.advance(1)
        self.assertEqual(self.overview()["hosts"]["up"], 3)

    def test_those_that_nobody_is_told_of_are_counted_and_come_last(self) -> None:
        """With the silence, or with who knows of it."""
        at = datetime.fromtimestamp(NOW, UTC)
        for known, host in (("s1", "web2"), ("s2", "d*")):
            fields: dict[str, Any] = {"silence": known, "until": NOW + 60, "host": host}
            self.hear(Event(at, kind=kinds.SILENCE_ADDED, fields=fields))
        for host in ("web1", "web2"):
            self.hear(
                Event(at, "critical", host, "check_state", "raid", "degraded", {"state": "critical"}),
                Event(at, host=host, kind=kinds.ACKNOWLEDGED, check="raid", text="on it", fields={"by": "ann"}),
            )
        self.roster.beat("web3", self.clock.seconds(), 1, 0, "")
        self.hear(Event(at, "warning", "web3", "check_state", "load", "high", {"state": "warning"}))
        self.assertEqual(self.overview()["held"], {"silenced": 2, "acknowledged": 2})
        text = ask(self.door, "GET", "/", TOKENS["reader"], None, "Accept: text/plain").body.decode()
        self.assertIn("\nsilenced: 2 hosts by 2 silences\nacknowledged: 2 hosts\n", text)
        rows = [line.split() for line in text.splitlines() if line.startswith(("warning", "critical"))]
        self.assertEqual(
            [(row[0], row[1], " ".join(row[3:])) for row in rows],
            [
                ("warning", "web3", "high"),
                ("critical", "web1", "degraded [acknowledged by ann: on it]"),
                ("critical", "web2", "degraded [silenced s1]"),
            ],
        )

    def test_as_text_it_names_the_worst_and_moves_no_cursor(self) -> None:
        """Escapes and marks of direction are spelt out."""
        self.late = "disk full"
        text = ask(self.door, "GET", "/", TOKENS["reader"], None, "Accept: text/plain").body.decode()
        self.assertIn("this server has a trouble of its own: disk full", text)
        self.assertRegex(text, r"warning +web2 +up +\\u001b\[31mfull\\u202e\n")
        self.assertTrue(text.replace("\n", "").isprintable())


class HostTests(DashboardCase):
    """What the page of one host asks for."""

    def test_rules_come_with_the_place_where_each_is_written(self) -> None:
        """Below the folder of plans. A stranger is not asked about: the book would remember."""
        self.roster.beat("web1", self.clock.seconds(), 1, 0, "")
        told = ask(self.door, "GET", "/api/hosts/web1/plan", TOKENS["reader"]).value
        [rule] = told["checks"]
        self.assertEqual(
            rule, {"name": "load", "rule": "reading: load1; warning: above 8", "file": "all.yaml", "line": 7}
        )
        self.assertEqual(ask(self.door, "GET", "/api/hosts/nobody/plan", TOKENS["reader"]).status, 404)

    def test_charts_get_every_window(self) -> None:
        """Minutes and hours, flat."""
        self.rollups.take([Sample("web1", "cpu", value, NOW - 60) for value in (1.0, 3.0)], NOW)
        told = ask(self.door, "GET", "/api/hosts/web1/metrics?label=CPU", TOKENS["reader"]).value
        [series] = told["series"]
        start = int(NOW - 60) // 60 * 60
        self.assertEqual(series["minutes"], [[start, 2, 4.0, 1.0, 3.0, 3.0]])
        self.assertEqual(len(series["hours"]), 1)


class QuietTests(DashboardCase):
    """Silences and acknowledgements."""

    def acted(self) -> None:
        """What the running server does with acts: they become events."""
        for act in self.acts.read(""):
            fields = {**act.fields, "by": act.by, "act": act.id}
            self.board.take(Event(kind=act.kind, host=act.host, check=act.check, text=act.text, fields=fields), NOW)

    def test_a_silence_is_set_seen_and_ended(self) -> None:
        """By who may."""
        cookie = self.cookie("admin")
        wanted = {"host": "web*", "seconds": 3600, "text": "disks are changed"}
        made = self.as_browser("POST", "/api/silences", cookie, wanted, OURS)
        self.acted()
        [silence] = self.as_browser("GET", "/api/silences?host=web7", cookie).value["silences"]
        self.assertEqual((silence["id"], silence["by"], silence["until"]), (made.value["id"], "ann", NOW + 3600))
        self.assertEqual(self.as_browser("GET", "/api/silences?host=db1", cookie).value["silences"], [])
        path = f"/api/silences/{silence['id']}"
        self.assertEqual(self.as_browser("DELETE", path, cookie, None, OURS).status, 204)
        self.acted()
        self.assertEqual(self.as_browser("GET", "/api/silences", cookie).value["silences"], [])
        self.assertEqual(self.as_browser("DELETE", path, cookie, None, OURS).status, 404)

    def test_what_is_acknowledged_is_told_with_who_knows(self) -> None:
        """Only of hosts that are known."""
        cookie = self.cookie("admin")
        self.roster.beat("web1", self.clock.seconds(), 1, 0, "")
        self.board.take(Event(kind=kinds.HOST_DOWN, host="web1", severity="critical", text="down"), NOW)
        told = self.as_browser("POST", "/api/acknowledgements", cookie, {"host": "web1", "text": "on it"}, OURS)
        self.assertEqual(told.status, 200)
        self.acted()
        [known] = self.as_browser("GET", "/api/silences?host=web1", cookie).value["acknowledged"]
        self.assertEqual((known["host"], known["note"]), ("web1", "by ann: on it"))
        nobody = self.as_browser("POST", "/api/acknowledgements", cookie, {"host": "web9", "text": "x"}, OURS)
        self.assertEqual(nobody.status, 404)

    def test_who_may_only_look_changes_nothing_and_nobody_silences_everything(self) -> None:
        """403, and 422."""
        wanted = {"seconds": 3600, "text": "all"}
        self.assertEqual(self.as_browser("POST", "/api/silences", self.cookie(), wanted, OURS).status, 403)
        self.assertEqual(self.as_browser("POST", "/api/silences", self.cookie("admin"), wanted, OURS).status, 422)
        self.assertEqual(self.acts.read(""), [])
