"""The dashboard in a real browser."""

import time
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest

from tests.e2e.browser import ABSENT, PHONE, Chromium, MadeUpFleet, signed_in, visit
from tests.e2e.patience import eventually
from tests.e2e.stage import Stage

SHOWN = 15.0  # seconds in which a page has drawn what it is to show
SOON = 2.0  # seconds in which what is durable is to be seen
TURNS = 3  # of which the quickest counts: a machine that is busy with other tests may stop any process for a while
HOSTS = 60
PAGES = {
    "fleet": ("#/", "tbody tr"),
    "host": ("#/host/app001", ".chart canvas"),
    "events": ("#/events", ".events li"),
    "polls": ("#/polls", "#sweep-racks"),
    "silences": ("#/silences", "form"),
}

try:
    from axe_playwright_python.sync_playwright import Axe
except ImportError:
    Axe = None  # type: ignore[assignment,misc]


@unittest.skipIf(ABSENT, ABSENT)
@pytest.mark.alone
class LiveTests(Stage):
    """A real server and real agents."""

    def test_a_host_that_dies_and_returns_is_seen_while_the_page_is_open(self) -> None:
        """Within two seconds of the event, without a reload. The link is that of the command, and good once."""
        server = self.server().start()
        _, other = self.follower(server, "web1").start(), self.follower(server, "web2").start()
        for host in ("web1", "web2"):
            server.follows(host)
        status, said = server.command("dashboard", "--name", "ann")
        self.assertEqual(status, 0, said)
        link = said.splitlines()[0]
        browser = Chromium()
        self.addCleanup(browser.close)
        with browser.page() as page:
            signed_in(page, link)
            page.wait_for_selector("text=All 2 hosts are up")
            page.wait_for_selector("#link[data-state=live]")
            self.assertNotIn("link", page.url)
            for _ in range(TURNS):
                died, returned = (len(server.events(kind=kind, host="web2")) for kind in ("host_down", "host_up"))
                other.kill()
                server.event(kind="host_down", host="web2", after=died)
                seconds = _until(page, "text=1 of 2 hosts are up")
                page.wait_for_selector("tr[data-key=web2] .state.down")
                other.start()
                server.event(kind="host_up", host="web2", after=returned)
                seconds = max(seconds, _until(page, "text=All 2 hosts are up"))
                if seconds < SOON:
                    break
            self.assertLess(seconds, SOON)
            self.assertIn("All 2 hosts are up", page.text_content("#said"))  # a screen reader is told, too
            page.click("text=web2")
            page.wait_for_selector("section:has-text('Last datagrams') tr:has-text('BEAT') >> text=127.0.0.1:")
        with browser.page() as page:
            page.goto(link)
            page.wait_for_selector("text=this link was used before")
            _, token = server.command("token", "new", "bob", "--scope", "read")
            page.fill("#token", "m436_wrong")
            page.press("#token", "Enter")
            page.wait_for_selector("text=not good here")
            page.fill("#token", token.split()[0])
            page.press("#token", "Enter")
            page.wait_for_selector("text=All 2 hosts are up")
            page.reload()
            page.wait_for_selector("text=All 2 hosts are up")
            page.click("text=Sign out")
            page.wait_for_selector("#token")
            self.assertEqual(page.context.cookies(), [])


@unittest.skipIf(ABSENT, ABSENT)
class PageTests(unittest.TestCase):
    """Every view, over a fleet that is made up."""

    folder: ClassVar[Any]
    fleet: ClassVar[MadeUpFleet]
    browser: ClassVar[Chromium]
    cookies: ClassVar[Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = TemporaryDirectory(prefix="m436-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.fleet = MadeUpFleet(Path(cls.folder.name) / "site", HOSTS)
        cls.addClassCleanup(cls.fleet.close)
        cls.browser = Chromium()
        cls.addClassCleanup(cls.browser.close)
        with cls.browser.page() as page:
            cls.cookies = signed_in(page, cls.fleet.link)

    def open(self, page: Any, name: str) -> None:
        """Go to a view, and wait until it shows something."""
        path, shows = PAGES[name]
        visit(page, f"{self.fleet.root}/{path}")
        page.wait_for_selector(shows)

    def test_the_list_is_filtered_sorted_and_told_of_in_the_address(self) -> None:
        """By a word, a state, a group; what stands in the address is there again after a reload."""
        with self.browser.page(cookies=self.cookies) as page:
            self.open(page, "fleet")
            page.fill("#search", "db0")
            _counted(page, "tbody tr", 7)
            self.assertIn("text=db0", page.url)
            page.reload()
            _counted(page, "tbody tr", 7)
            page.click("thead >> text=Host")
            page.wait_for_selector("th[aria-sort=ascending] >> text=Host")
            page.press("#search", "Escape")
            _counted(page, "tbody tr", 60)
            page.click(".chip >> text=down")
            _counted(page, "tbody tr", 1)
            page.click(".chip >> text=down")
            page.click(".group >> text=mail")
            _counted(page, "tbody tr", 3)

    def test_a_host_shows_why_its_checks_its_rules_and_charts_with_tables(self) -> None:
        """The chart has ink on it, and the table behind it the same values."""
        with self.browser.page(cookies=self.cookies) as page:
            self.open(page, "host")
            page.wait_for_selector("text=disk on fire")
            page.wait_for_selector(".why >> text=hostile")
            page.wait_for_selector("td >> text=all.yaml:10")
            eventually(lambda: page.evaluate(INK), SHOWN, "ink on a chart")
            page.click(".chart summary >> nth=0")
            eventually(lambda: page.locator(".chart details[open] tbody tr").count() > 50, SHOWN, "a table")
            page.click("text=Day")
            eventually(lambda: page.evaluate(INK), SHOWN, "ink on a chart")
            self.assertGreater(page.locator(".chart").count(), 5)

    def test_what_hosts_say_is_text_and_nothing_else(self) -> None:
        """Markup stays letters, and what turns or hides text is spelt out."""
        with self.browser.page(cookies=self.cookies) as page:
            for path in ("host/app001", "events?kind=reported"):
                visit(page, f"{self.fleet.root}/#/{path}")
                page.wait_for_selector("text=<img src=x onerror=alert(1)>")
                self.assertEqual(page.locator("main img, main script").count(), 0)
                shown = page.text_content("main")
                self.assertIn("\\u202e", shown)
                self.assertNotRegex(shown, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e]")

    def test_events_come_and_can_be_held_and_filtered(self) -> None:
        """The newest on top; what does not pass the filter is not sent at all."""
        with self.browser.page(cookies=self.cookies) as page:
            self.open(page, "events")
            _settled(page)
            before = page.locator(".events li").count()
            self.fleet.turn(5)
            _counted(page, ".events li", before + 5)
            page.click("text=Hold")
            self.fleet.turn(3)
            page.wait_for_selector("text=Go on (3 new events)")
            self.assertEqual(page.locator(".events li").count(), before + 5)
            page.click("text=Go on")
            _counted(page, ".events li", before + 8)
            page.fill("#search", "disk on fire")
            _counted(page, ".events li", 1)
            self.fleet.turn(20)
            page.select_option("select", "critical")
            page.wait_for_selector("text=No event is like that yet.")

    def test_older_events_are_had_page_by_page_back_to_the_oldest(self) -> None:
        """Each once, with the filter, by the keyboard; the list holds a page, and its address leads there again."""
        self.fleet.turn(250)
        with self.browser.page(cookies=self.cookies) as page:
            for query in ("", "text=raid"):
                visit(page, f"{self.fleet.root}/#/events?{query}")
                _counted(page, ".events li", 100 if not query else min(100, len(_kept(page, query))))
                wanted, found = _kept(page, query), _ids(page)
                while page.locator("[data-turn=older]:enabled:visible").count():
                    shown = _turned(page, "o")
                    self.assertLessEqual(len(shown), 100)
                    found += shown
                self.assertEqual(found, wanted[::-1])
            pages = _held_back(page, "**/api/events?from=end*")
            visit(page, f"{self.fleet.root}/#/events")
            asked = _asked(page, pages)
            self.assertEqual(page.locator("[data-turn]:enabled").count(), 0)  # they would lead to the oldest of all
            self.assertEqual(page.locator("[data-turn]:visible").count(), 0)
            asked.continue_()
            _settled(page)  # what comes from now on is counted
            page.click("text=Older →")
            page.wait_for_selector("text=← Newer")
            self.assertTrue(page.evaluate("document.activeElement.dataset.turn === 'older'"))
            at, shown = page.url, _ids(page)
            self.assertIn("before=", at)
            self.fleet.turn(3)
            page.wait_for_selector("text=Newest (3 new events)")
            self.assertEqual(_ids(page), shown)
            page.click("text=Older →")
            eventually(lambda: _ids(page) != shown, SHOWN, "another page")
            self.assertNotEqual(page.url, at)
            self.assertEqual(_turned(page, "n"), shown)
            page.reload()
            _counted(page, ".events li", 100)
            self.assertEqual(_ids(page), shown)
            page.click("text=Newest")
            page.wait_for_url(lambda url: "before=" not in url)
            self.assertEqual(_ids(page)[0], _kept(page, "")[-1])

    def test_the_list_of_events_is_bounded_and_what_left_it_is_had_with_older(self) -> None:
        """Also what is so far back that the server looks for it several times, or that is kept no more."""
        with self.browser.page(cookies=self.cookies) as page:
            self.open(page, "events")
            _settled(page)
            for _ in range(5):
                self.fleet.turn(120)  # few enough for the stream, which skips what a client does not read in time
                newest = page.evaluate(KEPT, "from=end&most=600")[1:]
                page.wait_for_selector(f".events li:first-child[data-id='{newest[-1]}']")
            self.assertEqual(_ids(page), newest[100:][::-1])
            self.assertEqual(_turned(page, "o"), newest[:100][::-1])
            self.fleet.turn(20_000)
            visit(page, f"{self.fleet.root}/#/events?text=disk on fire")
            _counted(page, ".events li", 1)
            visit(page, f"{self.fleet.root}/#/events?before={'0' * 16}-5")
            page.wait_for_selector("text=Those events are not kept any more")
            _counted(page, ".events li", 100)
            self.assertNotIn("before=", page.url)

    def test_no_event_is_lost_between_a_page_and_its_stream(self) -> None:
        """Neither what comes before the server has the stream, nor what comes while the page is read anew."""
        with self.browser.page(cookies=self.cookies) as page:
            streams = _held_back(page, "**/api/live*")
            self.open(page, "events")
            asked = _asked(page, streams)
            self.fleet.turn(3)
            asked.continue_()
            _nothing_lost(page, _newest(page))
            pages = _held_back(page, "**/api/events?from=end&most=100")
            self.fleet.turn(500)  # more than the stream tells at once
            asked = _asked(page, pages)
            answer = asked.fetch()
            self.fleet.turn(3)
            page.evaluate(PASSED)
            asked.fulfill(response=answer)
            _nothing_lost(page, _newest(page))

    def test_what_the_stream_left_out_is_there_when_one_goes_on(self) -> None:
        """And turning to older events is not undone by it."""
        with self.browser.page(cookies=self.cookies) as page:
            self.open(page, "events")
            _settled(page)
            page.click("text=Hold")
            self.fleet.turn(500)
            page.wait_for_selector("text=/Go on .*new events/")
            page.click("text=Go on")
            _nothing_lost(page, _newest(page))
            pages = _held_back(page, "**/api/events?before=*")
            page.keyboard.press("o")
            asked = _asked(page, pages)
            answer = asked.fetch()
            self.fleet.turn(500)
            page.evaluate(PASSED)
            asked.fulfill(response=answer)
            page.wait_for_selector("text=← Newer")
            self.assertIn("before=", page.url)

    def test_whoever_is_signed_out_while_events_come_is_told_so(self) -> None:
        """The stream is refused, and nothing else is asked for by itself there."""
        with self.browser.page(cookies=self.cookies) as page:
            page.route("**/api/live*", lambda stream: stream.fulfill(status=401))
            self.open(page, "events")
            page.context.clear_cookies()
            page.wait_for_selector("#token")

    def test_what_is_pressed_may_be_drawn_anew_before_it_is_released(self) -> None:
        """A fleet in trouble draws four times a second, and a finger stays down for a tenth of one."""
        with self.browser.page(cookies=self.cookies) as page:
            self.open(page, "fleet")
            page.hover("tr[data-key=web001] a")
            page.mouse.down()
            known = page.evaluate(SILENCE, "web0*")  # the row that is pressed is to look otherwise, too
            page.wait_for_selector(".chip >> text=silenced")
            page.mouse.up()
            page.wait_for_url(lambda url: "host/web001" in url)
            self.open(page, "fleet")
            page.hover(".chip >> text=down")
            page.mouse.down()
            with _told(page, "silence_removed"):
                page.evaluate(END, known)
            _counted(page, ".chip >> text=silenced", 0)
            page.mouse.up()
            page.wait_for_url(lambda url: "state=down" in url)

    def test_polls_and_sweeps_show_rounds_and_rates(self) -> None:
        """By application and version; who fails, and why; and the rounds as a table."""
        with self.browser.page(cookies=self.cookies) as page:
            self.open(page, "polls")
            page.wait_for_selector("text=2 targets fail")
            page.wait_for_selector("tr:has-text('shop') >> text=93.7 %")
            page.click("summary >> text=Table >> nth=0")
            _counted(page, "details[open] tbody tr", 100)
            page.wait_for_selector("section:has-text('sweep racks') tr:has-text('10.9.0.4') >> text=authentication")

    def test_a_silence_is_set_seen_and_ended_and_a_trouble_acknowledged(self) -> None:
        """By who may; the page of one who may only look has no form, and its cookie no power."""
        with self.browser.page(cookies=self.cookies) as page:
            visit(page, f"{self.fleet.root}/#/host/app006")
            page.click(".acts >> text=Silence")
            page.fill("[name=text]", "disk is being changed")
            page.press("[name=text]", "Enter")
            page.wait_for_selector("text=silenced")
            page.click(".acts >> text=Acknowledge")
            page.fill("[name=text]", "on it")
            page.press("[name=text]", "Enter")
            page.wait_for_selector("text=by ann: on it")
            self.open(page, "fleet")
            page.click(".chip:has-text('silenced')")
            _counted(page, "tbody tr", 1)
            page.wait_for_selector("tr[data-key=app006] .tag >> text=silenced")
            page.wait_for_selector("tr[data-key=app006] .tag >> text=acknowledged")
            self.assertIn("held=silenced", page.url)
            page.click(".chip:has-text('acknowledged')")
            page.wait_for_url(lambda url: "held=acknowledged" in url)
            _counted(page, "tbody tr", 1)
            page.press("#search", "Escape")
            _counted(page, "tbody tr", 60)
            self.open(page, "silences")
            page.wait_for_selector("tr:has-text('disk is being changed') >> text=ann")
            page.wait_for_selector("tr:has-text('by ann: on it') >> text=app006")
            with _told(page, "silence_removed"):
                page.click("td button")
                page.wait_for_selector("text=nothing is silenced")
        with self.browser.page() as page:
            signed_in(page, self.fleet.new_link("read"))
            visit(page, f"{self.fleet.root}/#/silences")
            page.wait_for_selector("text=sign in with monitor436 dashboard --admin")
            self.assertEqual(page.locator("form.sheet").count(), 0)
            refused = page.evaluate(ACKNOWLEDGE)
            self.assertEqual(refused, 403)

    def test_everything_is_reached_with_the_keyboard(self) -> None:
        """The first stop skips the head; / searches, arrows walk the rows, Enter opens, letters change the page."""
        with self.browser.page(cookies=self.cookies) as page:
            self.open(page, "fleet")
            page.keyboard.press("Tab")
            self.assertEqual(page.evaluate("document.activeElement.id"), "skip")
            page.keyboard.press("Enter")
            self.assertEqual(page.evaluate("document.activeElement.tagName"), "H1")
            page.keyboard.press("/")
            page.keyboard.type("web00")
            _counted(page, "tbody tr", 9)
            page.keyboard.press("ArrowDown")
            page.keyboard.press("ArrowDown")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            self.assertEqual(outline, "solid")
            name = page.evaluate("document.activeElement.textContent")
            page.keyboard.press("Enter")
            page.wait_for_selector(f"h1 >> text={name}")
            self.assertEqual(page.evaluate("document.activeElement.tagName"), "H1")
            for key, title in (("e", "Events"), ("p", "Polls"), ("s", "Silences"), ("f", "hosts are up")):
                page.keyboard.press(key)
                page.wait_for_selector(f"h1 >> text={title}")
            page.keyboard.press("?")
            page.wait_for_selector("dialog[open]")
            page.keyboard.press("Escape")
            page.keyboard.press("t")
            self.assertEqual(page.evaluate("document.documentElement.dataset.theme"), "light")

    def test_a_phone_shows_all_of_it(self) -> None:
        """Nothing is wider than 360 points."""
        with self.browser.page(size=PHONE, cookies=self.cookies) as page:
            for name in PAGES:
                self.open(page, name)
                wide = page.evaluate("document.documentElement.scrollWidth")
                self.assertLessEqual(wide, PHONE["width"], name)

    @unittest.skipIf(Axe is None, "no axe-playwright-python here")
    def test_axe_finds_nothing_to_mend(self) -> None:
        """On every page, light and dark, with a form, a table and marks; on older events; and where one signs in."""
        found = []
        self.fleet.turn(120)
        with self.browser.page() as page:
            visit(page, self.fleet.root + "/")
            page.wait_for_selector("#token")
            found += _violations(page, "sign-in")
        with self.browser.page(cookies=self.cookies) as page:
            visit(page, self.fleet.root + "/")
            page.wait_for_selector("tbody tr")
            known = page.evaluate(SILENCE, "app01*")
            page.evaluate(ACKNOWLEDGE)
            page.wait_for_selector(".tag >> text=silenced")
            for name in PAGES:
                self.open(page, name)
                if name == "host":
                    page.click(".chart summary >> nth=0")
                    page.click(".acts >> text=Silence")
                if name == "events":  # the newest ones have what the older ones have, and less around them
                    page.click("text=Older →")
                    page.wait_for_selector("text=← Newer")
                found += _violations(page, name)
            with _told(page, "silence_removed"):
                page.evaluate(END, known)
        self.assertEqual(found, [])


INK = """() => {
  const drawn = document.querySelector('.chart canvas');
  if (!drawn || !drawn.width) return false;
  return drawn.getContext('2d').getImageData(0, 0, drawn.width, drawn.height).data.some((each) => each > 0);
}"""
OURS = "headers: {'Content-Type': 'application/json', 'X-Monitor436': '1'}"
SILENCE = f"""(host) => fetch('api/silences', {{method: 'POST', {OURS},
  body: JSON.stringify({{host, seconds: 3600, text: 'x'}})}})
  .then((answer) => answer.json()).then((told) => told.id)"""
END = f"(id) => fetch('api/silences/' + id, {{method: 'DELETE', {OURS}}}).then((answer) => answer.status)"
KEPT = """(query) => fetch('api/events?' + query).then((answer) => answer.json())
  .then((page) => [page.more, ...page.events.map((each) => each.id)])"""
ALL = """async (query) => {
  const ids = [];
  for (let page = {more: true, cursor: ''}; page.more;) {
    page = await (await fetch(`api/events?most=1000&after=${page.cursor}&${query}`)).json();
    ids.push(...page.events.map((each) => each.id));
  }
  return ids;
}"""
ACKNOWLEDGE = """() => fetch('api/acknowledgements', {method: 'POST', body: '{"host": "app001", "text": "x"}',
  headers: {'Content-Type': 'application/json', 'X-Monitor436': '1'}}).then((answer) => answer.status)"""


# The stream has told whatever is durable now: another one, which begins later, has said so.
PASSED = """() => new Promise((done) => {
  const other = new EventSource('api/live');
  other.addEventListener('hello', () => { other.close(); done(true); });
})"""


def _settled(page: Any) -> None:
    """Wait until a page of events has the stream, and has read what came before that."""
    page.wait_for_selector("#link[data-state=live]")
    page.wait_for_selector("section.turned:not([aria-busy])")


def _held_back(page: Any, pattern: str) -> list[Any]:
    """The next request that a page makes of such an address, once it is made, until somebody lets it go."""
    found: list[Any] = []
    page.route(pattern, lambda asked: found.append(asked), times=1)
    return found


def _asked(page: Any, held: list[Any]) -> Any:
    """A request that is held back, waited for."""
    return eventually(lambda: page.locator("h1").count() and held, SHOWN, "a request")[0]


def _newest(page: Any) -> str:
    """The newest event that is kept."""
    return str(page.evaluate(KEPT, "from=end&most=1")[1])


@contextmanager
def _told(page: Any, kind: str) -> Iterator[None]:
    """Whatever is done here has become an event by the end: no other test of the same fleet counts it as its own."""
    newest = f"from=end&most=1&kind={kind}"
    before = page.evaluate(KEPT, newest)
    yield
    eventually(lambda: page.evaluate(KEPT, newest) != before, SHOWN, kind)


def _nothing_lost(page: Any, newest: str) -> None:
    """Wait until a page shows this one, and every other before it without a gap."""
    page.wait_for_selector(f".events li:first-child[data-id='{newest}']")
    _settled(page)
    eventually(lambda: _ids(page) == _last(page), SHOWN, "all events")


def _last(page: Any) -> list[str]:
    """The newest that are kept, as many as a page shows."""
    return list(page.evaluate(KEPT, f"from=end&most={page.locator('.events li').count()}")[:0:-1])


def _counted(page: Any, selector: str, wanted: int) -> None:
    """Wait until a page has so many of them."""
    eventually(lambda: page.locator(selector).count() == wanted, SHOWN, f"{wanted} of {selector}")


def _ids(page: Any) -> list[str]:
    """The events that a page shows, the newest first."""
    return list(page.eval_on_selector_all(".events li", "(lines) => lines.map((each) => each.dataset.id)"))


def _turned(page: Any, key: str) -> list[str]:
    """What a page shows after a key turned to other events."""
    before = _ids(page)
    page.keyboard.press(key)
    eventually(lambda: _ids(page) != before, SHOWN, "another page")
    return _ids(page)


def _kept(page: Any, query: str) -> list[str]:
    """Every event that is kept and like that, the oldest first."""
    return list(page.evaluate(ALL, query))


def _until(page: Any, selector: str) -> float:
    """Seconds until a page shows it."""
    began = time.monotonic()
    page.wait_for_selector(selector)
    return time.monotonic() - began


def _violations(page: Any, where: str) -> list[str]:
    """Every rule in the light, and in the dark those that colours decide."""
    found = []
    for scheme, rules in (("light", {}), ("dark", {"runOnly": ["cat.color"]})):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        violations = Axe().run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]
        found += [f"{scheme} {where}: {each['id']}: {each['nodes'][0]['html'][:200]}" for each in violations]
    return found
