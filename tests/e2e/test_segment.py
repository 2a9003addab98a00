"""On one broadcast segment: a server, three hosts that were told nothing, and somebody else's server."""

import shutil
import signal
import time

import pytest

from monitor436.last_seen import read_snapshot
from monitor436.model.settings.whole import Settings
from monitor436.state_folder import ROSTER
from tests.e2e.lan import made_lan
from tests.e2e.patience import eventually, pause
from tests.e2e.processes import MONITOR436, ROOT, TWISTD, run
from tests.e2e.servers import SOON, UP, Server, on_segment
from tests.e2e.stage import Agent, Stage

HOSTS = ("h1", "h2", "h3")
PROMISED = 10.0  # seconds from the start of an agent until it is listed
UNHEARD = 2.0  # seconds in which a server that is not obeyed has sent four beacons


class SegmentTests(Stage):
    """Agents are started as `./agent436.pyz`; what is typed is only because all hosts here share one disk."""

    def setUp(self) -> None:
        self.lan = made_lan(["s1", "s2", *HOSTS])
        self.addCleanup(self.lan.close)
        super().setUp()

    def on(self, host: str, server: Server) -> Agent:
        """The one agent file of a site, started on a host with nothing typed."""
        agent = Agent(self.folder / f"{host}-of-{server.folder.name}", server.agent_file(), self.lan.hosts[host].prefix)
        self.agents.append(agent)
        return agent.start()

    def site(self, name: str, settings: Settings | None = None) -> Server:
        """A server on a machine of the segment, running."""
        return self.server(settings or on_segment(name), self.lan.hosts[name].prefix, name).start()

    def up(self, server: Server) -> list[str]:
        """The hosts that `monitor436 hosts` calls up."""
        return [name for name, host in server.hosts().items() if host["state"] == "up"]

    def kept_as_up(self, server: Server) -> list[str]:
        """Those that it would call up: on a busy machine the command alone takes some of the time that is promised."""
        snapshot = read_snapshot(server.var / ROSTER)
        return [host.name for host in snapshot.hosts if host.state == "up"] if snapshot else []

    @pytest.mark.alone
    def test_three_copies_of_one_file_find_the_server_within_ten_seconds(self) -> None:
        """With the settings as they come, a beacon every 5 s. The agents start just after one: the worst time."""
        server = self.site("s1", Settings(name="s1"))
        pause(1.0)  # the first beacons come within 0.6 s, the next one 5 s after them
        begun = time.monotonic()
        agents = [self.on(host, server) for host in HOSTS]
        eventually(lambda: self.kept_as_up(server) == list(HOSTS), PROMISED, "three hosts may be listed as up")
        self.assertLess(time.monotonic() - begun, PROMISED)
        self.assertEqual(self.up(server), list(HOSTS))
        addresses = [host["address"] for host in server.hosts().values()]
        self.assertEqual(addresses, ["10.43.6.3", "10.43.6.4", "10.43.6.5"])
        self.assertEqual([agent.stop() for agent in agents], [0, 0, 0])
        self.assertEqual(server.stop(), -signal.SIGTERM)
        self.complete(server)

    def test_a_server_of_another_site_is_not_obeyed(self) -> None:
        """It is there first, under the same name, with the same ports."""
        other = self.site("s2", on_segment("s1"))
        ours = self.site("s1")
        agents = [self.on(host, ours) for host in HOSTS]
        eventually(lambda: self.up(ours) == list(HOSTS), SOON, "three hosts are listed as up")
        pause(UNHEARD)
        self.assertEqual(other.hosts(), {})
        self.assertEqual([event for event in other.events() if event.get("host")], [])
        for agent in agents:
            self.assertIn("greeted by s1 at 10.43.6.1:4360", agent.output)
            self.assertNotIn("10.43.6.2", agent.output)

    def test_hosts_greet_a_server_that_comes_after_them(self) -> None:
        """The agents wait for it; and after its end without a goodbye they greet it again when it is back."""
        server = self.site("s1")
        server.stop()
        agents = [self.on(host, server) for host in HOSTS]
        for agent in agents:
            assert agent.process is not None
            agent.process.says("looking for a server", SOON)
        server.start()
        eventually(lambda: self.up(server) == list(HOSTS), SOON, "three hosts are listed as up")
        server.kill()
        before = {agent: agent.output.count("greeted by s1") for agent in agents}
        server.start()
        eventually(
            lambda: all(agent.output.count("greeted by s1") > count for agent, count in before.items()),
            SOON, "greeted again",
        )  # fmt: skip
        self.assertEqual([agent.stop() for agent in agents], [0, 0, 0])
        self.complete(server)

    def test_a_fresh_tree_runs_with_nothing_edited(self) -> None:
        """`twistd -ny monitor.tac` in a copy of the tree, on the ports that stand in its settings."""
        tree = self.folder / "tree"
        tree.mkdir()
        shutil.copytree(ROOT / "etc", tree / "etc")
        shutil.copy(ROOT / "monitor.tac", tree)
        server = self.server(on_segment("s1"), self.lan.hosts["s1"].prefix, "s1")
        process = server.launch([*TWISTD, "-y", tree / "monitor.tac"])
        process.says(UP, SOON)
        server.var = tree / "var"
        self.on("h1", server)

        def listed() -> tuple[int, str]:
            return run([*MONITOR436, "hosts", "--json", "-c", tree / "etc" / "monitor436.yaml"])

        eventually(lambda: '"name":"h1","state":"up"' in listed()[1], SOON, "h1 is listed as up", poll=0.2)
        self.assertEqual(process.stop(), -signal.SIGTERM)
        status, verdict = server.verify(tree / "var" / "events.jsonl")
        self.assertEqual(status, 0, verdict)
