"""An edit of the plans goes to a few hosts first, and to nobody else if one of them cannot use it."""

import os
import shutil
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from monitor436.agent.event import PLAN_REFUSED
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.services.plans import Plans

PLAN = 'hosts: ["*"]\nchecks:\n  load:\n    reading: load1\n    warning: above {}\n'
HOSTS = ("test1", "web1", "web2")


class CanaryTests(SynchronousTestCase):
    """A folder of plans with the canary group "test*", looked at every second."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.clock = Clock()
        self.events: list[Event] = []
        self.changed: list[str] = []
        self.edits = 0
        self.write(5)
        self.plans = Plans(
            str(self.folder), 1.0, (5.0, 15.0), (["test*"], 60.0), self.events.extend, self.clock  # type: ignore[arg-type]
        )  # fmt: skip
        self.plans.changed = self.changed.extend
        self.plans.startService()
        self.addCleanup(self.plans.stopService)
        self.before = self.digests()

    def write(self, limit: int) -> None:
        """At another time than before: many kernels tell no times apart within some milliseconds."""
        file = self.folder / "all.yaml"
        file.write_text(PLAN.format(limit))
        self.edits += 1
        os.utime(file, (self.edits, self.edits))

    def edit(self, limit: int) -> None:
        """An edit, and the two looks after which it is read."""
        self.write(limit)
        self.clock.pump([1.0, 1.0])

    def digests(self) -> list[str]:
        """What each host should follow."""
        return [self.plans.digest(host) for host in HOSTS]

    def kinds(self) -> list[str]:
        """What was stated since the last call."""
        stated, self.events[:] = [event.kind for event in self.events], []
        return stated

    def test_the_canary_group_gets_an_edit_first_and_then_everybody(self) -> None:
        """Digest and plan are those of the same book, at every moment."""
        self.edit(6)
        self.assertEqual(
            [now == then for now, then in zip(self.digests(), self.before, strict=True)], [False, True, True]
        )
        self.assertEqual(self.changed, ["test1"])
        self.assertIn(b"above 6", self.plans.plan("test1"))
        self.assertIn(b"above 5", self.plans.plan("web1"))
        self.clock.advance(60.0)
        self.assertEqual(self.changed, ["test1", "web1", "web2"])
        self.assertEqual(len(set(self.digests())), 1)
        self.assertEqual(self.kinds()[-1], kinds.PLANS_CHANGED)

    def test_a_reload_of_plans_that_are_what_they_were_is_no_news(self) -> None:
        """Nor does it end a trial or begin one; after mistakes that are mended it is news, and so is an edit."""
        self.kinds()

        def reload() -> list[str]:
            self.plans.reload(str(self.folder), (5.0, 15.0))
            return self.kinds()

        self.assertEqual(reload(), [])
        self.write("nothing")  # type: ignore[arg-type]
        self.assertEqual(reload(), [kinds.PLANS_REFUSED])
        self.write(5)
        self.assertEqual(reload(), [kinds.PLANS_CHANGED])
        self.clock.advance(60.0)
        self.kinds()
        self.write(6)
        self.assertEqual(reload(), [kinds.PLANS_CHANGED])
        self.clock.advance(59.0)
        self.assertEqual(reload(), [])
        self.clock.advance(1.0)
        self.assertEqual((self.kinds(), len(set(self.digests()))), ([kinds.PLANS_CHANGED], 1))

    def test_a_refusal_of_the_canary_group_ends_it(self) -> None:
        """It goes back to what it had; the next edit is tried anew."""
        self.edit(6)
        self.plans.heard([Event(kind=PLAN_REFUSED, host="test1", text="no")])
        self.assertEqual(self.digests(), self.before)
        self.assertEqual(self.kinds()[-1], kinds.PLANS_HELD)
        self.clock.advance(600.0)
        self.assertEqual(self.digests(), self.before)
        self.edit(7)
        self.clock.advance(60.0)
        self.assertIn(b"above 7", self.plans.plan("web1"))

    def test_a_reload_does_not_try_anew_what_was_refused(self) -> None:
        """As a rotation of logs has everything reloaded each night. Saved once more, it is tried once more."""
        self.edit(6)
        self.plans.heard([Event(kind=PLAN_REFUSED, host="test1", text="no")])
        self.kinds()
        self.plans.reload(str(self.folder), (5.0, 15.0))
        self.clock.advance(600.0)
        self.assertEqual((self.kinds(), self.digests()), ([], self.before))
        self.write(6)
        self.plans.reload(str(self.folder), (5.0, 15.0))
        self.assertEqual(self.kinds(), [kinds.PLANS_CHANGED])
        self.assertNotEqual(self.plans.digest("test1"), self.before[0])

    def test_what_others_refuse_is_no_trial(self) -> None:
        """Nor is a refusal when there is nothing to try."""
        self.plans.heard([Event(kind=PLAN_REFUSED, host="test1")])
        self.edit(6)
        self.plans.heard([Event(kind=PLAN_REFUSED, host="web1")])
        self.assertNotIn(kinds.PLANS_HELD, self.kinds())
        self.assertNotEqual(self.plans.digest("test1"), self.before[0])

    def test_a_late_refusal_of_an_earlier_edit_does_not_end_the_next_trial(self) -> None:
        """The second of two canaries refuses what has been taken back and edited anew meanwhile."""
        self.edit(6)
        refusals = [
            Event(kind=PLAN_REFUSED, host=host, fields={"digest": self.plans.digest(host)[:12]})
            for host in ("test1", "test2")
        ]
        self.plans.heard(refusals[:1])
        self.edit(7)
        self.kinds()
        self.plans.heard(refusals[1:])
        self.assertEqual(self.kinds(), [])
        self.clock.advance(60.0)
        self.assertIn(b"above 7", self.plans.plan("web1"))

    def test_at_the_start_nobody_waits(self) -> None:
        """There is no plan yet that could go on."""
        self.assertEqual(len(set(self.before)), 1)
        self.assertEqual(self.kinds(), [kinds.PLANS_CHANGED])
