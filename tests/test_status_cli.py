"""`monitor436 status`, `silence`, `ack` and `alert test`, on the files of a server that does not run."""

import os
import subprocess
import sys
import unittest
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner, Result
from msgspec import json

from monitor436.acts import Acts
from monitor436.cli import main
from monitor436.model.event import ACKNOWLEDGED, SILENCE_ADDED, Event
from monitor436.services.event_log import lines
from tests.model.notified import check, down, happening
from tests.test_layers import ROOT

CALL = "from monitor436.cli import main; main()"
NOW = datetime.now(UTC)
HOSTILE = "\x1b[2J\u202egnp\r\n<b>[red]"


class CommandTests(unittest.TestCase):
    """A host that is down, a check that is bad."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory()))
        self.config = self.folder / "s.yaml"
        self.config.write_text(f"state: {self.folder}\nevents: {{file: {self.folder}/events.jsonl}}\n")
        self.events = [happening("host_found", "info", "web1"), down("web1"), check("db1", "disk", "warning", of="/")]

    def write(self) -> None:
        """The events file."""
        stamped = [
            Event(
                **{name: getattr(each, name) for name in each.__struct_fields__} | {"id": f"@s/a/{number}", "time": NOW}
            )
            for number, each in enumerate(self.events, 1)
        ]
        (self.folder / "events.jsonl").write_bytes(lines(stamped))

    def run_it(self, *words: str) -> Result:
        """`monitor436 WORDS`."""
        self.write()
        return CliRunner().invoke(main, [*words, "-c", str(self.config)])

    def acts(self) -> list[tuple[str, str, str, str]]:
        """What was decided."""
        return [(act.kind, act.host, act.check, act.text) for act in Acts(self.folder / "acts.jsonl").read()]

    def test_status_shows_what_is_bad(self) -> None:
        """The worst first; status 1."""
        result = self.run_it("status")
        self.assertEqual(result.exit_code, 1)
        found = result.output.splitlines()
        self.assertEqual(found[:2], ["1 host: 1 down", "1 check: 1 warning"])
        self.assertRegex(found[2], r"^critical +\w[\w ]*  web1 +web1 host_down$")
        self.assertRegex(found[3], r"^warning +\w[\w ]*  db1/disk// +disk is warning$")

    def test_a_log_that_cannot_be_read_is_told_with_its_path_once(self) -> None:
        """The event has it in its text, too."""
        text = "/var/log/x: Permission denied"
        self.events.append(happening("log_unreadable", "warning", "db2", text=text, path="/var/log/x"))
        found = self.run_it("status").output.splitlines()
        self.assertRegex(found[4], r"^warning +\w[\w ]*  db2: log /var/log/x +Permission denied$")

    def test_status_for_scripts_and_for_some_hosts(self) -> None:
        """JSON; only those that fit the pattern."""
        view = json.decode(self.run_it("status", "--json", "--host", "db*").output)
        self.assertEqual([(each["host"], each["of"]) for each in view["troubles"]], [("db1", "/")])
        self.assertEqual(view["hosts"], {"down": 1})
        self.assertEqual(self.run_it("status", "--host", "nobody").exit_code, 0)

    def test_a_name_that_no_host_has_is_told(self) -> None:
        """A slip must not look like health; a silence is taken even so, as a host may come yet."""
        for words in (("status", "--host", "web"), ("silence", "add", "--host", "web", "work")):
            result = self.run_it(*words)
            self.assertEqual((result.exit_code, result.stderr), (0, 'no host is called web; did you mean "web1"?\n'))
        self.assertEqual([kind for kind, *_ in self.acts()], ["silence_added"])
        for known in ("web1", "we*"):
            self.assertEqual(self.run_it("status", "--host", known).stderr, "")

    def test_status_holds_back_what_is_silenced_or_acknowledged(self) -> None:
        """And says how much; --all shows it."""
        until = (NOW + timedelta(hours=1)).timestamp()
        self.events += [
            Event(kind=SILENCE_ADDED, text="work", fields={"silence": "s1", "until": until, "host": "web*"}),
            Event(kind=ACKNOWLEDGED, host="db1", check="disk", text="on it", fields={"by": "ann"}),
        ]
        result = self.run_it("status")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("and 2 troubles that nobody is told of: 1 silenced, 1 acknowledged (--all)", result.output)
        self.assertIn("silence s1  host web*", result.output)
        everything = self.run_it("status", "--all").output
        self.assertIn("[silenced s1]", everything)
        self.assertIn("[acknowledged by ann: on it]", everything)
        self.assertNotIn("nobody is told", everything)

    def test_hostile_texts_are_harmless_on_the_terminal(self) -> None:
        """Spelt out."""
        self.events += [happening("check_state", "critical", "db1", "x" + HOSTILE, HOSTILE, state="critical")]
        output = self.run_it("status").output
        self.assertTrue(output.replace("\n", "").isprintable())
        self.assertIn("\\u001b[2J\\u202egnp\\u000d\\u000a<b>[red]", output)

    def test_a_server_that_was_never_started_is_told_of(self) -> None:
        """No traceback."""
        result = CliRunner().invoke(main, ["status", "-c", str(self.config)])
        self.assertEqual((result.exit_code, "has the server been started?" in result.output), (1, True))

    def test_a_silence_is_an_act(self) -> None:
        """With its patterns and its end."""
        result = self.run_it("silence", "add", "--host", "web*", "--severity", "warning", "--for", "2h", "the switch")
        self.assertIn("silent for 2h", result.output)
        self.assertEqual(self.acts(), [("silence_added", "", "", "the switch")])
        (act,) = Acts(self.folder / "acts.jsonl").read()
        self.assertEqual((act.fields["host"], act.fields["severity"]), ("web*", "warning"))
        self.assertAlmostEqual(float(act.fields["until"]) - act.at, 7200, delta=5)

    def test_silences_are_listed_and_ended(self) -> None:
        """By their ids."""
        until = (NOW + timedelta(hours=1)).timestamp()
        self.events += [Event(kind=SILENCE_ADDED, text="work", fields={"silence": "s1", "until": until, "host": "*"})]
        self.assertIn("s1  host *", self.run_it("silence", "list").output)
        self.assertEqual(json.decode(self.run_it("silence", "list", "--json").output)[0]["id"], "s1")
        self.assertEqual(self.run_it("silence", "remove", "s1").exit_code, 0)
        self.assertEqual(self.run_it("silence", "remove", "s2").exit_code, 1)
        self.assertEqual([kind for kind, *_ in self.acts()], ["silence_removed"])

    def test_what_was_decided_just_now_is_shown(self) -> None:
        """Before a server has made an event of it."""
        self.assertIn("nothing is silenced", self.run_it("silence", "list").output)
        name = self.run_it("silence", "add", "--host", "web*", "work").output.partition(":")[0]
        self.assertIn(f"{name}  host web*", self.run_it("silence", "list").output)
        self.run_it("ack", "db1", "moving logs")
        self.assertEqual(self.run_it("status").exit_code, 0)
        self.run_it("silence", "remove", name)
        self.assertIn("nothing is silenced", self.run_it("silence", "list").output)
        self.assertEqual(self.run_it("status").exit_code, 1)

    def test_colours_are_for_terminals_whose_user_wants_them(self) -> None:
        """NO_COLOR, set to whatever, is respected."""
        self.write()
        script = ["script", "-qec", f"{sys.executable} -c '{CALL}' status -c {self.config}", "/dev/null"]
        for words, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
            environment = {**os.environ, "TERM": "xterm", **words}
            if coloured:
                environment.pop("NO_COLOR", None)
            told = subprocess.run(script, capture_output=True, env=environment, cwd=ROOT)
            self.assertEqual(b"\x1b[" in told.stdout, coloured, told)
        self.assertNotIn("\x1b", self.run_it("status").output)

    def test_what_is_bad_can_be_acknowledged(self) -> None:
        """A host with its checks, or one check; and nothing else."""
        self.assertIn("1 trouble acknowledged", self.run_it("ack", "web1", "on its way").output)
        self.assertIn("db1/disk//", self.run_it("ack", "db1", "disk", "moving logs").output)
        self.assertEqual(self.run_it("ack", "db1", "load", "?").exit_code, 1)
        wanted = [("acknowledged", "web1", "", "on its way"), ("acknowledged", "db1", "disk", "moving logs")]
        self.assertEqual(self.acts(), wanted)

    def test_what_is_acknowledged_moves_no_cursor(self) -> None:
        """Hosts name their checks as they like."""
        self.events.append(check("db2", HOSTILE, "critical"))
        output = self.run_it("ack", "db2", "ours").output
        self.assertIn("db2/\\u001b[2J\\u202egnp\\u000d\\u000a<b>[red]", output)
        self.assertTrue(output.removesuffix("\n").isprintable())

    def test_mistakes_are_told_in_a_sentence(self) -> None:
        """Status 2, and nothing is done."""
        for words, sentence in (
            (("silence", "add", "why"), "give --host"),
            (("silence", "add", "--host", "*", "--for", "soon", "why"), "soon"),
            (("silence", "add", "--host", "*", "--for", "400d", "why"), "365d"),
            (("ack", "web1", "a", "b", "c"), "one text in quotes"),
            (("ack", "web1", "x" * 600), "512 bytes"),
            (("alert", "test", "nobody"), "no notifier"),
        ):
            result = self.run_it(*words)
            self.assertIn(sentence, result.output)
            self.assertIn(result.exit_code, (1, 2))
            self.assertNotIn("Traceback", result.output)
        self.assertEqual(self.acts(), [])
