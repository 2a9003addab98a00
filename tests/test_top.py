"""`monitor436 dashboard` and `monitor436 top`."""

import time
from datetime import UTC, datetime

from monitor436.agent import event as stated
from monitor436.cli.top import Seen
from monitor436.links import Links
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.settings.events import Events
from monitor436.model.settings.whole import Settings
from monitor436.state_folder import LINKS
from tests.test_cli import CommandCase

SPOOL = "456af1f65b099774"


def event(number: int, host: str, kind: str, text: str, severity: str = "info", **more: object) -> Event:
    """One of the file."""
    when = datetime.fromtimestamp(1_800_000_000 + number, UTC)
    return Event(when, severity, host, kind, text=text, id=f"{host}/{SPOOL}/{number}", **more)  # type: ignore[arg-type]


UP = event(1, "web1", kinds.HOST_FOUND, "web1 is heard for the first time")
DOWN = event(2, "web1", kinds.HOST_DOWN, "web1 is down: silent for 18s\x1b[2J", "critical")


class DashboardCommandTests(CommandCase):
    """A link that signs in."""

    def test_the_link_it_prints_is_good_once(self) -> None:
        """The secret stands behind the #; who signs in and what he may is kept with its hash."""
        self.init()
        called = self.call("dashboard", "-c", self.settings, "--admin", "--name", "ann")
        self.assertEqual(called.exit_code, 0, called.output)
        root, _, secret = called.output.splitlines()[0].partition("/#/link/")
        self.assertEqual(root, "http://127.0.0.1:4380")
        link = Links(self.folder / "site" / "var" / LINKS).use(secret, time.time())
        self.assertEqual((link.name, link.scopes), ("ann", ("admin",)))

    def test_a_server_behind_a_proxy_has_another_address(self) -> None:
        """As it is said; what is no address is refused."""
        self.init()
        said = self.call("dashboard", "-c", self.settings, "--url", "https://monitor.example/sub/").output
        self.assertTrue(said.startswith("https://monitor.example/sub/#/link/"), said)
        self.assertEqual(self.call("dashboard", "-c", self.settings, "--url", "monitor.example").exit_code, 2)

    def test_before_the_first_start_there_is_nothing_to_sign_in_to(self) -> None:
        """A sentence."""
        self.assertEqual(self.call("init", self.folder / "site").exit_code, 0)
        called = self.call("dashboard", "-c", self.settings)
        self.assertEqual((called.exit_code, "has the server been started?" in called.output), (1, True))


class TopTests(CommandCase):
    """The board in a terminal."""

    def test_once_it_shows_states_and_troubles_and_nothing_that_moves_the_cursor(self) -> None:
        """Also where there is no terminal."""
        self.init()
        self.events(UP, DOWN)
        called = self.call("top", "-c", self.settings)
        self.assertEqual(called.exit_code, 0, called.output)
        self.assertIn("1 down", called.output)
        self.assertIn("web1 is down: silent for 18s\\u001b[2J", called.output)
        self.assertNotIn("\x1b[2J", called.output)

    def test_the_last_events_are_shown_from_the_start_also_those_of_a_rotated_file(self) -> None:
        """The newest above; no metrics, and nothing that is no event."""
        self.init()
        path = self.events(UP)
        path.rename(path.with_name(path.name + ".20261121T080000Z"))
        path = self.events(DOWN, event(3, "web1", stated.METRIC, "load 1", check="load"))
        with path.open("ab") as file:
            file.write(b"nonsense\n")
        shown = self.call("top", "--once", "-c", self.settings).output.splitlines()
        self.assertIn("host_down", shown[-2])
        self.assertIn("host_found", shown[-1])
        self.assertNotIn("load 1", "".join(shown))

    def test_what_comes_is_seen_at_the_next_look_through_rotation(self) -> None:
        """Metrics move the board, and are not shown among the last events."""
        self.init()
        path = self.events(UP)
        seen = Seen(Settings(events=Events(file=str(path)), state=str(path.parent)), path)
        seen.begin()
        self.assertEqual([each.kind for each in seen._events], [kinds.HOST_FOUND])
        path.rename(path.with_name(path.name + ".20261121T080000Z"))
        metric = event(3, "web1", stated.METRIC, "load 1", check="load")
        self.events(DOWN, metric)
        seen.look()
        self.assertEqual([each.kind for each in seen._events], [kinds.HOST_FOUND, kinds.HOST_DOWN])
        self.assertEqual(seen._last, metric.id)
        seen.look()
        self.assertEqual(len(seen._events), 2)
