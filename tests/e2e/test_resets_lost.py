"""An edited plan reaches its hosts although half of the resets that tell of it are lost."""

import time
from typing import Any

import pytest
from msgspec import structs

from monitor436.agent import wire
from monitor436.model.settings.hosts import Heartbeat
from tests.e2e.lan import made_lan
from tests.e2e.patience import eventually
from tests.e2e.servers import Server, on_segment
from tests.e2e.stage import Agent, Stage

HOSTS = tuple(f"h{number}" for number in range(1, 7))
BEAT = 10.0  # seconds
START = 8.0  # seconds in which a fetch on this machine, shared by all these hosts and other tests, has come and gone
PLAN = """\
hosts: ["*"]
checks:
  load: {{reading: load1, warning: above {limit}}}
"""


@pytest.mark.alone
class ResetsLostTests(Stage):
    """Six hosts on a segment."""

    def setUp(self) -> None:
        self.lan = made_lan(["s1", *HOSTS])
        self.addCleanup(self.lan.close)
        super().setUp()

    def test_a_plan_is_in_force_everywhere_within_two_heartbeats(self) -> None:
        """Those that hear the reset come at once; the others learn it with the answer to their next heartbeat."""
        settings = structs.replace(on_segment("s1"), heartbeat=Heartbeat(every=BEAT, late=3 * BEAT))
        server = self.server(settings, self.lan.hosts["s1"].prefix, "s1")
        server.plan(PLAN.format(limit=1000))
        server.start()
        for host in HOSTS:
            agent = Agent(self.folder / host, server.agent_file(), self.lan.hosts[host].prefix)
            self.agents.append(agent)
            agent.start()
        for host in HOSTS:
            server.event(host=host, kind="plan_in_force")
        self.lan.lose_half_of(wire.RESET)
        begun = time.monotonic()
        server.plan(PLAN.format(limit=2000))
        server.event(kind="plans_changed", after=1)
        told = time.monotonic()
        since: list[float] = []
        for _ in HOSTS:
            eventually(lambda: len(self.edited(server)) > len(since), 2 * BEAT + START, "one more", poll=0.02)
            since.append(time.monotonic() - told)
        self.assertEqual(self.lan.lost(), len(HOSTS) // 2, "half of the resets were lost")
        self.assertEqual({event["host"] for event in self.edited(server)}, set(HOSTS))
        self.assertLess(since[len(HOSTS) // 2 - 1], START, "those that heard the reset")
        self.assertLess(since[-1], BEAT + START, "those that did not")
        self.assertLess(time.monotonic() - begun, 2 * BEAT)
        self.complete(server)

    def edited(self, server: Server) -> list[dict[str, Any]]:
        """The events that the edited plan is in force: the second of each host."""
        events = server.events(kind="plan_in_force")
        return [event for number, event in enumerate(events) if event["host"] in [e["host"] for e in events[:number]]]
