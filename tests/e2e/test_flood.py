"""A host whose log runs wild: the events file takes it at a pace, and in the end all of it."""

from msgspec import structs

from tests.e2e.patience import eventually
from tests.e2e.servers import SOON, calm
from tests.e2e.stage import Stage

RATE = 20  # events a second
LINES = 60 * RATE + 5 * RATE  # what is taken at once, and of five seconds more


class FloodTests(Stage):
    def test_a_host_that_tells_too_much_is_named_and_waits(self) -> None:
        """Each line is told once in the end, in order; and nobody was called late."""
        settings = calm()
        agents = structs.replace(settings.agents, events_each=RATE)
        server = self.server(structs.replace(settings, agents=agents)).start()
        agent = self.joined(server, "web1")
        agent.write([f"line {number}" for number in range(LINES)])
        trouble = server.event(kind="server_trouble")
        self.assertEqual((trouble["fields"]["trouble"], trouble["fields"]["state"]), ("pace", "begun"))
        self.assertIn("(web1)", trouble["text"])
        eventually(lambda: len(server.lines("web1")) >= LINES, SOON, "all lines are told")
        self.assertEqual(server.lines("web1"), [f"line {number}" for number in range(LINES)])
        self.assertEqual(server.events(kind="host_late"), [])
        self.complete(server)
