"""What the agent file does besides running: scripts state events, admins try plans and rules; nothing is a riddle."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from monitor436.agent.__main__ import COMMANDS
from tests.e2e.patience import eventually
from tests.e2e.processes import Process, environment, run
from tests.e2e.servers import SOON, Server
from tests.e2e.stage import Agent, Stage
from tests.e2e.test_doors import python36

ROUNDS = 4  # kills while events are stated
NOBODY = 65534
WHO = """\
hosts: ["h1"]
checks:
  who: {command: [id, -u], value: '(\\d+)', every: 1s, warning: above 60000}
"""
PLAN = """\
hosts: ["*"]
checks:
  lines: {{log: {log}, match: ["ERR(OR)?", "fatal"], exclude: ["harmless"]}}
  secrets: {{log: /etc/passwd, match: [root]}}
  space: {{reading: filesystem_used_percent, of: /, warning: above 100}}
  users: {{command: [who, -q], value: '# users=(\\d+)', warning: above 10000}}
  shell: {{command: [sh, -c, "echo 1"], value: '\\d+', warning: above 10000}}
"""


class CommandCase(Stage):
    """An agent file, and what it says."""

    def call(self, file: Path, *words: str | Path, status: int = 0) -> str:
        """The output of a command that ends with this status, and with no traceback."""
        found, output = run([file, *words])
        self.assertEqual(found, status, output)
        self.assertNotIn("Traceback", output)
        return output


class EventTests(CommandCase):
    """`event`"""

    def test_a_script_is_heard_by_the_server_once(self) -> None:
        """Whether the agent runs, is stopped, or has never been started since."""
        server = self.server().start()
        agent = self.joined(server, "h1")
        words = ["--severity", "critical", "--check", "backup", "--field", "seconds=341", "--tag", "os"]
        self.call(server.agent_file(), "event", "backup failed", *words, "--state", agent.state)
        event = server.event(host="h1", kind="reported", text="backup failed")
        told = {"severity": "critical", "check": "backup", "fields": {"seconds": 341}, "tags": ["os"]}
        self.assertEqual({key: event[key] for key in told}, told)
        self.assertEqual(agent.stop(), 0)
        self.call(server.agent_file(), "event", "while it is away", "--state", agent.state)
        agent.start()
        server.event(host="h1", kind="reported", text="while it is away")
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(len(server.events(host="h1", kind="reported")), 2)
        self.complete(server)

    def test_events_outlive_kills_and_none_is_told_twice(self) -> None:
        """The agent is killed while it takes them, again and again."""
        server = self.server().start()
        agent = self.joined(server, "h1")
        said = []
        greeted = 0
        for round_ in range(ROUNDS):
            for number in range(5):
                said.append(f"event {round_}.{number}")
                self.call(server.agent_file(), "event", said[-1], "--state", agent.state)
            agent.kill()
            greeted = agent.output.count("greeted by")
            agent.start()
        reported = {"host": "h1", "kind": "reported"}
        eventually(lambda: len(server.events(**reported)) >= len(said), SOON, "all of them")
        # The one before it may have told all: this one must be at work before it can be told to end.
        eventually(lambda: agent.output.count("greeted by") > greeted, SOON, "the last one runs")
        self.assertEqual([event["text"] for event in server.events(**reported)], said)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(os.listdir(agent.state / "inbox"), [])
        self.complete(server)

    def test_a_text_comes_from_standard_input(self) -> None:
        """All of it is read, so that whoever writes it is not stopped; the first 512 bytes are told."""
        server = self.server().start()
        state = self.folder / "state"
        state.mkdir()
        for words in ([], ["-"]):
            argv = [str(server.agent_file()), "event", *words, "--state", str(state)]
            script = 'head -c 1000000 /dev/zero | tr "\\0" x | "$@"; for each in ${PIPESTATUS[@]}; do echo $each; done'
            done = subprocess.run(["bash", "-c", script, "-", *argv], env=environment(), stdout=subprocess.PIPE)
            self.assertEqual(done.stdout.split(), [b"0", b"0", b"0"])
        texts = [json.loads(file.read_text())["text"] for file in (state / "inbox").iterdir()]
        self.assertEqual(texts, ["x" * 512] * 2)

    def test_it_starts_without_the_agent(self) -> None:
        """A script that states many events does not wait for what only the agent needs."""
        server = self.server().start()
        state = self.folder / "state"
        state.mkdir()
        argv = [sys.executable, "-X", "importtime", "-I", "-S", server.agent_file(), "event", "x", "--state", state]
        status, output = run(argv)
        self.assertEqual(status, 0, output)
        loaded = {line.split("|")[-1].strip() for line in output.splitlines()}
        ours = {name.partition("agent.")[2] for name in loaded if name.startswith("monitor436.agent.")}
        modules = {"__main__", "options", "event", "tools", "tools.report", "store", "store.durable", "store.statement"}
        self.assertEqual(ours, modules)


class PlanTests(CommandCase):
    """`check` and `match`, and `monitor436 config plan` before them."""

    def setUp(self) -> None:
        super().setUp()
        self.site = self.server().start()
        self.log = self.folder / "app.log"
        self.log.write_text("ERROR one\nall is well\nfatal two\nERR harmless\n" * 100)
        self.site.plan(PLAN.format(log=self.log))
        self.plan = self.folder / "plan.json"
        status, text = self.site.command("config", "plan", "h1")
        self.assertEqual(status, 0, text)
        self.plan.write_text(text)
        self.state = self.folder / "state"
        self.state.mkdir()

    def ask(self, *words: str | Path, status: int = 0) -> str:
        """The output of a command that knows the state folder."""
        return self.call(self.site.agent_file(), *words, "--state", self.state, status=status)

    def test_the_plan_that_is_printed_is_the_plan_that_is_served(self) -> None:
        """Byte by byte, but for the newline at its end."""
        server = Server(self.folder / "again", self.site.settings)
        server.plan(PLAN.format(log=self.log))
        agent = Agent(self.folder / "h1", self.site.agent_file(), options=["--name", "h1"])
        self.agents.append(agent)
        agent.start()
        self.site.follows("h1", 5)
        self.assertEqual((agent.state / "plan.json").read_text() + "\n", self.plan.read_text())
        self.assertIn(
            "the plan in force: 5 checks", self.call(self.site.agent_file(), "check", "--state", agent.state, status=1)
        )

    def test_a_plan_is_tried_and_what_the_host_refuses_is_told(self) -> None:
        """Each check has a line; a refusal makes it status 1."""
        lines = {line.split()[1]: line for line in self.ask("check", self.plan, status=1).splitlines()[:-1]}
        self.assertIn("is not in this host's logs.allow", lines["lines"])
        self.assertIn("is not in this host's logs.allow", lines["secrets"])
        self.assertRegex(lines["space"], r"^ok    space +ok: [0-9.]+$")
        self.assertRegex(lines["users"], r"^ok    users +ok: [0-9]+$")
        self.assertRegex(
            lines["shell"],
            r"^BAD   shell .*sh is not in this host's commands\.allow \(after an edit restart the agent\)$",
        )

    def test_with_other_limits_everything_works(self) -> None:
        """Status 0; for programs, too."""
        words = ["check", self.plan, "--logs", "any", "--commands", "any"]
        self.assertTrue(self.ask(*words).endswith(": 5 checks, everything works\n"))
        told = json.loads(self.ask(*words, "--json"))
        self.assertEqual((told["good"], told["works"]), (True, True))
        shell = [each for each in told["checks"] if each["check"] == "shell"]
        self.assertEqual([(each["state"], each["value"]) for each in shell], [("ok", 1.0)])
        self.assertNotIn("ok: ", self.ask(*words, "--no-run"))

    def test_every_mistake_of_a_plan_is_told(self) -> None:
        """Status 2, a line each."""
        self.plan.write_text('{"chekcs": [], "checks": [{"name": "x", "log": "y", "match": ["("]}]}')
        lines = self.ask("check", self.plan, status=2).splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertIn('did you mean "checks"?', lines[0])
        self.assertTrue(all(line.startswith(f"{self.plan}: ") for line in lines))
        self.assertFalse(json.loads(self.ask("check", "--json", self.plan, status=2))["good"])

    def test_rules_are_tried_on_a_file(self) -> None:
        """Those that are about it; lines that cannot match are not tried."""
        found = json.loads(self.ask("match", "--plan", self.plan, "--json", self.log))
        self.assertEqual((found["lines"], len(found["rules"])), (400, 1))
        rule = found["rules"][0]
        self.assertEqual((rule["check"], rule["matches"], rule["tried"], rule["overruns"]), ("lines", 200, 300, 0))
        self.assertIn("lines      200    300", self.ask("match", "--plan", self.plan, self.log))

    def test_expressions_of_the_command_line_are_tried(self) -> None:
        """With the lines, as grep would; status 1 if there are none."""
        self.assertEqual(self.ask("match", "-e", "two$", "--lines", self.log).count("fatal two\n"), 100)
        self.ask("match", "-e", "nothing", self.log, status=1)
        self.assertIn("-e: not a regular expression", self.ask("match", "-e", "(", self.log, status=2))


class LimitTests(CommandCase):
    """What a host lets a plan do."""

    def test_a_log_that_is_not_listed_is_not_read(self) -> None:
        """An event says so, and a new state folder has the list."""
        server = self.server().start()
        agent = self.agent(server, "h1", "--logs", "listed")
        server.follow(agent.log, "h1")
        agent.start()
        server.follows("h1")
        told = eventually(
            lambda: [
                event for event in server.events(host="h1") if "is not in this host's logs.allow" in event["text"]
            ],
            SOON,
            "a refusal",
        )
        self.assertEqual(told[0]["severity"], "warning")
        agent.write(["line"])
        with open(agent.state / "logs.allow", "a") as file:
            file.write(f"{agent.log}\n")
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(server.lines("h1"), [])
        greeted = agent.output.count("greeted by")
        agent.start()
        eventually(lambda: agent.output.count("greeted by") > greeted, SOON, "it runs again, and follows its plan")
        agent.write(["line of a listed log"])
        server.event(host="h1", text="line of a listed log")

    def test_commands_run_as_another_user(self) -> None:
        """The agent stays root."""
        if os.geteuid() != 0:
            self.skipTest("needs root")
        server = self.server().start()
        server.plan(WHO, "h1.yaml")
        agent = self.agent(server, "h1", "--commands", "any", "--run-as", "nobody").start()
        event = server.event(host="h1", kind="check_state", check="who")
        self.assertEqual(event["fields"]["value"], NOBODY)
        self.assertEqual(agent.stop(), 0)


class AdminTests(CommandCase):
    """Nobody is left with a traceback."""

    def setUp(self) -> None:
        super().setUp()
        server = self.server().start()
        self.file = server.agent_file()
        server.stop()

    def test_each_command_has_help_with_examples(self) -> None:
        """Status 0."""
        for word in COMMANDS:
            text = self.call(self.file, word, "--help")
            self.assertTrue(text.startswith(f"usage: agent436.pyz {word} "), text)
            self.assertIn("\nexamples:\n", text)
        self.assertIn("--self-test", self.call(self.file, "--help"))

    def test_mistakes_are_told_in_a_sentence(self) -> None:
        """2 is a wrong command line, 1 something on this host."""
        nowhere = str(self.folder / "nowhere")
        file = self.folder / "file"
        file.write_text("x")
        for status, words in (
            (2, ["evnt"]), (2, ["--prot", "3"]), (2, ["--port", "x"]), (2, ["--logs", "some"]), (2, ["--state", ""]),
            (2, ["event", "a", "b"]), (2, ["event", " "]), (2, ["event", "x", "--severity", "bad"]), (2, ["match"]),
            (2, ["check", "a", "b"]), (2, ["doctor", "x"]), (2, ["doctor", "--seconds", "0"]), (2, ["uninstall", "x"]),
            (2, ["install", "--run-as", "nobody"]), (2, ["match", "-e", "*", "x"]), (2, ["check", str(file)]),
            (1, ["event", "x", "--state", nowhere]), (1, ["event", "x", "--state", str(file)]), (1, ["check", nowhere]),
            (1, ["check", "--state", nowhere]), (1, ["check", str(self.folder)]), (1, ["match", "-e", "x", nowhere]),
            (1, ["match", "--state", nowhere, "x"]), (1, ["match", "-e", "x", str(self.folder)]),
            (1, ["install", "--root", nowhere, "--user", "nobody-436"]), (1, ["--state", str(file)]),
            (1, ["--run-as", "nobody-436", "--state", str(self.folder / "s")]),
            (1, ["check", str(file), "--run-as", "nobody-436"]),
        ):  # fmt: skip
            with self.subTest(words):
                text = self.call(self.file, *words, status=status)
                self.assertLessEqual(text.count("\n"), 3, text)
                self.assertTrue(text.strip(), words)

    def test_the_self_test_passes_here_and_on_an_old_python(self) -> None:
        """A line for each thing that the agent needs."""
        for python in (sys.executable, python36()):
            status, text = run([python, self.file, "--self-test"])
            self.assertEqual(status, 0, text)
            self.assertTrue(text.endswith("everything works\n"), text)
            for what in ("tags", "datagrams", "spool", "programs", "patterns", "reading load1"):
                self.assertIn(f"\nok    {what}: ", text)

    def test_a_file_that_was_installed_runs_what_was_packed(self) -> None:
        """Into an image; then it is what it was."""
        if os.geteuid() != 0:
            self.skipTest("needs root")
        image = self.folder / "image"
        (image / "usr/lib/systemd/system").mkdir(parents=True)
        text = self.call(self.file, "install", "--root", image, "--user", "root", "--server", "192.0.2.1")
        self.assertIn("/usr/local/sbin/agent436.pyz: written\n", text)
        installed = image / "usr/local/sbin/agent436.pyz"
        self.assertEqual(installed.read_bytes(), self.file.read_bytes())
        unit = image / "etc/systemd/system/monitor436-agent.service"
        self.assertIn("--server 192.0.2.1\n", unit.read_text())
        self.assertIn("agent436 ", self.call(installed, "--version"))
        self.call(installed, "uninstall", "--root", image, "--purge")
        self.assertEqual([path for path in image.rglob("*") if not path.is_dir()], [])

    def test_the_unit_is_one_that_systemd_takes(self) -> None:
        """Where systemd-analyze is there to say so."""
        if os.geteuid() != 0 or shutil.which("systemd-analyze") is None:
            self.skipTest("needs root and systemd-analyze")
        image = self.folder / "image"
        (image / "usr/lib/systemd/system").mkdir(parents=True)
        (image / "etc").mkdir()
        (image / "etc/passwd").write_text("eva:x:1000:1000::/home/eva:/bin/sh\n")
        self.call(self.file, "install", "--root", image, "--user", "eva", "--state", "/srv/agent")
        unit = image / "etc/systemd/system/monitor436-agent.service"
        unit.write_text(unit.read_text().replace("/usr/local/sbin/agent436.pyz", "/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", unit], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_an_interrupt_ends_a_command_quietly(self) -> None:
        """Status 130, as from a shell."""
        argv = [str(self.file), "doctor", "--seconds", "60", "--state", str(self.folder)]
        process = subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        with process, open(f"/proc/{process.pid}/status"):
            eventually(lambda: _listens(process.pid), SOON, "it listens")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(SOON), 130)
            self.assertEqual(process.stdout.read(), b"")

    def test_an_agent_that_has_not_joined_yet_ends_well_when_it_is_told_to(self) -> None:
        """By either signal; there is no server."""
        for number in (signal.SIGTERM, signal.SIGINT):
            process = Process([self.file, "--state", self.folder / "new"], self.folder / f"{number}.log")
            try:
                process.says("looking for a server", SOON)
                self.assertEqual(process.stop(number), 0)
            finally:
                process.kill()
            self.assertNotIn("Traceback", process.output)


def _listens(pid: int) -> bool:
    """Whether a process has a socket."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            if os.readlink(link).startswith("socket:"):
                return True
    return False
