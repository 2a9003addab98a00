"""What follows from the rounds of a sweep: reboots, dead agents, hosts that fail."""

import unittest

from msgspec import json

from monitor436.model.event import AGENT_DEAD, HOST_REBOOTED, SWEEP_FAILED, SWEEP_RECOVERED, SWEEP_UNTRUSTED, Event
from monitor436.model.hosts.host import DOWN, UP
from monitor436.model.hosts.known_as import KnownAs
from monitor436.model.hosts.roster import Roster
from monitor436.model.sweep.remote import Result
from monitor436.model.sweep.sweeps import Agent, SweepKept, Swept

HOSTS = {"root@web1": "web1.example", "web2": "web2", "web3": "web3", "web4": "web4"}


class SweptCase(unittest.TestCase):
    """Shared: a sweep of hosts; `agents` says what heartbeats tell."""

    def setUp(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.swept = Swept("fleet", 2, 3, self.agents.get)
        self.now = 1e9

    def round(self, doubt: str = "", **up: float | str | None) -> list[Event]:
        """A round a minute later: seconds of uptime, another boot ("7:boot"), or None for a host that fails."""
        self.now += 60
        results = []
        for name, said in up.items():
            name = "root@web1" if name == "web1" else name
            if said is None:
                results.append(Result(name, self.now, 1.0, reason="refused", error="refuses connections"))
            else:
                seconds, _, boot = str(said).partition(":")
                results.append(Result(name, self.now, 1.0, float(seconds), boot))
        return self.swept.round(results, HOSTS, 1.0, doubt)


class RebootTests(SweptCase):
    def test_an_uptime_that_went_back_is_one_reboot(self) -> None:
        """Told under the name of the host, with how long it was up before."""
        self.assertEqual(self.round(web1=90_000), [])
        (event,) = self.round(web1=30)
        self.assertEqual((event.kind, event.host, event.severity), (HOST_REBOOTED, "web1.example", "warning"))
        self.assertEqual(event.text, "web1.example was rebooted: up for 0 min, it was 1 day, 1:00")
        self.assertEqual(self.round(web1=90), [])

    def test_errors_of_clocks_are_none(self) -> None:
        """Nor are forms of uptime that have minutes only."""
        self.round(web2=90_000)
        self.assertEqual(self.round(web2=89_950), [])

    def test_another_boot_is_a_reboot_however_long_ago(self) -> None:
        """Linux names its boots: an uptime may be longer by now than it was."""
        self.round(web2="100:one")
        self.assertEqual(self.round(web2="160:one"), [])
        (event,) = self.round(web2="5000:two")
        self.assertEqual(event.kind, HOST_REBOOTED)

    def test_an_agent_that_is_up_tells_it_itself(self) -> None:
        """Not twice."""
        self.agents["web2"] = Agent("web2", UP)
        self.round(web2=90_000)
        self.assertEqual(self.round(web2=30), [])

    def test_a_reboot_while_nobody_looked_is_told_after_a_restart(self) -> None:
        """What is known is kept."""
        self.round(web2=90_000, web3=100)
        kept = json.decode(json.encode(self.swept.kept), type=SweepKept)
        self.swept = Swept("fleet", 2, 3, self.agents.get, kept)
        (event,) = self.round(web2=30, web3=400)
        self.assertEqual(event.host, "web2")


class AgentTests(SweptCase):
    def test_a_host_that_is_down_and_answers_has_a_dead_agent(self) -> None:
        """Told once, under the agent's name, and again when it goes down again."""
        self.agents["web1.example"] = Agent("web1", DOWN)
        (event,) = self.round(web1=90_000)
        self.assertEqual((event.kind, event.host, event.fields["reason"]), (AGENT_DEAD, "web1", "agent_dead"))
        self.assertEqual(self.round(web1=90_060), [])
        self.agents["web1.example"] = Agent("web1", UP)
        self.assertEqual(self.round(web1=90_120), [])
        self.agents["web1.example"] = Agent("web1", DOWN)
        (event,) = self.round(web1=90_180)
        self.assertEqual(event.kind, AGENT_DEAD)

    def test_a_host_that_is_down_and_does_not_answer_is_down(self) -> None:
        """Nothing is added to that."""
        self.agents["web2"] = Agent("web2", DOWN)
        self.assertEqual(self.round(web2=None), [])


class FailureTests(SweptCase):
    def test_a_host_that_fails_is_one_event_a_change(self) -> None:
        """Two of three rounds; who is gone from the inventory is forgotten."""
        self.round(web2=100, web3=100)
        self.assertEqual(self.round(web2=None, web3=160), [])
        (failed,) = self.round(web2=None, web3=220)
        self.assertEqual((failed.kind, failed.fields["sweep"], failed.text),
                         (SWEEP_FAILED, "fleet", "sweep fleet: web2 fails: refuses connections"))  # fmt: skip
        self.assertEqual(self.round(web2=400, web3=280), [])
        (recovered,) = self.round(web2=460, web3=340)
        self.assertEqual(recovered.kind, SWEEP_RECOVERED)

    def test_a_doubtful_round_changes_no_host(self) -> None:
        """And is told once."""
        (doubt,) = self.round("this server stood still", web2=None)
        self.assertEqual((doubt.kind, doubt.fields), (SWEEP_UNTRUSTED, {"sweep": "fleet", "state": "untrusted"}))
        self.assertEqual(self.round("this server stood still", web2=None), [])


class KnownAsTests(unittest.TestCase):
    def test_a_host_is_known_by_name_short_name_or_address(self) -> None:
        """An address that two hosts have says nothing."""
        roster = Roster(lambda name: 15.0)
        for name, address in {"web1": "10.0.0.1", "web2": "10.0.0.2", "web3": "10.0.0.2"}.items():
            roster.heard(name, 1.0)
            roster.greeted(name, "boot", "1", address)
        find = KnownAs(roster).find
        for host in ("web1", "web1.example", "10.0.0.1"):
            self.assertEqual(find(host), Agent("web1", UP), host)
        for host in ("10.0.0.2", "10.0.0.9", "db1", "10"):
            self.assertIsNone(find(host), host)
