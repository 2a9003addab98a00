"""The plan in force, on a disk that may refuse to keep it."""

import errno
import unittest

from monitor436.agent import plan
from monitor436.agent.in_force import InForce

PLANS = (b'{"checks":[]}', b'{"beat":2.0,"checks":[]}')


class Disk:
    """A state folder; `works` is whether it can be written."""

    def __init__(self) -> None:
        self.works = True
        self.kept = {}  # type: dict[str, bytes]

    def read(self, name: str) -> "bytes | None":
        """What was kept."""
        return self.kept.get(name)

    def write(self, name: str, content: bytes) -> None:
        """Keep it, or not."""
        if not self.works:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.kept[name] = content


class InForceTests(unittest.TestCase):
    """Plans that come one after the other."""

    def setUp(self) -> None:
        self.disk = Disk()
        self.in_force = InForce(self.disk, lambda: 1.0)  # type: ignore[arg-type]

    def test_a_plan_in_force_is_the_one_after_a_restart(self) -> None:
        """And its event says which it is."""
        (event,) = self.in_force.adopt(plan.digest(PLANS[1]), PLANS[1])
        self.assertEqual(event["kind"], "plan_in_force")
        after = InForce(self.disk, lambda: 1.0)  # type: ignore[arg-type]
        self.assertTrue(after.restore())
        self.assertEqual((after.digest, after.plan), (plan.digest(PLANS[1]), self.in_force.plan))
        self.assertEqual(after.plan.beat, 2.0)

    def test_a_plan_that_cannot_be_kept_is_not_in_force(self) -> None:
        """It is still lacked, so that it is fetched again; the one before goes on."""
        self.in_force.adopt(plan.digest(PLANS[1]), PLANS[1])
        before = self.in_force.plan
        self.disk.works = False
        with self.assertRaises(OSError):
            self.in_force.adopt(plan.digest(PLANS[0]), PLANS[0])
        self.assertEqual((self.in_force.plan, self.in_force.digest), (before, plan.digest(PLANS[1])))
        self.assertTrue(self.in_force.lacks(plan.digest(PLANS[0])))
        self.disk.works = True
        self.assertEqual(len(self.in_force.adopt(plan.digest(PLANS[0]), PLANS[0])), 1)
        self.assertFalse(self.in_force.lacks(plan.digest(PLANS[0])))

    def test_a_refused_plan_is_lacked_again_once_another_one_was_wanted(self) -> None:
        """Not before: it would be fetched and refused for ever."""
        refused = b'{"checks":5}'
        (event,) = self.in_force.adopt(plan.digest(refused), refused)
        self.assertEqual(event["kind"], "plan_refused")
        self.assertFalse(self.in_force.lacks(plan.digest(refused)))
        self.in_force.adopt(plan.digest(PLANS[0]), PLANS[0])
        self.assertFalse(self.in_force.lacks(plan.digest(PLANS[0])))
        self.assertTrue(self.in_force.lacks(plan.digest(refused)))

    def test_a_plan_that_is_not_the_wanted_one_is_nobodys(self) -> None:
        """Changed in one bit, or as good as it likes: the digest came in a datagram that only a server can make."""
        wanted = plan.digest(PLANS[1])
        forged = [PLANS[0], b"", PLANS[1] + b" "]
        forged += [bytes([PLANS[1][0] ^ 1 << bit]) + PLANS[1][1:] for bit in range(8)]
        for body in forged:
            self.assertEqual(self.in_force.adopt(wanted, body), [])
        self.assertEqual((self.in_force.digest, self.disk.kept), ("", {}))
        self.assertTrue(self.in_force.lacks(wanted))

    def test_a_plan_that_does_not_read_well_changes_nothing(self) -> None:
        """It is told once, and not fetched again."""
        (event,) = self.in_force.adopt(plan.digest(b'{"chocks":[]}'), b'{"chocks":[]}')
        self.assertEqual((event["kind"], self.disk.kept), ("plan_refused", {}))
        self.assertFalse(self.in_force.lacks(plan.digest(b'{"chocks":[]}')))


if __name__ == "__main__":
    unittest.main()
