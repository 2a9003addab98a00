"""The pages of ssh sweeps."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.model.fleet.polls import Kept, Seen, Summary
from monitor436.model.sweep.sweeps import Last, SweepKept
from monitor436.web.sweeps import SweepPages
from tests.web.conversation import ask, door
from tests.web.known import OPEN

ROUND = Summary(1e9, 0.5, 2, 1, 1, {"refused": 1})


class SweepPagesTests(SynchronousTestCase):
    def setUp(self) -> None:
        targets = {"web1": Seen("..."), "web2": Seen("xxx", True, reason="refused")}
        kept = SweepKept(Kept(targets, [ROUND] * 3), {"web1": Last(77.0, "boot", 1e9)})
        self.clock = Clock()
        self.door = door(*SweepPages(lambda: {"fleet": kept}).routes(), http=OPEN, clock=self.clock)

    def test_every_sweep_is_told_with_its_last_round(self) -> None:
        """How many hosts fail."""
        (row,) = ask(self.door, "GET", "/api/sweeps").value["sweeps"]
        self.assertEqual((row["name"], row["hosts"], row["failing"], row["last"]["well"]), ("fleet", 2, 1, 1))

    def test_one_has_its_hosts_those_that_fail_first(self) -> None:
        """And as many of its rounds as are wanted."""
        one = ask(self.door, "GET", "/api/sweeps/fleet?rounds=2").value
        self.assertEqual(len(one["rounds"]), 2)
        self.assertEqual([(each["host"], each["seconds"], each["reason"]) for each in one["shown"]],
                         [("web2", None, "refused"), ("web1", 77.0, "")])  # fmt: skip
        self.assertEqual(len(ask(self.door, "GET", "/api/sweeps/fleet?most=1").value["shown"]), 1)
        self.assertEqual(ask(self.door, "GET", "/api/sweeps/none").status, 404)
