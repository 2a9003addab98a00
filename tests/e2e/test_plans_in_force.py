"""Plans: edited, broken, and needed while no server is in reach."""

import time

import pytest
from msgspec import structs

from monitor436.model.settings.whole import Settings
from tests.e2e.patience import eventually
from tests.e2e.servers import LOG_PLAN, SOON, Server, on_loopback
from tests.e2e.stage import Agent, Stage

PROMISED = 5.0  # seconds from an edit until it is in force
HOSTS = ("h1", "h2", "h3")
BAD = """\
hosts: ["*"]
checks:
  load:
    reading: laod1
    every: 1m
    warning: above 3
"""


class PlanTests(Stage):
    """Agents on loopback, each with a log of its own."""

    def edit(self, server: Server, host: str, agent: Agent, match: str) -> None:
        """Plan that lines with this word are told."""
        server.plan(LOG_PLAN.format(hosts=host, log=agent.log).replace('"line"', f'"{match}"'), f"{host}.yaml")

    def listed(self, server: Server, host: str) -> str:
        """The digest that `monitor436 hosts` says is in force on a host, once it lists the one that the host told last:
        with a heartbeat, which may come later.
        """
        told = str(server.events(host=host, kind="plan_in_force")[-1]["fields"]["digest"])

        def known() -> str:
            plan = str(server.hosts().get(host, {}).get("plan"))
            return plan if plan.startswith(told) else ""

        return eventually(known, SOON, f"{host} is listed with plan {told}")

    @pytest.mark.alone
    def test_an_edit_is_in_force_within_five_seconds(self) -> None:
        """On three hosts at once, with plan files looked at as often as the settings say by themselves."""
        given = on_loopback()
        plans = structs.replace(given.plans, check_every=Settings().plans.check_every)
        server = self.server(structs.replace(given, plans=plans)).start()
        agents = {host: self.follower(server, host).start() for host in HOSTS}
        for host in HOSTS:
            server.follows(host)
        known = {host: len(server.events(host=host, kind="plan_in_force")) for host in HOSTS}
        for host, agent in agents.items():
            self.edit(server, host, agent, "other")
        edited = time.monotonic()
        for host in HOSTS:
            server.event(PROMISED, after=known[host], host=host, kind="plan_in_force")
        self.assertLess(time.monotonic() - edited, PROMISED)
        for host, agent in agents.items():
            agent.write(["line", "other"])
            server.event(host=host, kind="log_line")
            self.assertEqual(server.lines(host), ["other"])
        self.complete(server)

    def test_a_bad_plan_leaves_the_old_one_in_force(self) -> None:
        """An event says file, line and column; mending it says that plans were read again."""
        server = self.server().start()
        agent = self.joined(server, "h1")
        before = self.listed(server, "h1")
        server.plan(BAD, "load.yaml")
        refused = server.event(kind="plans_refused")
        self.assertIn("load.yaml:4:14: ", refused["text"])
        self.assertIn("load1", refused["text"])
        agent.write(["line that the old plan asks for"])
        server.event(host="h1", kind="log_line")
        self.assertEqual(self.listed(server, "h1"), before)
        server.plan(BAD.replace("laod1", "load1"), "load.yaml")
        server.follows("h1", checks=2)
        self.complete(server)

    def test_a_server_that_starts_with_a_bad_plan_serves_the_good_ones_that_hosts_have(self) -> None:
        """The agent keeps what it has; it is not told to follow nothing."""
        server = self.server().start()
        agent = self.joined(server, "h1")
        server.stop()
        greeted = agent.output.count("greeted by")
        server.plan(BAD, "load.yaml")
        server.start()
        server.event(kind="plans_refused")
        eventually(lambda: agent.output.count("greeted by") > greeted, SOON, "greeted again")
        agent.write(["line that the old plan asks for"])
        server.event(host="h1", kind="log_line")

    def test_the_last_good_plan_is_in_force_with_no_server_in_reach(self) -> None:
        """The agent is started again after the server has gone; what it saw is told when there is a server again."""
        server = self.server().start()
        agent = self.joined(server, "h1")
        server.kill()
        self.assertEqual(agent.stop(), 0)
        agent.start()
        eventually(lambda: "the last good plan is in force" in agent.output, SOON, "it says so")
        agent.write(["line while nobody listens"])
        spool = agent.state / "spool"
        eventually(
            lambda: any(b"nobody listens" in file.read_bytes() for file in spool.glob("*.jsonl")), SOON, "it is kept"
        )
        server.start()
        server.event(host="h1", kind="log_line")
        self.assertEqual(server.lines("h1"), ["line while nobody listens"])
        self.complete(server)
