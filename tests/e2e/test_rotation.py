"""The site's key is exchanged while everything runs: nobody joins again, nothing is lost, nobody is called down."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from tests.e2e.patience import eventually, pause
from tests.e2e.ports import LOOPBACK
from tests.e2e.processes import MONITOR436, Process
from tests.e2e.servers import CALM, SOON, Server, calm
from tests.e2e.stage import Agent, Stage

MOVED = "moved to another site key"
ALARMS = ("host_late", "host_down", "host_stopped", "host_rebooted", "host_flapping", "duplicate_name")
LINES = 200


class Beater:
    """A machine that runs `monitor436 beat`."""

    def __init__(self, argv: Sequence[str | Path], console: Path) -> None:
        self._argv, self._console = argv, console
        self.process = Process(argv, console)

    def start_again(self) -> None:
        """End it, with a goodbye, and start it."""
        self.process.stop()
        self.process = Process(self._argv, self._console)

    def kill(self) -> None:
        """End whichever run there is."""
        self.process.kill()


class RotationTests(Stage):
    """Servers and agents on loopback."""

    def key(self, server: Server) -> bytes:
        """The present key of a server's site."""
        return (server.var / "site" / "site.key").read_bytes()

    def identity(self, agent: Agent) -> dict[str, str]:
        """Who a host is, as it keeps it."""
        return dict(json.loads((agent.state / "identity.json").read_text()))

    def rotate(self, server: Server) -> None:
        """Make another key."""
        status, said = server.command("site", "rotate")
        self.assertEqual(status, 0, said)

    def finish(self, server: Server, *options: str) -> tuple[int, str]:
        """Let go of the key before."""
        return server.command("site", "finish", *options)

    def moved(self, *agents: Agent) -> None:
        """Wait until agents use another key."""
        for agent in agents:
            eventually(lambda agent=agent: MOVED in agent.output, SOON, "moved", poll=0.02)  # type: ignore[misc]

    def quiet(self, server: Server) -> None:
        """Nobody was called absent."""
        self.assertEqual([event for event in server.events() if event["kind"] in ALARMS], [])

    def test_hosts_are_moved_while_they_tell_lines(self) -> None:
        """Before, during and after: each line once; the server is not restarted, the old key is let go of."""
        server = self.server(calm()).start()
        agents = [self.joined(server, host) for host in ("h1", "h2")]
        before = [self.identity(agent)["key"] for agent in agents]
        old_file = server.agent_file().read_bytes()
        status, said = self.finish(server)
        self.assertEqual(status, 1, said)
        for number in range(LINES):
            for agent in agents:
                agent.write([f"line {number}"])
            if number == LINES // 4:
                self.rotate(server)
            pause(0.02)
        self.moved(*agents)
        server.event(kind="site_changed")
        eventually(lambda: self.finish(server)[0] == 0, SOON, "nobody is left")
        server.event(kind="site_changed", after=1)
        for agent in agents:
            agent.write(["line after it"])
        wanted = [*[f"line {number}" for number in range(LINES)], "line after it"]
        for host in ("h1", "h2"):
            eventually(lambda host=host: len(server.lines(host)) >= len(wanted), SOON, "all lines")  # type: ignore[misc]
            self.assertEqual(server.lines(host), wanted)
        pause(CALM.late + 1)
        self.quiet(server)
        self.complete(server)
        after = [self.identity(agent)["key"] for agent in agents]
        self.assertEqual(len({*before, *after}), 4)
        self.assertNotEqual(server.agent_file().read_bytes(), old_file)
        for agent in agents:  # what is kept is what they go on with
            self.assertEqual(agent.stop(), 0)
            agent.start()
            agent.write(["line of another run"])
        eventually(lambda: all(server.lines(host)[-1] == "line of another run" for host in ("h1", "h2")), SOON, "heard")
        self.assertEqual([len(server.events(kind=kind)) for kind in ("host_joined", "host_refused")], [2, 0])

    def test_a_host_that_was_away_is_moved_when_it_comes_back(self) -> None:
        """Until then it is named as the one that is left; the server was restarted in between."""
        server = self.server(calm()).start()
        away, there = self.joined(server, "away"), self.joined(server, "there")
        away.stop()
        self.rotate(server)
        self.moved(there)
        status, said = eventually(lambda: self.left(server), SOON, "one is left")
        self.assertEqual((status, "away" in said, "there" in said), (1, True, False), said)
        server.stop()
        server.start()
        away.start()
        self.moved(away)
        away.write(["line of one that came back"])
        server.event(host="away", kind="log_line")
        eventually(lambda: self.finish(server)[0] == 0, SOON, "nobody is left")
        self.complete(server)

    def left(self, server: Server) -> tuple[int, str] | None:
        """What `site finish` says once only one host is left."""
        status, said = self.finish(server)
        return (status, said) if "1 host" in said else None

    def test_an_agent_killed_in_the_middle_of_it_has_one_key_or_the_other(self) -> None:
        """Again and again: it always comes back, and has told everything once in the end."""
        server = self.server(calm()).start()
        agent = self.joined(server, "h1")
        lines = []
        for number in range(4):
            self.rotate(server)
            server.event(kind="site_changed", after=2 * number)
            pause(0.1 * number)
            agent.kill()
            lines.append(f"line {number}")
            agent.write(lines[-1:])
            agent.start()
            eventually(lambda number=number: len(server.lines("h1")) > number, SOON, "heard")  # type: ignore[misc]
            eventually(lambda: self.finish(server)[0] == 0, SOON, "it was moved")
            server.event(kind="site_changed", after=2 * number + 1)
        self.assertEqual(server.lines("h1"), lines)
        self.assertEqual(len(server.events(kind="host_joined")), 1)
        self.complete(server)

    def test_a_file_packed_for_one_host_goes_on_after_a_rotation_and_so_does_a_new_one(self) -> None:
        """Its key is in the file, but the one it was moved to counts; a file packed anew is for the same name."""
        server = self.server(calm()).start()
        first, second = self.folder / "first.pyz", self.folder / "second.pyz"
        self.assertEqual(server.command("agent", "pack", "--host", "h1", "-o", str(first))[0], 0)
        agent = self.agent(server, "h1", file=first)
        agent._argv.remove("--name")
        agent._argv.remove("h1")
        server.follow(agent.log, "h1")
        agent.start()
        server.follows("h1")
        self.rotate(server)
        self.moved(agent)
        eventually(lambda: self.finish(server)[0] == 0, SOON, "it was moved")
        server.event(kind="site_changed", after=1)
        for number, file in enumerate((first, second)):
            if file is second:
                self.assertEqual(server.command("agent", "pack", "--host", "h1", "-o", str(second))[0], 0)
            agent.stop()
            shutil.copy(file, self.folder / "now.pyz")
            agent._argv[0] = self.folder / "now.pyz"
            agent.start()
            agent.write([f"line {number}"])
            server.event(host="h1", kind="log_line", after=number)
        self.assertEqual(len(server.events(kind="host_refused")), 0)
        self.complete(server)

    def test_machines_that_only_beat_are_moved_too(self) -> None:
        """One with a key in its file, one that joined; started again they go on with the key they were moved to."""
        settings = calm()
        one_port = structs.replace(settings.plans, port=settings.agents.port)  # which this command takes for granted
        server = self.server(structs.replace(settings, plans=one_port)).start()
        packed = self.folder / "b1.pyz"
        self.assertEqual(server.command("agent", "pack", "--host", "b1", "-o", str(packed))[0], 0)
        beaters = []
        for host, file in (("b1", packed), ("b2", server.agent_file())):
            to = f"{LOOPBACK}:{settings.agents.port}"
            state = self.folder / f"state-of-{host}"
            argv = [*MONITOR436, "beat", "--to", to, "--as", file, "--every", "500ms", "--state", state, "--name", host]
            beaters.append(Beater(argv, self.folder / f"{host}.log"))
            self.addCleanup(beaters[-1].kill)
        eventually(lambda: self.up(server) == ["b1", "b2"], SOON, "both are up")
        self.rotate(server)
        for beater in beaters:
            beater.process.says(MOVED, SOON)
        eventually(lambda: self.finish(server)[0] == 0, SOON, "both were moved")
        server.event(kind="site_changed", after=1)
        pause(CALM.late + 1)
        self.quiet(server)
        for number, beater in enumerate(beaters):
            beater.start_again()
            server.event(kind="host_up", after=number)
        self.assertEqual(len(server.events(kind="host_joined")), 1)

    def up(self, server: Server) -> list[str]:
        """Those that are listed as up."""
        return [name for name, host in server.hosts().items() if host["state"] == "up"]

    def test_old_agent_files_join_until_the_rotation_is_finished(self) -> None:
        """They get a key of the new kind at once, and hear beacons afterwards."""
        server = self.server(calm()).start()
        old = self.folder / "old.pyz"
        shutil.copy(server.agent_file(), old)
        self.rotate(server)
        server.event(kind="site_changed")
        agent = self.agent(server, "h1", file=old)
        server.follow(agent.log, "h1")
        agent.start()
        server.follows("h1")
        eventually(lambda: self.finish(server)[0] == 0, SOON, "it has the new key")
        self.assertNotIn(MOVED, agent.output)
        server.event(kind="site_changed", after=1)
        server.stop()
        greeted = agent.output.count("greeted by")
        server.start()
        eventually(lambda: agent.output.count("greeted by") > greeted, SOON, "greeted again")
        late = self.agent(server, "h2", "--server", f"{LOOPBACK}:{server.settings.plans.port}", file=old).start()
        eventually(lambda: "join token is wrong" in late.output, SOON, "the old file is good for nothing")
        self.assertNotIn("joined as", late.output)

    def test_a_second_server_gets_its_copy_later(self) -> None:
        """Meanwhile the hosts that were moved beat to both, and the second one is restarted, too."""
        one = self.server(calm()).start()
        given = calm("two")
        two = self.server(structs.replace(given, beacon=one.settings.beacon), name="two")
        shutil.copytree(one.var / "site", two.var / "site")
        agent = self.follower(one, "h1").start()
        one.follows("h1")  # it is home
        two.start()
        eventually(lambda: two.hosts().get("h1", {}).get("state") == "up", SOON, "two hears it")
        self.rotate(one)
        self.moved(agent)
        two.stop()
        greeted = agent.output.count("greeted by two")
        two.start()
        eventually(lambda: agent.output.count("greeted by two") > greeted, SOON, "two, under the key before")
        for name in ("site.key.before", "site.key"):
            copied = two.var / "site" / f"{name}.copy"
            shutil.copy(one.var / "site" / name, copied)
            os.chmod(copied, 0o600)
            os.replace(copied, two.var / "site" / name)
        two.event(kind="site_changed")
        eventually(lambda: self.finish(two)[0] == 0, SOON, "two has nobody under the key before")
        eventually(lambda: self.finish(one)[0] == 0, SOON, "and one has not")
        pause(CALM.late + 1)
        for server in (one, two):
            self.quiet(server)
            self.assertEqual(server.hosts()["h1"]["state"], "up")
            self.complete(server)
        self.assertEqual(agent.output.count(MOVED), 1)

    def test_a_folder_that_others_can_read_changes_nothing(self) -> None:
        """One event says so; hosts stay up."""
        server = self.server(calm()).start()
        self.joined(server, "h1")
        path = server.var / "site" / "site.key"
        key = path.read_bytes()
        path.write_bytes(b"short")
        refused = server.event(kind="site_refused")
        self.assertIn("expected 32 bytes", refused["text"])
        path.write_bytes(key)
        pause(CALM.late + 1)
        self.quiet(server)
        self.assertEqual(len(server.events(kind="site_refused")), 1)
        self.assertEqual(len(server.events(kind="site_changed")), 0)
