"""A server that polls: a version that fails, its recovery, restarts and kills between, all in the events file."""

import json
import shutil
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile
from pathlib import Path
from typing import Any

from msgspec import structs

from monitor436.model.settings.polls import Poll
from tests.e2e.patience import eventually, pause
from tests.e2e.ports import LOOPBACK
from tests.e2e.servers import SOON, Server, on_loopback
from tests.e2e.stage import Stage


class Pages(ThreadingHTTPServer):
    """A thread a connection."""

    daemon_threads = True
    request_queue_size = 100


class Shops:
    """Status pages at /NAME; those in `broken` answer 503."""

    def __init__(self) -> None:
        shops = self

        class Page(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.strip("/")
                body = json.dumps({"Application": "shop", "Version": "2" if name > "web5" else "1"}).encode()
                self.send_response(503 if name in shops.broken else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                shops.asked += 1

            def log_message(self, *about: Any) -> None:
                pass

        self.broken: frozenset[str] = frozenset()
        self.asked = 0
        self._server = Pages((LOOPBACK, 0), Page)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.port = self._server.server_address[1]

    def close(self) -> None:
        """No more pages."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


NAMES = [f"web{number}" for number in range(10)]
SECOND = frozenset(name for name in NAMES if name > "web5")  # those with version 2


class PollTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.shops = Shops()
        self.addCleanup(self.shops.close)
        inventory = self.folder / "shops.txt"
        inventory.write_text("".join(f"http://{LOOPBACK}:{self.shops.port}/{name}\n" for name in NAMES))
        # pages of a machine that stands still for a second answer late: then the canary does so too
        canary = f"http://{LOOPBACK}:{self.shops.port}/canary"
        poll = Poll(
            inventory=str(inventory), every=0.5, jitter=0.0, timeout=0.5, fail_after=2, of=3, canary=canary
        )  # fmt: skip
        self.server = Server(self.folder, structs.replace(on_loopback(), polls={"shops": poll}))
        self.addCleanup(self.server.kill)

    def told(self) -> list[tuple[str, str, int]]:
        """Kind, version and number of targets of each event about targets of the poll, as the file has them."""
        events = [event for event in self.server.events() if event["kind"] != "poll_untrusted"]
        polls = [(event["kind"], event["fields"]) for event in events if event["kind"].startswith("poll_")]
        return [(kind, fields.get("version", ""), fields.get("targets", 0)) for kind, fields in polls]

    def targets(self) -> dict[str, int]:
        """How many targets were told of in all, by kind; a round may be under way when the pages change."""
        counts: dict[str, int] = {}
        for kind, version, count in self.told():
            self.assertEqual(version, "2")
            counts[kind] = counts.get(kind, 0) + count
        return counts

    def some_rounds(self) -> None:
        """Everybody was asked four times more."""
        goal = self.shops.asked + 4 * (len(NAMES) + 1)
        eventually(lambda: self.shops.asked >= goal, SOON, "rounds")

    def test_a_version_that_fails_and_recovers_is_told_once_each(self) -> None:
        """Though the server is stopped and killed meanwhile."""
        self.server.start()
        self.some_rounds()
        self.assertEqual(self.told(), [])
        self.shops.broken = SECOND
        eventually(lambda: self.targets() == {"poll_failed": 4}, SOON, "events")
        self.some_rounds()
        self.server.stop()
        self.server.start()
        self.some_rounds()
        self.server.kill()
        self.server.start()
        self.some_rounds()
        self.assertEqual(self.targets(), {"poll_failed": 4})
        self.assertLessEqual(len(self.told()), 2)
        self.server.stop()
        self.shops.broken = frozenset()
        self.server.start()
        eventually(lambda: self.targets() == {"poll_failed": 4, "poll_recovered": 4}, SOON, "events")
        self.some_rounds()
        self.assertEqual(self.targets(), {"poll_failed": 4, "poll_recovered": 4})
        file = self.server.var / "polls" / "shops.json"
        whole = lambda kept: kept["rounds"][-1]["well"] == 10 and kept  # noqa: E731
        kept = eventually(lambda: whole(json.loads(file.read_bytes())), SOON, "a round in which all are well is kept")
        self.assertEqual(len(kept["targets"]), 10)
        self.assertGreaterEqual(len(kept["rounds"]), 12)
        before = takewhile(lambda each: "status" not in each["reasons"], kept["rounds"])  # those of the first start
        self.assertIn(10, [each["well"] for each in before])

    def test_polls_come_and_go_with_the_settings(self) -> None:
        """At HUP; the server runs on."""
        text = self.server.config.read_text()
        kept = self.server.var / "polls" / "shops.json"
        rest, heading, polls = text.partition("\n# Status pages")
        self.server.config.write_text(rest)
        self.server.start()
        self.assertFalse(kept.exists())
        self.server.config.write_text(text)
        self.server.hang_up()
        eventually(kept.exists, SOON, "a round was kept")
        self.some_rounds()
        self.server.config.write_text(rest + heading + polls.replace("every: 500ms", "every: 1h"))
        self.server.hang_up()

        def calm() -> bool:
            """Nobody was asked for a second."""
            before = self.shops.asked
            pause(1.0)
            return self.shops.asked == before

        eventually(calm, SOON, "polls are an hour apart")
        self.assertEqual(self.told(), [])


if __name__ == "__main__":
    unittest.main()


class AnnouncedTests(Stage):
    def test_a_host_whose_plan_says_where_is_polled_once_it_is_heard(self) -> None:
        """Nobody lists it."""
        shops = Shops()
        self.addCleanup(shops.close)
        poll = Poll(plans=True, every=0.5, jitter=0.0, timeout=0.5, fail_after=1, of=1)
        server = self.server(structs.replace(on_loopback(), polls={"shops": poll})).start()
        server.plan(f"status_url: 'http://{{address}}:{shops.port}/{{host}}'", "status.yaml")
        self.joined(server, "web7")
        eventually(lambda: shops.asked, SOON, "it is asked")
        shops.broken = frozenset({"web7"})
        self.assertEqual(server.event(kind="poll_failed")["fields"]["targets"], 1)
