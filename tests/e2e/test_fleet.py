"""What an operator decides about a fleet: who gets an edit first, who may join, whose key is good."""

import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import structs

from monitor436.model.settings.whole import Settings
from tests.e2e.patience import eventually, pause
from tests.e2e.servers import SOON, Server, calm, on_loopback
from tests.e2e.stage import Agent, Stage

CANARY_WAIT = 8.0  # seconds: longer than a canary needs on a machine that is busy with other tests
UNHEARD = 2.0  # seconds in which whoever should not be told, or heard, has not been
READ_AGAIN = "settings read again"  # what a server says at HUP, right before it reads the plans
FOLLOWS = "the last good plan is in force"  # what an agent says at its start, before it greets
JOIN_AGAIN = 30.0  # seconds: a host asks again after 5 s, then after 10 s more
LOAD = """\
hosts: ["*"]
checks:
  {name}: {{reading: {reading}, warning: above 1000}}
"""
REVOKED = """\
hosts: [h1]
generation: {generation}
"""


def with_plans(**plans: object) -> Settings:
    """Settings on loopback, some of those of plans as said."""
    given = on_loopback()
    return structs.replace(given, plans=structs.replace(given.plans, **plans))


def without_reading(file: Path, reading: str, to: Path) -> Path:
    """An agent file like another one, of a version that does not know a reading yet."""
    packed = file.read_bytes()
    prelude = packed[: packed.index(b"PK\x03\x04")]
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(to, "w") as older:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("agent/probe/readings.py"):
                assert content.count(f'"{reading}": '.encode()) == 1
                content = content.replace(f'"{reading}": '.encode(), f'"not_{reading}": '.encode())
            older.writestr(name, content)
    to.write_bytes(prelude + to.read_bytes())
    to.chmod(0o700)
    return to


class CanaryTests(Stage):
    """The group "c*" gets an edit CANARY_WAIT before the others."""

    def setUp(self) -> None:
        super().setUp()
        self.site = self.server(with_plans(canary=("c*",), canary_wait=CANARY_WAIT))
        self.site.plan(LOAD.format(name="first", reading="load1"))
        self.site.start()

    def in_force(self, host: str, after: int) -> dict[str, Any]:
        """The event that the plan of a host is in force that is the `after`th there, counted from 0."""
        return self.site.event(host=host, kind="plan_in_force", after=after, seconds=SOON + CANARY_WAIT)

    def test_an_edit_is_tried_by_the_canary_group_first(self) -> None:
        """Then it is in force on the others; one event for each step."""
        for host in ("c1", "w1"):
            self.agent(self.site, host).start()
            self.in_force(host, 0)
        told = len(self.site.events(kind="plans_changed"))
        self.site.plan(LOAD.format(name="second", reading="load5"))
        steps = [self.site.event(kind="plans_changed", after=told), self.in_force("c1", 1)]
        steps += [self.site.event(kind="plans_changed", after=told + 1), self.in_force("w1", 1)]
        self.assertIn("1 host to follow another plan first", steps[0]["text"])
        self.assertIn("now 1 more host to", steps[2]["text"])
        lines = [self.site.events().index(step) for step in steps]
        self.assertEqual(lines, sorted(lines))
        tried, all_told = (datetime.fromisoformat(steps[at]["time"]) for at in (0, 2))
        self.assertGreater((all_told - tried).total_seconds(), CANARY_WAIT - 0.1)
        self.assertEqual(len({host["plan"] for host in self.both_listed().values()}), 1)

    def both_listed(self) -> dict[str, dict[str, str]]:
        """Hosts as they are listed, once both have told their plan."""

        def same() -> dict[str, dict[str, str]]:
            hosts = self.site.hosts()
            return hosts if len({host["plan"] for host in hosts.values()}) == 1 else {}

        return eventually(same, SOON, "both are listed with one plan")

    def test_an_edit_that_a_canary_refuses_reaches_nobody_else_and_is_taken_back(self) -> None:
        """Its agent is older, and does not know the reading. To save it again is an edit, and HUP is none."""
        older = without_reading(self.site.agent_file(), "load5", self.folder / "older.pyz")
        for host, file in (("c1", older), ("w1", None)):
            self.agent(self.site, host, file=file).start()
            self.in_force(host, 0)
        self.site.plan(LOAD.format(name="second", reading="load5"))
        held = self.site.event(kind="plans_held")
        self.assertIn("load5", held["text"])
        self.assertIn("c1", held["text"])
        self.site.hang_up()
        eventually(lambda: READ_AGAIN in self.site.output, SOON, "HUP is over")
        self.site.plan(LOAD.format(name="second", reading="load5"))
        self.site.event(kind="plans_held", after=1)
        self.assertEqual(len(self.site.events(kind="plans_changed")), 3)  # the first, the edit, and that saved again
        pause(CANARY_WAIT + UNHEARD)
        for host in ("c1", "w1"):
            self.assertEqual(len(self.site.events(host=host, kind="plan_in_force")), 1, host)
        self.site.plan(LOAD.format(name="third", reading="load15"))
        for host in ("c1", "w1"):
            self.in_force(host, 1)
        self.complete(self.site)


class ApprovalTests(Stage):
    """A site where an operator approves each join (plans.join: approve)."""

    def setUp(self) -> None:
        super().setUp()
        self.site = self.server(with_plans(join="approve")).start()

    def named(self, name: str, folder: str) -> Agent:
        """An agent that asks under a name, with a state folder of its own."""
        agent = Agent(self.folder / folder, self.site.agent_file(), options=["--name", name])
        self.agents.append(agent)
        return agent.start()

    def names(self, *options: str) -> dict[str, dict[str, str]]:
        """What `host list` lists."""
        status, text = self.site.command("host", "list", "--json", *options)
        self.assertEqual(status, 0, text)
        return {bound["name"]: bound for bound in json.loads(text)}

    def test_a_host_waits_until_it_is_approved_and_nobody_else_gets_its_key(self) -> None:
        """Another machine that asks under the same name is turned away, before and after."""
        agent = self.named("h1", "one")
        waiting = self.site.event(kind="host_waiting")
        self.assertEqual((waiting["host"], waiting["fields"]["address"]), ("h1", "127.0.0.1"))
        self.assertIn("monitor436 host approve h1", waiting["text"])
        eventually(lambda: "waits for approval" in agent.output, SOON, "the host says what it waits for")
        self.assertEqual(list(self.names("--waiting")), ["h1"])
        other = self.named("h1", "other")
        eventually(lambda: "is the name of another host" in other.output, SOON, "turned away")
        status, said = self.site.command("host", "approve", "h2")
        self.assertEqual((status, "does not wait" in said), (1, True))
        self.assertEqual(self.site.command("host", "approve", "h1")[0], 0)
        eventually(lambda: "joined as h1" in agent.output, JOIN_AGAIN, "approved")
        eventually(lambda: self.site.hosts().get("h1", {}).get("state") == "up", SOON, "up")
        self.assertEqual((self.names("--waiting"), "ask" in self.names()["h1"]), ({}, True))
        self.assertNotIn("joined as", other.output)
        self.assertEqual([len(self.site.events(kind=kind)) for kind in ("host_waiting", "host_joined")], [1, 1])
        self.complete(self.site)

    def test_a_name_that_is_forgotten_is_for_the_machine_that_is_approved_next(self) -> None:
        """The one before is refused, once that one has greeted; after a restart of the server, too."""
        first = self.named("h1", "one")
        self.site.event(kind="host_waiting")
        self.site.command("host", "approve", "h1")
        eventually(lambda: "greeted by" in first.output, JOIN_AGAIN, "joined")
        serial = eventually(lambda: self.names()["h1"].get("greeted") and self.names()["h1"]["serial"], SOON, "bound")
        self.assertEqual(first.stop(), 0)
        status, said = self.site.command("host", "forget", "h1")
        self.assertEqual((status, said), (0, "h1 is free\n"))
        eventually(lambda: self.site.hosts() == {}, SOON, "nobody is listed")
        second = self.named("h1", "two")
        self.site.event(kind="host_waiting", after=1)
        self.site.command("host", "approve", "h1")
        eventually(lambda: "greeted by" in second.output, JOIN_AGAIN, "joined")
        eventually(lambda: self.names()["h1"].get("greeted"), SOON, "bound")
        self.assertNotEqual(self.names()["h1"]["serial"], serial)
        self.site.stop()
        greeted = second.output.count("greeted by")
        self.site.start()
        eventually(lambda: second.output.count("greeted by") > greeted, SOON, "greeted again")
        first.start()
        refused = self.site.event(kind="host_refused")
        self.assertEqual((refused["host"], refused["fields"]["serial"]), ("h1", serial))
        eventually(lambda: self.site.hosts()["h1"]["state"] == "up", SOON, "the one that has the name is up")


class GenerationTests(Stage):
    """Keys that a plan file revokes."""

    def kept(self, agent: Agent) -> Path:
        """Where a host keeps its key."""
        return agent.state / "identity.json"

    def refused(self, server: Server, after: int = 0) -> None:
        """Wait until a greeting was refused."""
        server.event(kind="host_refused", host="h1", after=after)

    def test_a_generation_more_shuts_out_the_key_at_once_and_a_new_join_lets_the_host_in(self) -> None:
        """Its running session ends, and other hosts notice nothing. A copy of the old key is good for nothing."""
        server = self.server(calm()).start()
        agent, bystander = self.joined(server, "h1"), self.joined(server, "h2")
        stolen = self.kept(agent).read_bytes()
        self.assertEqual(json.loads(stolen)["generation"], 0)
        server.plan(REVOKED.format(generation=1), "revoked.yaml")
        self.refused(server)
        down = server.event(host="h1", kind="host_down")
        self.assertEqual(down["fields"]["reason"], "silent")
        agent.write(["line of a host that is shut out"])
        pause(UNHEARD)
        self.assertEqual(server.lines("h1"), [])
        agent.stop()
        self.kept(agent).unlink()
        agent.start()
        server.event(host="h1", kind="log_line")
        self.assertEqual(json.loads(self.kept(agent).read_text())["generation"], 1)
        server.event(host="h1", kind="host_up")
        agent.stop()
        eventually(lambda: server.hosts()["h1"]["state"] == "stopped", SOON, "it is listed as stopped")
        good = self.kept(agent).read_bytes()
        self.kept(agent).write_bytes(stolen)
        begun = agent.output.count(FOLLOWS)
        agent.start()
        eventually(lambda: agent.output.count(FOLLOWS) > begun, SOON, "it runs")
        pause(UNHEARD)
        self.assertEqual(server.hosts()["h1"]["state"], "stopped")
        agent.stop()
        self.kept(agent).write_bytes(good)
        agent.start()
        server.event(host="h1", kind="host_up", after=1)
        self.assertEqual([e["kind"] for e in server.events(host="h2") if e["kind"] in ("host_late", "host_down")], [])
        bystander.write(["line of a bystander"])
        server.event(host="h2", kind="log_line")
        self.assertEqual(server.lines("h1"), ["line of a host that is shut out"])
        self.complete(server)

    def test_a_file_packed_for_the_host_has_the_generation_that_plans_say(self) -> None:
        """One packed before is refused."""
        server = self.server().start()
        files = []
        for generation in (0, 1):
            if generation:
                server.plan(REVOKED.format(generation=generation), "revoked.yaml")
            files.append(self.folder / f"{generation}.pyz")
            status, said = server.command("agent", "pack", "--host", "h1", "-o", str(files[-1]))
            self.assertEqual(status, 0, said)
        server.event(kind="plans_changed", after=1)
        old = self.agent(server, "h1", file=files[0]).start()
        self.refused(server)
        old.stop()
        new = Agent(self.folder / "new", files[1])
        self.agents.append(new)
        new.start()
        eventually(lambda: server.hosts().get("h1", {}).get("state") == "up", SOON, "up")
        self.assertNotIn("greeted by", old.output)
