"""A thousand lines while nobody listens: all of them arrive, once each.

M436_OUTAGE: for how many seconds the server is away.
"""

import os
import signal
from collections.abc import Callable

from tests.e2e.lan import made_lan
from tests.e2e.patience import eventually, pause
from tests.e2e.servers import SOON, Server, on_segment
from tests.e2e.stage import Agent, Stage

OUTAGE = float(os.environ.get("M436_OUTAGE", "6"))  # seconds
LINES = 1000
BURSTS = 20  # in which they are written, spread over the outage
CAUGHT_UP = 30.0  # seconds in which a server that is back has everything
LOSS = 20  # per cent of all packets, each way
# The same with losses. One greeting in three comes to nothing, and the next is sent 1, 2, 4 … 30 s later: five in a row
# are lost in one run of a hundred, which takes 31 s, and those of 300 s in one of a million.
CAUGHT_UP_WITH_LOSS = 300.0


def numbered(first: int, last: int) -> list[str]:
    """Lines that can be told apart, `last` not included."""
    return [f"line {number} of {LINES}: something that an application has to say" for number in range(first, last)]


class OutageTests(Stage):
    """A server on a machine of its own, and hosts beside it on the segment."""

    def setUp(self) -> None:
        self.lan = made_lan(["s1", "h1", "h2"])
        self.addCleanup(self.lan.close)
        super().setUp()
        self.site = self.server(on_segment("s1"), self.lan.hosts["s1"].prefix).start()

    def on(self, host: str) -> Agent:
        """An agent that has joined and follows its own log."""
        agent = Agent(self.folder / host, self.site.agent_file(), self.lan.hosts[host].prefix)
        self.agents.append(agent)
        self.site.follow(agent.log, host)
        agent.start()
        self.site.follows(host)
        agent.write(["line before"])
        self.site.event(host=host, kind="log_line")
        return agent

    def outage(self, agents: list[Agent], halfway: Callable[[], None]) -> None:
        """Stop the server, write the lines meanwhile, start it. `halfway()` is called in the middle."""
        self.assertEqual(self.site.stop(), -signal.SIGTERM)
        size = LINES // BURSTS
        for burst in range(BURSTS):
            for agent in agents:
                agent.write(numbered(burst * size, (burst + 1) * size))
            if burst == BURSTS // 2:
                halfway()
            pause(OUTAGE / BURSTS)
        self.site.start()

    def some_arrived(self, least: int) -> None:
        """Wait until more than so many lines of h1 are there."""
        eventually(lambda: len(self.site.lines("h1")) > least, SOON, "some have arrived")

    def assert_all_there(self, server: Server, host: str, written: list[str], seconds: float = CAUGHT_UP) -> None:
        """Each line once, in the order in which it was written; and the proof by numbers agrees."""
        wanted = ["line before", *written]
        eventually(lambda: len(server.lines(host)) >= len(wanted), seconds, f"every line of {host} is there")
        self.assertEqual(server.lines(host), wanted)
        self.complete(server)

    def test_lines_written_while_the_server_is_stopped_arrive_once(self) -> None:
        """On two hosts; the agent of one is killed in the middle, and its application goes on writing meanwhile."""
        steady, killed = self.on("h1"), self.on("h2")

        def kill_and_start() -> None:
            killed.kill()
            killed.write(["line without an agent"])
            killed.start()

        self.outage([steady, killed], kill_and_start)
        self.assert_all_there(self.site, "h1", numbered(0, LINES))
        half = (BURSTS // 2 + 1) * (LINES // BURSTS)
        self.assert_all_there(self.site, "h2", [*numbered(0, half), "line without an agent", *numbered(half, LINES)])
        self.assertEqual(len(self.site.events(host="h2", kind="agent_started")), 2)

    def test_an_agent_killed_while_it_sends_doubles_nothing(self) -> None:
        """The server is there all the time; the agent dies with lines read, spooled, sent or acknowledged."""
        agent = self.on("h1")
        size = LINES // BURSTS
        for burst in range(BURSTS):
            agent.write(numbered(burst * size, (burst + 1) * size))
            if burst % 5 == 2:
                self.some_arrived(burst * size)
                agent.kill()
                agent.start()
        self.assert_all_there(self.site, "h1", numbered(0, LINES))

    def test_the_same_holds_with_a_fifth_of_all_packets_lost_each_way(self) -> None:
        """Greetings, events and acknowledgements are lost; the agent is killed as well."""
        agent = self.on("h1")
        self.lan.lose(LOSS)

        def kill_and_start() -> None:
            agent.kill()
            agent.start()

        self.outage([agent], kill_and_start)
        self.assert_all_there(self.site, "h1", numbered(0, LINES), CAUGHT_UP_WITH_LOSS)
        self.assertGreater(self.lan.lost(), LINES // 50, "hardly anything was lost: nothing was tried")
