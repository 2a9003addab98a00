"""Who is alive: an agent that is killed, one that comes back, one that says goodbye."""

import signal

from tests.e2e.patience import eventually, pause
from tests.e2e.servers import PACE, SOON
from tests.e2e.stage import Stage


class LivenessTests(Stage):
    """Beats every half second, late after 1.5 s."""

    def test_a_host_that_is_killed_is_late_then_down_and_up_when_it_is_back(self) -> None:
        """Each is one event, with the reason and for how long."""
        server = self.server().start()
        agent = self.joined(server, "h1")
        agent.kill()
        late = server.event(host="h1", kind="host_late")
        down = server.event(host="h1", kind="host_down")
        self.assertEqual((down["severity"], down["fields"]["reason"]), ("critical", "silent"))
        self.assertGreaterEqual(late["fields"]["seconds"], PACE.late)
        self.assertGreaterEqual(down["fields"]["seconds"], PACE.late + 1)
        self.assertLess(down["fields"]["seconds"], PACE.late + 3)
        eventually(lambda: server.hosts()["h1"]["state"] == "down", SOON, "it is listed as down")
        agent.start()
        up = server.event(host="h1", kind="host_up")
        self.assertEqual(up["fields"]["was"], "down")
        self.assertGreaterEqual(up["fields"]["seconds"], down["fields"]["seconds"])
        eventually(lambda: server.hosts()["h1"]["state"] == "up", SOON, "it is listed as up")
        kinds = [event["kind"] for event in server.events(host="h1") if event["kind"].startswith("host_")]
        self.assertEqual(kinds, ["host_joined", "host_found", "host_late", "host_down", "host_up"])
        self.complete(server)

    def test_an_agent_that_is_told_to_stop_is_not_an_outage(self) -> None:
        """It says goodbye: stopped, and silence afterwards means nothing."""
        server = self.server().start()
        for number, host in ((signal.SIGTERM, "h1"), (signal.SIGINT, "h2")):
            agent = self.joined(server, host)
            assert agent.process is not None
            self.assertEqual(agent.process.stop(number), 0)
            server.event(host=host, kind="host_stopped")
            server.event(host=host, kind="agent_stopped")
        pause(PACE.late + 2)
        self.assertEqual([each for each in server.events() if each["kind"] in ("host_late", "host_down")], [])
        self.assertEqual({host["state"] for host in server.hosts().values()}, {"stopped"})
        self.complete(server)

    def test_a_server_that_stood_still_blames_nobody(self) -> None:
        """It was stopped for longer than a host may be silent; its own absence is taken off."""
        server = self.server().start()
        self.joined(server, "h1")
        assert server.process is not None
        server.process.send(signal.SIGSTOP)
        pause(PACE.late + 2)
        server.process.send(signal.SIGCONT)
        pause(PACE.late)
        self.assertEqual([each for each in server.events() if each["kind"] in ("host_late", "host_down")], [])
        self.assertEqual(server.stop(), -signal.SIGTERM)
