"""Two machines under one name."""

import unittest

from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.hosts.roster import Roster


class TwinsTests(unittest.TestCase):
    """A cloned machine: the same key, another boot id, another address."""

    def setUp(self) -> None:
        self.known = Roster(lambda name: 15.0)
        self.now = 0.0
        self.told: list[Event] = []

    def greets(self, *boots: str, every: float = 15.0) -> None:
        """Machines greet one after another, and beat in between."""
        for boot in boots:
            self.now += every
            self.told += self.known.heard("web1", self.now)
            self.told += self.known.greeted("web1", boot, "1", f"10.0.0.{boot[1:]}")
            self.told += self.known.expire(self.now).events

    def kinds(self) -> list[str]:
        """What was told since the last call."""
        kinds_, self.told = [event.kind for event in self.told], []
        return kinds_

    def test_two_machines_that_take_turns_are_told_once(self) -> None:
        """The first change looks like a reboot; one that comes back twice is none. Nothing flaps."""
        self.greets("b1", "b2", "b1", "b2")
        told = self.told[-1]
        self.assertEqual(self.kinds(), [kinds.HOST_FOUND, kinds.HOST_REBOOTED, kinds.DUPLICATE_NAME])
        self.assertEqual(told.fields, {"reason": "duplicate_name", "addresses": "10.0.0.1 10.0.0.2"})
        self.greets(*["b1", "b2"] * 500)
        self.assertEqual(self.kinds(), [])

    def test_reboots_are_reboots_however_many(self) -> None:
        """A boot id never comes back by itself. At a pace at which nothing flaps."""
        self.greets(*[f"b{number}" for number in range(100)], every=20.0)
        self.assertEqual(self.kinds(), [kinds.HOST_FOUND] + [kinds.HOST_REBOOTED] * 99)

    def test_a_machine_that_is_set_back_once_is_no_second_one(self) -> None:
        """A virtual machine and its snapshot; the boot after that is new."""
        self.greets("b1", "b2", "b1", "b3")
        self.assertEqual(self.kinds(), [kinds.HOST_FOUND, kinds.HOST_REBOOTED, kinds.HOST_REBOOTED])

    def test_three_machines_are_told_once_too(self) -> None:
        """In whatever order they come."""
        self.greets("b1", "b2", "b3", "b1", "b2", *["b3", "b2", "b1"] * 20)
        self.assertEqual(self.kinds().count(kinds.DUPLICATE_NAME), 1)

    def test_a_copy_that_reboots_is_no_news_while_both_are_there(self) -> None:
        """It would be a stream again."""
        self.greets("b1", "b2", "b1", "b2")
        self.kinds()
        self.greets("b1", "b3", "b1", "b3")
        self.assertEqual(self.kinds(), [])

    def test_when_they_were_gone_for_a_day_they_are_told_again(self) -> None:
        """Somebody copied it once more."""
        self.greets("b1", "b2", "b1", "b2")
        self.kinds()
        self.now += 86400.0
        self.known.heard("web1", self.now)
        self.greets("b3", "b4", "b3", "b4")
        self.assertIn(kinds.DUPLICATE_NAME, self.kinds())

    def test_a_restart_of_the_server_does_not_tell_it_again(self) -> None:
        """It is kept with the host."""
        self.greets("b1", "b2", "b1", "b2")
        self.kinds()
        kept = self.known.seen(self.now)
        self.known = Roster(lambda name: 15.0)
        self.known.restore(kept, self.now)
        self.greets(*["b1", "b2"] * 10)
        self.assertEqual(self.kinds(), [])

    def test_copies_that_share_a_kernel_are_told_by_their_agents(self) -> None:
        """Containers have one boot id; each start of an agent has a spool of its own."""
        self.agents("a1", "a2", "a1", "a2")
        self.assertEqual(self.kinds(), [kinds.HOST_FOUND, kinds.DUPLICATE_NAME])
        self.agents(*["a1", "a2"] * 50)
        self.assertEqual(self.kinds(), [])

    def test_an_agent_that_is_started_again_and_again_is_one(self) -> None:
        """It never comes back."""
        self.agents(*[f"a{number}" for number in range(100)])
        self.assertEqual(self.kinds(), [kinds.HOST_FOUND])

    def agents(self, *agents: str) -> None:
        """Agents of one machine greet one after another."""
        for agent in agents:
            self.now += 15.0
            self.told += self.known.heard("web1", self.now)
            self.told += self.known.greeted("web1", "b1", "1", "10.0.0.1", agent)

    def test_the_spools_of_the_others_are_known(self) -> None:
        """A greeting names those of one machine: what the others sent must not be forgotten."""
        self.agents("a1")
        self.assertEqual(self.known.spools_of_others("web1"), [])
        self.agents("a2")
        self.assertEqual(self.known.spools_of_others("web1"), ["a1"])
        self.agents("a3")
        self.assertEqual(self.known.spools_of_others("web1"), ["a1", "a2"])
        self.agents("a1", "a2")
        self.assertIsNone(self.known.spools_of_others("web1"))
        self.assertEqual(self.known.spools_of_others("web2"), [])

    def test_few_are_remembered(self) -> None:
        """An agent that crashes every minute leaves nothing behind that grows."""
        self.agents(*[f"a{number}" for number in range(100)])
        self.assertEqual(self.known.spools_of_others("web1"), ["a95", "a96", "a97", "a98"])

    def test_boots_long_ago_are_not_remembered(self) -> None:
        """A fleet that reboots every week costs nothing."""
        for number in range(1000):
            self.greets(f"b{number}", every=7 * 86400.0)
        self.assertLessEqual(len(self.known._twins._past), 1)
