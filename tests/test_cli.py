"""The commands, as people and scripts call them."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from unittest import TestCase

from click.testing import CliRunner, Result
from msgspec import json as fast

from monitor436 import __version__
from monitor436.cli import COMMANDS, main
from monitor436.cli.tail import _lines as following
from monitor436.model.event import Event
from monitor436.model.hosts.roster import Seen
from monitor436.model.keys.enrolment import Bound, Enrolment
from monitor436.names import Names
from monitor436.services.liveness import Snapshot
from monitor436.site import Site

HERE = Path(__file__).resolve().parent.parent


class CommandCase(TestCase):
    """Shared: a command, called in a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.settings = self.folder / "site" / "etc" / "monitor436.yaml"

    def call(self, *words: object) -> Result:
        """Run a command; a traceback is a failure of the test."""
        result = CliRunner().invoke(main, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def init(self) -> None:
        """A site with nothing in it yet."""
        self.assertEqual(self.call("init", self.folder / "site").exit_code, 0)
        (self.folder / "site" / "var").mkdir()

    def events(self, *events: Event) -> Path:
        """The events file of that site."""
        path = self.folder / "site" / "var" / "events.jsonl"
        path.write_bytes(b"".join(fast.encode(event) + b"\n" for event in events))
        return path


class CommandTests(CommandCase):
    """Every command but those below."""

    def test_every_command_has_help_and_the_version_is_told(self) -> None:
        """Without importing a reactor."""
        for name in COMMANDS:
            self.assertEqual(self.call(name, "--help").exit_code, 0, name)
        self.assertIn(__version__, self.call("--version").output)

    def test_the_list_of_commands_imports_none_of_them(self) -> None:
        """All of them would take more than a second."""
        code = "import sys; sys.argv[1:] = ['--help']; from monitor436.cli import main; main(standalone_mode=False)"
        more = "; print(sorted(name for name in sys.modules if name.startswith('monitor436.cli.')))"
        told = subprocess.run([sys.executable, "-c", code + more], capture_output=True, text=True, check=True, cwd=HERE)
        *shown, imported = told.stdout.splitlines()
        self.assertEqual(imported, "[]")
        listed = shown[shown.index("Commands:") + 1 :]
        self.assertEqual([line.split(maxsplit=1) for line in listed], [list(each) for each in COMMANDS.items()])
        self.assertEqual(list(COMMANDS), sorted(COMMANDS))

    def test_an_unknown_command_names_the_known_ones(self) -> None:
        """Exit status 2."""
        result = self.call("hots")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("hosts", result.output)

    def test_init_writes_what_the_project_ships(self) -> None:
        """Settings with every default and the first plan; both are good; nothing is overwritten."""
        self.init()
        for name in ("monitor436.yaml", "agents/all.yaml"):
            self.assertEqual((self.settings.parent / name).read_text(), (HERE / "etc" / name).read_text(), name)
        self.assertIn("good", self.call("config", "check", "-c", self.settings).output)
        self.settings.write_text("# mine\n")
        again = self.call("init", self.folder / "site")
        self.assertEqual((again.exit_code, self.settings.read_text()), (1, "# mine\n"))

    def test_the_agent_file_is_the_same_when_packed_again(self) -> None:
        """For all hosts, and for one; the owner alone can read it."""
        self.init()
        for host in ([], ["--host", "web1"]):
            packed = []
            for name in ("a", "b"):
                path = self.folder / name
                self.assertEqual(self.call("agent", "pack", "-c", self.settings, "-o", path, *host).exit_code, 0)
                self.assertEqual(path.stat().st_mode & 0o777, 0o700)
                packed.append(path.read_bytes())
            self.assertEqual(packed[0], packed[1])
        self.assertEqual(self.call("agent", "pack", "-c", self.settings, "--host", "../x").exit_code, 2)
        nowhere = self.call("agent", "pack", "-c", self.settings, "-o", self.folder / "none" / "a")
        self.assertEqual(nowhere.output, f"Error: {self.folder}/none/a: No such file or directory\n")

    def test_a_file_for_a_host_that_has_another_key_is_warned_of(self) -> None:
        """It would be refused; whoever means it has to forget the host first."""
        self.init()
        names = self.folder / "site" / "var" / "names.jsonl"
        names.parent.mkdir(parents=True, exist_ok=True)
        names.write_text('{"name":"web1","serial":"0102030405060708","greeted":true}\n')
        for host, warned in (("web1", True), ("web2", False)):
            result = self.call("agent", "pack", "-c", self.settings, "-o", self.folder / "a.pyz", "--host", host)
            self.assertEqual((result.exit_code, "host forget web1" in result.output), (0, warned), result.output)

    def test_tail_shows_the_last_events_and_filters(self) -> None:
        """By host, by severity, as text without colours or as the lines themselves."""
        self.init()
        when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        told = [("web1", "info", "a"), ("web2", "warning", "b\x1b[2J"), ("db1", "critical", "c")]
        self.events(
            *[Event(time=when, host=host, severity=how, kind="log_line", text=text) for host, how, text in told]
        )  # type: ignore[arg-type]
        shown = self.call("tail", "-c", self.settings).output.splitlines()
        self.assertEqual([line.split()[3] for line in shown], ["web1", "web2", "db1"])
        self.assertIn("b\\u001b[2J", shown[1])
        self.assertEqual(len(self.call("tail", "-c", self.settings, "-n", 1).output.splitlines()), 1)
        worse = self.call("tail", "-c", self.settings, "--severity", "warning", "--host", "web*", "--json").output
        self.assertEqual([json.loads(line)["host"] for line in worse.splitlines()], ["web2"])
        self.events(Event(time=when, kind="server_trouble", text="lag", id="@demo/a/1"))
        own = self.call("tail", "-c", self.settings, "--host", "@demo", "--json").output
        self.assertEqual([json.loads(line)["text"] for line in own.splitlines()], ["lag"])

    def test_tail_shows_events_though_the_settings_have_mistakes(self) -> None:
        """The server runs on with the old ones; without a mapping nobody knows where its events are."""
        self.init()
        self.events(Event(time=datetime(2026, 1, 2, tzinfo=UTC), host="web1", kind="log_line", text="a"))
        (self.folder / "site" / "var" / "events.jsonl").rename(self.folder / "site" / "elsewhere.jsonl")
        self.settings.write_text("heartbaet: {}\nstate: ../var\nevents: {file: ../elsewhere.jsonl, keep: many}\n")
        result = self.call("tail", "-c", self.settings)
        self.assertEqual((result.exit_code, "web1" in result.stdout), (0, True), result.output)
        self.assertIn('did you mean "heartbeat"?', result.stderr)
        self.settings.write_text("events: ]\n")
        self.assertEqual(self.call("tail", "-c", self.settings).exit_code, 2)

    def test_what_is_followed_goes_on_through_rotation(self) -> None:
        """Also if the last lines of a file came just before that, and if there were two rotations between two looks."""
        path = self.folder / "events.jsonl"
        path.write_bytes(b"1\n")
        followed = following(path, follow=True)
        self.addCleanup(followed.close)
        self.assertEqual([next(followed) for _ in range(2)], [(b"1\n", True), (b"", False)])
        for number in (2, 3, 4):
            with open(path, "ab") as file:
                file.write(b"%d\n" % number)
            if number < 4:
                path.rename(path.with_name(f"{path.name}.20260101T00000{number}"))
        self.assertEqual([next(followed) for _ in range(3)], [(b"2\n", False), (b"3\n", False), (b"4\n", False)])

    def test_tail_names_hosts_that_nobody_knows(self) -> None:
        """A slip must not look like silence; a pattern is no name, and a host may have nothing in this file."""
        self.init()
        self.events(Event(time=datetime(2026, 1, 2, tzinfo=UTC), host="web1", kind="log_line", text="a", id="@s/a/1"))
        (self.folder / "site" / "var" / "names.jsonl").write_text('{"name":"db1","serial":"0102030405060708"}\n')
        for known in ("web1", "db1", "web*"):
            self.assertEqual(self.call("tail", "-c", self.settings, "--host", known).stderr, "")
        told = self.call("tail", "-c", self.settings, "--host", "wbe1", "--kind", "log_line").stderr
        self.assertEqual(told, 'no host is called wbe1; did you mean "web1"?\n')

    def test_tail_shows_kinds_checks_and_tags_that_are_asked_for(self) -> None:
        """Metrics only then: they are samples, and there are many."""
        self.init()
        when = datetime(2026, 1, 2, tzinfo=UTC)
        load = Event(time=when, host="web1", kind="metric", check="load", text="load1 0.5", fields={"load1": 0.5})
        line = Event(time=when, host="web1", kind="log_line", check="app errors", text="oops", tags=("shop", "os"))
        self.events(load, line)
        wanted = {
            "": ["oops"],
            "--kind=metric": ["load1 0.5"],
            "--check=app*": ["oops"],
            "--tag=shop": ["oops"],
            "--tag=db": [],
        }
        for option, texts in wanted.items():
            shown = self.call("tail", "-c", self.settings, "--json", *filter(None, [option])).output
            self.assertEqual([json.loads(each)["text"] for each in shown.splitlines()], texts, option)

    def test_verify_says_complete_or_what_is_not(self) -> None:
        """Exit status 0 or 1; several files are one stream."""
        self.init()
        path = self.events(Event(id="web1/a/1"), Event(id="web1/a/2"))
        good = self.call("verify", path)
        self.assertEqual((good.exit_code, good.output[:9]), (0, "complete:"))
        path.rename(path.with_name("events.jsonl.20260101T000000"))
        self.events(Event(id="web1/a/4"))
        bad = self.call("verify", path, path.with_name("events.jsonl.20260101T000000"))
        self.assertEqual(bad.exit_code, 1)
        self.assertIn("missing: web1/a/3", bad.output)
        flaws = json.loads(self.call("verify", "--json", path).output)["flaws"]
        self.assertEqual([(flaw[0], flaw[2], flaw[3]) for flaw in flaws], [("missing", 1, 3)])

    def test_verify_of_nothing_proves_nothing(self) -> None:
        """A wrong path in a crontab is no green light."""
        empty = self.folder / "empty"
        empty.write_bytes(b"")
        result = self.call("verify", empty)
        self.assertEqual((result.exit_code, "nothing to prove" in result.output), (1, True))

    def test_merge_keeps_off_the_files_that_it_reads_and_says_where_it_cannot_write(self) -> None:
        """A server may be writing to them."""
        self.init()
        path = self.events(Event(id="web1/a/1"))
        for output, why in ((path, "one of the files that are read"), (self.folder / "no/such", "No such file")):
            result = self.call("merge", path, "-o", output)
            self.assertEqual((result.exit_code, why in result.output), (1, True), result.output)
        made = self.folder / "all.jsonl"
        self.assertEqual(self.call("merge", path, "-o", made).exit_code, 0)
        self.assertEqual((made.read_bytes(), made.stat().st_mode & 0o777 & ~0o640), (path.read_bytes(), 0))

    def test_hosts_lists_them_and_its_status_says_whether_all_are_well(self) -> None:
        """Down is 1; a filter may leave only good ones."""
        self.init()
        hosts = [Seen("web1", "up", 1.0, 60.0), Seen("web2", "down", 99.0, 80.0)]
        path = self.folder / "site" / "var" / "roster.json"
        path.write_bytes(fast.encode(Snapshot(time.time(), "demo", hosts)))
        listed = self.call("hosts", "-c", self.settings)
        self.assertEqual(listed.exit_code, 1)
        self.assertIn("2 hosts, 1 up", listed.output)
        only = self.call("hosts", "-c", self.settings, "--state", "up", "--json")
        self.assertEqual(only.exit_code, 0)
        self.assertEqual([host["name"] for host in json.loads(only.output)["hosts"]], ["web1"])
        path.write_bytes(fast.encode(Snapshot(time.time() - 60.0, "demo", hosts)))
        dead = self.call("hosts", "-c", self.settings, "--state", "up")
        self.assertEqual((dead.exit_code, "the server does not seem to run" in dead.output), (1, True))

    def test_what_is_not_there_is_a_sentence(self) -> None:
        """No settings, no events, no hosts; never a traceback."""
        self.assertEqual(self.call("tail", "-c", self.folder / "none.yaml").exit_code, 2)
        self.init()
        for command in ("tail", "hosts"):
            result = self.call(command, "-c", self.settings)
            self.assertEqual(result.exit_code, 1)
            self.assertIn("has the server been started?", result.output)

    def test_what_cannot_be_read_is_a_sentence_with_its_name(self) -> None:
        """Whatever the command; here folders are in the places of files, which stops root too."""
        self.init()
        files = {
            "events.jsonl": ["tail", "explain web1", "status", "top", "silence list"],
            "names.jsonl": ["host list", "host forget web1", "host approve web1", "explain web1"],
            "tokens.jsonl": ["token list", "token new ann --scope read", "token revoke ann"],
            "roster.json": ["hosts"],
            "links.jsonl": ["dashboard"],
        }
        for name, commands in files.items():
            path = self.folder / "site" / "var" / name
            path.mkdir()
            for command in commands:
                with self.subTest(command=command):
                    result = self.call(*command.split(), "-c", self.settings)
                    self.assertEqual((result.exit_code, result.output), (1, f"Error: {path}: Is a directory\n"))
            path.rmdir()

    def test_a_list_of_hosts_that_is_none_is_told_of(self) -> None:
        """It is there, so the server was started."""
        self.init()
        (self.folder / "site" / "var" / "roster.json").write_text("{")
        result = self.call("hosts", "-c", self.settings)
        self.assertEqual((result.exit_code, "holds no list of hosts" in result.output), (1, True), result.output)

    def test_an_output_that_is_full_is_a_sentence(self) -> None:
        """Of a command, and of help."""
        self.init()
        path = self.folder / "site" / "var" / "roster.json"
        path.write_bytes(fast.encode(Snapshot(time.time(), "demo", [Seen("web1", "up", 1.0, 60.0)])))
        for words in (["hosts", "-c", str(self.settings)], ["--help"]):
            called = [sys.executable, "-c", "from monitor436.cli import main; main()", *words]
            with open("/dev/full", "wb") as full:
                done = subprocess.run(called, stdout=full, stderr=subprocess.PIPE, text=True, cwd=HERE)
            self.assertEqual((done.returncode, done.stderr), (1, "Error: No space left on device\n"))

    def test_no_site_key_is_made_for_an_agent_file_that_has_no_place(self) -> None:
        """The folder for it is looked at first."""
        self.init()
        output = self.folder / "nowhere" / "a.pyz"
        result = self.call("agent", "pack", "-c", self.settings, "-o", output)
        self.assertEqual((result.exit_code, result.output), (1, f"Error: {output}: No such file or directory\n"))
        self.assertFalse((self.folder / "site" / "var" / "site").exists())

    def test_no_token_is_said_to_people_and_an_empty_list_to_scripts(self) -> None:
        """Silence may mean that nothing was looked at."""
        self.init()
        self.assertIn("there is no token", self.call("token", "list", "-c", self.settings).output)
        self.assertEqual(self.call("token", "list", "--json", "-c", self.settings).output, "[]\n")

    def test_a_server_without_settings_opens_no_log(self) -> None:
        """What is wrong is the first line, and the only one."""
        called = [sys.executable, "-c", "from monitor436.cli import main; main()", "run", "-c", "none.yaml"]
        done = subprocess.run(called, capture_output=True, text=True, cwd=self.folder, env={"PYTHONPATH": str(HERE)})
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(done.stderr, "none.yaml: cannot be read: No such file or directory\n")


class HostTests(CommandCase):
    """`monitor436 host`."""

    def setUp(self) -> None:
        super().setUp()
        self.init()
        self.names = Names(self.folder / "site" / "var" / "names.jsonl")
        self.names.keep(Bound("web1", "01" * 8, greeted=True, address="192.0.2.7"))
        self.names.keep(Bound("web2", state="waiting", ask="aa", address="192.0.2.8"))

    def enrolment(self) -> Enrolment:
        """What a server makes of the file."""
        return Enrolment(Names(self.folder / "site" / "var" / "names.jsonl").read())

    def host(self, *words: str) -> Result:
        """`monitor436 host` for this site."""
        return self.call("host", words[0], "-c", self.settings, *words[1:])

    def test_names_are_listed_with_what_they_are(self) -> None:
        """All, or those that wait."""
        self.assertEqual(
            [line.split()[:2] for line in self.host("list").output.splitlines()],
            [["web1", "bound"], ["web2", "waiting"]],
        )
        [waiting] = json.loads(self.host("list", "--waiting", "--json").output)
        self.assertEqual((waiting["name"], waiting["address"]), ("web2", "192.0.2.8"))

    def test_how_a_host_came_is_listed(self) -> None:
        """A file that was packed for it is told from the site's certificate; nothing is made for that."""
        folder = self.folder / "site" / "var" / "site"
        self.names.keep(Bound("web3", "03" * 8, greeted=True, way="token"))
        self.assertEqual([line.split()[6] for line in self.host("list").output.splitlines()][::2], ["-", "by"])
        self.assertFalse(folder.exists())
        self.names.keep(Bound("web4", Site(folder).packed_serial("web4").hex(), greeted=True))
        listed = json.loads(self.host("list", "--json").output)
        self.assertEqual([bound.get("way", "") for bound in listed], ["", "", "token", "packed"])

    def test_a_host_that_waits_is_approved(self) -> None:
        """And no other."""
        self.assertEqual(self.host("approve", "web2").exit_code, 0)
        given = self.enrolment().join("web2", "02" * 8, "aa", approve=True)
        self.assertEqual(given and given.serial, "02" * 8)
        for name in ("web1", "web9"):
            result = self.host("approve", name)
            self.assertEqual((result.exit_code, "does not wait" in result.output), (1, True))
        self.assertEqual(self.host("approve", "no name").exit_code, 2)

    def test_a_name_is_freed(self) -> None:
        """If it was somebody's."""
        self.assertEqual(self.host("forget", "web1").exit_code, 0)
        self.assertTrue(self.enrolment().allows("web1", "09" * 8, 0))
        self.assertEqual(self.host("forget", "web1").exit_code, 1)

    def test_a_running_server_reads_what_was_decided_since(self) -> None:
        """Line by line, each once."""
        server = Names(self.folder / "site" / "var" / "names.jsonl")
        self.assertEqual(len(server.read()), 2)
        self.assertEqual(server.read(), [])
        self.host("forget", "web1")
        self.assertEqual([(bound.name, bound.state) for bound in server.read()], [("web1", "forgotten")])
