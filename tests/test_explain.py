"""`monitor436 explain`: from the files of a server, whether it runs or not."""

import gzip
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from click.testing import Result
from msgspec import json as fast

from monitor436.model.event import Event
from monitor436.model.hosts.host import Seen
from monitor436.model.keys.enrolment import Bound
from monitor436.names import Names
from monitor436.planfolder import read_planbook
from monitor436.services.liveness import Snapshot
from monitor436.site import Site
from tests.test_cli import CommandCase

PLAN = """\
hosts: web1
checks:
  root: {reading: filesystem_used_percent, of: /, warning: above 80}
  load: {reading: load1, warning: above 4}
"""
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class ExplainTests(CommandCase):
    """A site with one host that has a plan of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.init()
        self.state = self.folder / "site" / "var"
        self.plans = self.settings.parent / "agents"
        (self.plans / "all.yaml").unlink()
        (self.plans / "web1.yaml").write_text(PLAN)
        Names(self.state / "names.jsonl").keep(Bound("web1", "01" * 8, 3, greeted=True, way="token", site="5b0c11e2"))
        self.digest = read_planbook(str(self.plans)).digest("web1")
        self.seen()
        self.events(
            self.event("host_found", text="web1 is heard for the first time"),
            self.event("check_state", "warning", "root", state="warning", was="ok", text="root is 85: warning"),
            Event(time=WHEN, host="web2", kind="host_down", severity="critical", text="not about web1"),
        )

    def event(self, kind: str, severity: str = "info", check: str = "", text: str = "", **fields: str) -> Event:
        """An event about web1."""
        return Event(WHEN, severity, "web1", kind, check, text, fields)  # type: ignore[arg-type]

    def seen(self, state: str = "up", age: float = -60.0) -> None:
        """What the server kept `age` seconds ago; in a minute from now, so that it is of this moment until then."""
        host = Seen("web1", state, 2.0, 60.0, "b007", "0.1.0", "192.0.2.11", 7200, 4096, self.digest)
        (self.state / "roster.json").write_bytes(fast.encode(Snapshot(time.time() - age, "srv", [host])))

    def explain(self, *words: str) -> Result:
        """The command, for this site."""
        return self.call("explain", "-c", self.settings, *words)

    def told(self, *words: str) -> dict[str, object]:
        """What it says to scripts about web1."""
        found = json.loads(self.explain("web1", "--json", *words).output)
        assert isinstance(found, dict)
        return found

    def test_everything_that_is_known_is_told(self) -> None:
        """Key, plan, last heard, state; each check with its file and line; why it is not well."""
        result = self.explain("web1")
        self.assertEqual(result.exit_code, 1)
        for part in (
            "web1 is up for 1m",
            "2s ago, at 192.0.2.11",
            "up for 2h when last heard, boot b007, agent 0.1.0, a spool of 4 KiB",
            f"bound, serial {'01' * 8}, generation 3, by token, site key 5b0c11e2",
            f"{self.digest[:12]} in force",
            f"{self.plans}/web1.yaml:3",
            f"{self.plans}/web1.yaml:4",
            "→  warning: root is 85: warning",
            "host_found",
        ):
            self.assertIn(part, result.output)
        self.assertNotIn("not about web1", result.output)
        self.assertNotIn("\x1b", result.output)

    def test_a_host_that_is_well_is_status_0(self) -> None:
        """As soon as its check is."""
        with open(self.state / "events.jsonl", "ab") as file:
            file.write(fast.encode(self.event("check_state", check="root", state="ok", was="warning")) + b"\n")
        self.assertEqual(self.explain("web1").exit_code, 0)
        self.assertEqual((self.told()["well"], self.told()["why"]), (True, []))

    def test_a_log_that_cannot_be_read_is_not_well(self) -> None:
        """Its check is bad."""
        (self.plans / "web1.yaml").write_text("hosts: web1\nchecks: {users: {log: /etc/passwd, match: x}}\n")
        self.events(self.event("log_unreadable", "warning", text="/etc/passwd is not allowed", path="/etc/passwd"))
        found = self.explain("web1")
        self.assertEqual(found.exit_code, 1)
        self.assertIn("→  warning: /etc/passwd is not allowed", found.output)
        self.assertRegex(found.output, r"users +warning ")

    def test_a_host_that_was_stopped_is_said_to_be_once(self) -> None:
        """The reason is the state."""
        self.seen("stopped")
        self.events(self.event("host_stopped", reason="stopped"))
        self.assertIn("web1 is stopped for 1m\n", self.explain("web1").output)

    def test_why_a_host_is_down_claims_nothing_of_others(self) -> None:
        """They may be down too."""
        self.seen("down")
        self.events(self.event("host_down", "critical", reason="silent"))
        output = self.explain("web1").output
        self.assertIn("web1 is down for 1m: silent\n", output)
        self.assertIn("→  it does not answer: look at", output)

    def test_scripts_get_everything(self) -> None:
        """With whole events."""
        told = self.told()
        self.assertEqual((told["host"], told["state"], told["well"]), ("web1", "up", False))
        [root, load] = told["checks"]  # type: ignore[misc]
        self.assertEqual((root["line"], root["state"], root["bad"][0]["text"]), (3, "warning", "root is 85: warning"))
        self.assertEqual((load["name"], load["line"]), ("load", 4))
        self.assertEqual(
            told["plan"], {"in_force": self.digest, "wanted": self.digest, "generation": 0, "problems": []}
        )

    def test_a_plan_edited_since_is_wanted(self) -> None:
        """And one with mistakes leaves the old one in force."""
        (self.plans / "web1.yaml").write_text(PLAN.replace("80", "70"))
        self.assertIn("not fetched it yet", self.explain("web1").output)
        (self.plans / "web1.yaml").write_text(PLAN.replace("reading", "raeding"))
        self.assertIn("2 mistakes", " ".join(self.told()["why"]))  # type: ignore[arg-type]

    def test_a_server_that_does_not_run_is_said(self) -> None:
        """What it kept is told all the same."""
        self.seen(age=7200)
        output = self.explain("web1").output
        self.assertIn("web1 was up", output)
        self.assertIn("does not seem to run: this is how srv knew it 2h ago", output)

    def test_rotated_files_are_read_too_oldest_first(self) -> None:
        """Packed ones as well."""
        path = self.state / "events.jsonl"
        path.rename(self.state / "events.jsonl.20260103T000000")
        older = fast.encode(self.event("host_joined", text="web1 joined from 192.0.2.11")) + b"\n"
        (self.state / "events.jsonl.20260102T000000").write_bytes(gzip.compress(older))
        self.events(self.event("agent_stopped", text="agent stopped", refused="tag 7"))
        told = self.told()
        self.assertEqual([event["kind"] for event in told["events"]], ["host_joined", "host_found", "agent_stopped"])  # type: ignore[attr-defined]
        self.assertIn("it had refused datagrams: tag 7", self.explain("web1").output)
        self.assertEqual([event["kind"] for event in self.told("-n", "1")["events"]], ["agent_stopped"])  # type: ignore[attr-defined]

    def test_a_key_that_was_packed_into_its_file_is_told_as_such(self) -> None:
        """From the certificate of the site; none is made for that."""
        self.assertFalse((self.state / "site").exists())
        serial = Site(self.state / "site").packed_serial("web1").hex()
        Names(self.state / "names.jsonl").keep(Bound("web1", serial, greeted=True))
        self.assertIn("generation 0, packed", self.explain("web1").output)

    def test_an_unknown_host_is_a_sentence_and_status_2(self) -> None:
        """With the one that was meant; nothing from the command line moves the cursor."""
        result = self.explain("wep1")
        self.assertEqual((result.exit_code, result.output), (2, 'wep1 is not known here; did you mean "web1"?\n'))
        self.assertEqual(self.explain("no\x1b[2Jname").exit_code, 2)
        self.assertNotIn("\x1b", self.explain("no\x1b[2Jname").output)

    def test_a_host_of_which_only_a_plan_knows_is_known(self) -> None:
        """So is one of which there are only events."""
        for name in ("roster.json", "names.jsonl"):
            (self.state / name).unlink()
        self.assertIn("never heard here", self.explain("web1").output)
        self.assertEqual(self.explain("web2").exit_code, 1)

    def test_nothing_at_all_is_a_sentence_too(self) -> None:
        """A site that was never started."""
        for path in [*self.state.iterdir(), *self.plans.iterdir()]:
            Path(path).unlink()
        result = self.explain("web1")
        self.assertEqual((result.exit_code, result.output), (2, "web1 is not known here: no host is, yet\n"))
