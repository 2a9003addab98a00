"""The dashboard over a large fleet, for a long time, and with clients that never read."""

import os
import socket
import time
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest

from monitor436.web.live import EACH
from tests.e2e.browser import ABSENT, Chromium, MadeUpFleet, signed_in, visit
from tests.e2e.patience import eventually, pause

MINUTES = float(os.environ.get("M436_MINUTES", "0"))
PAINT = 2.0  # seconds until a page is of use
LOADS = 3  # of which the quickest counts: other tests run beside this one


@unittest.skipIf(ABSENT, ABSENT)
@pytest.mark.alone
class ScaleTests(unittest.TestCase):
    """5,000 hosts with ten checks each."""

    def test_a_large_fleet_is_seen_at_once_and_costs_no_more_with_time(self) -> None:
        """First useful paint, the page's heap while events come (M436_MINUTES=10 for long), and a deaf client."""
        with TemporaryDirectory(prefix="m436-") as folder:
            fleet = MadeUpFleet(Path(folder) / "site", 5000)
            self.addCleanup(fleet.close)
            browser = Chromium()
            self.addCleanup(browser.close)
            with browser.page() as page:
                cookies = signed_in(page, fleet.link)
            with browser.page(cookies=cookies) as page:
                painted = min(self._paint(page, fleet.root) for _ in range(LOADS))
                self.assertLess(painted, PAINT)
                self._deaf(fleet, cookies[0]["value"])
                visit(page, f"{fleet.root}/#/events")
                page.wait_for_selector("#link[data-state=live]")
                self._long(fleet, page)
                print(f"\nfirst useful paint {painted:.2f} s")

    def _paint(self, page: Any, root: str) -> float:
        """Seconds from the start of a load until overview and list are drawn."""
        visit(page, root + "/")
        page.wait_for_selector("tbody tr")
        return float(page.evaluate("performance.getEntriesByName('painted')[0].startTime")) / 1000

    def _deaf(self, fleet: MadeUpFleet, cookie: str) -> None:
        """As many clients as one reader may have beside its page, which listen to everything and never read."""
        where = urlsplit(fleet.root)
        clients = []
        for _ in range(EACH - 1):
            client = socket.create_connection((where.hostname or "", where.port or 0))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(f"GET /api/live HTTP/1.1\r\nHost: {where.netloc}\r\nCookie: m436={cookie}\r\n\r\n".encode())
            self.addCleanup(client.close)
            clients.append(client)
        pause(0.5)
        fleet.turn(4000)
        before = fleet.memory
        fleet.turn(4000)
        self.assertLess(fleet.memory - before, 20 << 20)
        for client in clients:
            client.close()

    def _long(self, fleet: MadeUpFleet, page: Any) -> None:
        """The heap of the page does not grow, and its list stays bounded."""
        fleet.turn(1500)
        first = _heap(page)
        end = time.monotonic() + MINUTES * 60
        while True:
            fleet.turn(500)
            pause(0.5)
            if time.monotonic() >= end:
                break
        eventually(lambda: _heap(page) < first * 1.3 + (2 << 20), 10, f"a heap of about {first} bytes")
        self.assertLessEqual(page.locator(".events li").count(), 500)


def _heap(page: Any) -> int:
    """Bytes of JavaScript's heap, what nobody holds left out."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return int(used)
