"""Who is alive: an agent that is killed, one that comes back, one that says goodbye."""

import shutil
import signal
import socket

from msgspec import structs

from monitor436.model.settings.whole import Settings
from tests.e2e.patience import eventually, pause
from tests.e2e.ports import LOOPBACK
from tests.e2e.processes import MONITOR436, Process, run
from tests.e2e.servers import PACE, SOON, Server, on_loopback
from tests.e2e.stage import Agent, Stage
from tests.e2e.witness import Witness

STEADY = structs.replace(PACE, late=4.0)  # for tests in which nobody who lives may be late, on any machine
SLOW = 6.0  # seconds of silence that the plan of one host allows
AWAY = 3.0  # seconds without a server
UNKNOWN = 8.0  # seconds for which a host is waited for: within them a command has to list it, on any machine


def told_of(server: Server, host: str) -> list[str]:
    """The kinds of the events about a host, in the order of the file."""
    kinds = [event["kind"] for event in server.events(host=host)]
    return [kind for kind in kinds if kind.startswith(("host_", "duplicate_"))]


def steady(unknown_after: float = STEADY.unknown_after) -> Settings:
    """Settings on loopback with STEADY."""
    return structs.replace(on_loopback(), heartbeat=structs.replace(STEADY, unknown_after=unknown_after))


class LivenessTests(Stage):
    """Beats every half second."""

    def watched(self, server: Server) -> Witness:
        """What this machine does to a server that runs."""
        assert server.process is not None
        witness = Witness(server.process.pid).start()
        self.addCleanup(witness.stop)
        return witness

    def test_a_host_that_is_killed_is_late_then_down_and_up_when_it_is_back(self) -> None:
        """Each is one event, with the reason and for how long."""
        server = self.server(steady()).start()
        agent, witness = self.joined(server, "h1"), self.watched(server)
        agent.kill()
        late = server.event(host="h1", kind="host_late")
        down = server.event(host="h1", kind="host_down")
        self.assertEqual((down["severity"], down["fields"]["reason"]), ("critical", "silent"))
        self.assertGreaterEqual(late["fields"]["seconds"], STEADY.late)
        self.assertGreaterEqual(down["fields"]["seconds"], STEADY.late + 1)
        self.assertLess(down["fields"]["seconds"], STEADY.late + 3 + witness.worst)
        eventually(lambda: server.hosts()["h1"]["state"] == "down", SOON, "it is listed as down")
        agent.start()
        up = server.event(host="h1", kind="host_up")
        self.assertEqual(up["fields"]["was"], "down")
        self.assertGreaterEqual(up["fields"]["seconds"], down["fields"]["seconds"])
        eventually(lambda: server.hosts()["h1"]["state"] == "up", SOON, "it is listed as up")
        self.assertEqual(told_of(server, "h1"), ["host_joined", "host_found", "host_late", "host_down", "host_up"])
        self.complete(server)

    def test_each_host_has_the_time_out_of_its_plan(self) -> None:
        """Both are killed at once; the one whose plan says so is given more time."""
        server = self.server().start()
        slow, quick = self.joined(server, "slow"), self.joined(server, "quick")
        witness, told = self.watched(server), len(server.events(host="slow", kind="plan_in_force"))
        server.plan(f"hosts: [slow]\nbeat: 1s\nlate: {SLOW:g}s\n", "slower.yaml")
        server.event(host="slow", kind="plan_in_force", after=told)
        hosts = ("slow", "quick")
        known = {host: len(server.events(host=host, kind="host_down")) for host in hosts}  # on a busy machine
        slow.kill()
        quick.kill()
        down = {host: server.event(SLOW + SOON, known[host], host=host, kind="host_down") for host in hosts}
        silent = {host: event["fields"]["seconds"] for host, event in down.items()}
        self.assertGreaterEqual(silent["slow"], SLOW + PACE.pings)
        self.assertLess(silent["slow"], SLOW + PACE.pings + 2 + witness.worst)
        self.assertLess(silent["quick"], PACE.late + PACE.pings + 2 + witness.worst)

    def test_a_host_that_never_came_is_told_once(self) -> None:
        """A plan names it; when it comes it is found."""
        server = self.server(steady(unknown_after=UNKNOWN))
        ghost = self.follower(server, "ghost")
        server.start()
        eventually(lambda: server.hosts()["ghost"]["state"] == "unknown", SOON, "it is waited for")
        down = server.event(host="ghost", kind="host_down")
        self.assertEqual((down["severity"], down["fields"]["reason"]), ("critical", "never_seen"))
        self.assertGreaterEqual(down["fields"]["seconds"], UNKNOWN)
        pause(3.0)
        ghost.start()
        server.event(host="ghost", kind="host_found")
        eventually(lambda: server.hosts()["ghost"]["state"] == "up", SOON, "it is listed as up")
        self.assertEqual(told_of(server, "ghost"), ["host_down", "host_joined", "host_found"])

    def test_what_is_known_of_hosts_outlives_the_server(self) -> None:
        """Killed and started again, it repeats no verdict, finds nobody anew, and knows when each was heard."""
        server = self.server(steady()).start()
        gone, stays = self.joined(server, "gone"), self.joined(server, "stays")
        gone.kill()
        server.event(host="gone", kind="host_down")
        eventually(lambda: server.hosts()["gone"]["state"] == "down", SOON, "it is listed as down")
        server.kill()
        before = server.hosts()["gone"]
        pause(AWAY)
        server.start()
        eventually(lambda: server.hosts()["gone"]["age"] > before["age"], SOON, "the next run has kept something")
        after = server.hosts()["gone"]
        self.assertEqual((after["state"], after["boot"]), ("down", before["boot"]))
        self.assertGreaterEqual(after["age"], before["age"] + AWAY)
        self.assertGreaterEqual(after["lasted"], before["lasted"] + AWAY)
        stays.write(["line of the second run"])
        eventually(lambda: server.lines("stays"), SOON, "the other one is there")
        pause(STEADY.late + STEADY.pings + 1)
        self.assertEqual(told_of(server, "gone"), ["host_joined", "host_found", "host_late", "host_down"])
        self.assertEqual(told_of(server, "stays"), ["host_joined", "host_found"])
        gone.start()
        up = server.event(host="gone", kind="host_up")
        self.assertGreaterEqual(up["fields"]["seconds"], after["age"])
        self.complete(server)

    def test_an_agent_that_is_told_to_stop_is_not_an_outage(self) -> None:
        """It says goodbye: stopped, and silence afterwards means nothing."""
        server = self.server(steady()).start()
        told = {"h1": signal.SIGTERM, "h2": signal.SIGINT, "h3": signal.SIGHUP}
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # by nohup(1), and so is the agent's
            del told["h3"]
        for host, number in told.items():
            agent = self.joined(server, host)
            assert agent.process is not None
            self.assertEqual(agent.process.stop(number), 0)
            server.event(host=host, kind="host_stopped")
            server.event(host=host, kind="agent_stopped")
        pause(STEADY.late + 1)
        self.assertEqual([each for each in server.events() if each["kind"] in ("host_late", "host_down")], [])
        self.assertEqual({host["state"] for host in server.hosts().values()}, {"stopped"})
        self.complete(server)

    def test_a_server_that_stood_still_blames_nobody(self) -> None:
        """It was stopped for longer than a host may be silent; its own absence is taken off."""
        server = self.server(steady()).start()
        self.joined(server, "h1")
        assert server.process is not None
        server.process.send(signal.SIGSTOP)
        pause(STEADY.late + 1)
        server.process.send(signal.SIGCONT)
        pause(STEADY.late)
        self.assertEqual([each for each in server.events() if each["kind"] in ("host_late", "host_down")], [])
        self.assertEqual(server.stop(), -signal.SIGTERM)

    def test_a_copied_machine_is_told_once_and_loses_nothing(self) -> None:
        """Both have the key and take turns; neither flaps, and every line of both is in the file once."""
        server = self.server(steady()).start()
        agent = self.joined(server, "h1")
        copy = Agent(self.folder / "copy", server.agent_file(), options=["--name", "h1"])
        self.agents.append(copy)
        shutil.copytree(agent.state, copy.state)
        copy.start()
        told = server.event(host="h1", kind="duplicate_name")
        self.assertEqual((told["severity"], told["fields"]["reason"]), ("critical", "duplicate_name"))
        agent.write(["line that both read"])
        eventually(lambda: len(server.lines("h1")) == 2, SOON, "the line of both")
        pause(5 * PACE.late)
        self.assertEqual(told_of(server, "h1"), ["host_joined", "host_found", "duplicate_name"])
        self.assertEqual((agent.stop(), copy.stop()), (0, 0))
        self.complete(server)

    def test_datagrams_that_the_kernel_drops_are_told(self) -> None:
        """The server is stopped while more arrives than its buffer holds."""
        settings = on_loopback()
        agents = structs.replace(settings.agents, receive_buffer=4096)
        server = self.server(structs.replace(settings, agents=agents)).start()
        assert server.process is not None
        server.process.send(signal.SIGSTOP)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as through:
            for _ in range(100):
                through.sendto(bytes(1000), (LOOPBACK, agents.port))
        server.process.send(signal.SIGCONT)
        told = eventually(lambda: server.troubles("kernel_drops"), SOON, "it is told")[0]
        self.assertEqual(told["fields"]["state"], "begun")
        self.assertGreater(told["fields"]["value"], 50)

    def test_a_heart_beats_without_an_agent(self) -> None:
        """With a key that was packed for it; interrupted, it says goodbye."""
        server = self.server(steady()).start()
        file = self.folder / "router1.pyz"
        status, text = server.command("agent", "pack", "--host", "router1", "-o", str(file))
        self.assertEqual(status, 0, text)
        port = server.settings.agents.port
        words = ["beat", "--to", f"{LOOPBACK}:{port}", "--as", file, "--every", "500ms"]
        heart = Process([*MONITOR436, *words], self.folder / "heart.log")
        self.addCleanup(heart.kill)
        heart.says("answers", SOON)
        eventually(lambda: server.hosts().get("router1", {}).get("state") == "up", SOON, "it is listed as up")
        pause(STEADY.late + 1)
        server.kill()
        eventually(lambda: "does not answer" in heart.output.splitlines()[-1], SOON, "it says that nobody answers")
        server.start()
        eventually(lambda: heart.output.endswith(" answers\n"), 4 * SOON, "it greets the next run of the server")
        self.assertEqual(heart.stop(), 0)
        server.event(host="router1", kind="host_stopped")
        bad = [event for event in server.events() if event["kind"] in ("host_late", "host_down")]
        self.assertEqual(bad, [])

    def test_a_heart_joins_once_under_a_name(self) -> None:
        """With the file that everybody has; the key is kept, and the name is not given to another one."""
        settings = on_loopback()
        door = structs.replace(settings.plans, port=settings.agents.port)
        server = self.server(structs.replace(settings, plans=door)).start()
        words = ["beat", "--to", f"{LOOPBACK}:{server.settings.agents.port}", "--as", server.agent_file()]
        words += ["--every", "500ms", "--name"]
        for joined in (1, 0):
            heart = Process([*MONITOR436, *words, "h1", "--state", self.folder / "one"], self.folder / "heart.log")
            self.addCleanup(heart.kill)
            heart.says("answers", SOON)
            self.assertEqual(heart.output.count("joined as h1"), joined)
            self.assertEqual(heart.stop(signal.SIGINT), 0)
        status, text = run([*MONITOR436, *words, "h1", "--state", self.folder / "two"])
        self.assertEqual(status, 1)
        self.assertIn("h1 is the name of another host already", text)
