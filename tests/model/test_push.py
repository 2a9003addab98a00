"""What waits for a receiver, and when it is asked again."""

import random
import unittest

from monitor436.model.metrics.push import LONGEST, SHORTEST, TRUSTED_WAIT, Backlog, Measured


def sample(at: int) -> Measured:
    """A sample."""
    return Measured(at, {"cpu": 1.0})


class BacklogTests(unittest.TestCase):
    def test_samples_go_in_their_order_one_at_a_time(self) -> None:
        """The next one when the one before was delivered."""
        backlog = Backlog()
        for at in (1, 2, 3):
            backlog.add(sample(at))
        for at in (1, 2, 3):
            self.assertEqual(backlog.next(0.0), sample(at))
            self.assertIsNone(backlog.next(0.0))
            backlog.published()
        self.assertIsNone(backlog.next(0.0))
        self.assertEqual(len(backlog), 0)

    def test_what_failed_goes_first_again_after_a_pause_that_grows(self) -> None:
        """Up to its bound; a success begins anew."""
        backlog, now = Backlog(), 0.0
        backlog.add(sample(1))
        backlog.add(sample(2))
        pauses = []
        for _ in range(8):
            self.assertEqual(backlog.next(now), sample(1))
            pauses.append(backlog.failed(now))
            self.assertIsNone(backlog.next(now + pauses[-1] - 0.01))
            now += pauses[-1]
        self.assertEqual(pauses, [SHORTEST, 2.0, 4.0, 8.0, 16.0, LONGEST, LONGEST, LONGEST])
        backlog.next(now)
        backlog.published()
        backlog.next(now)
        self.assertEqual(backlog.failed(now), SHORTEST)

    def test_a_receiver_may_ask_for_a_longer_pause_within_reason(self) -> None:
        """Nobody can stop it for a day."""
        backlog = Backlog()
        backlog.add(sample(1))
        backlog.next(0.0)
        self.assertEqual(backlog.failed(0.0, 120.0), 120.0)
        backlog.next(120.0)
        self.assertEqual(backlog.failed(120.0, 1e9), TRUSTED_WAIT)

    def test_beyond_its_bound_the_oldest_is_dropped_and_counted(self) -> None:
        """Also if the oldest one is just under way and comes back."""
        backlog = Backlog(most=3)
        backlog.add(sample(0))
        backlog.next(0.0)
        for at in (1, 2, 3):
            backlog.add(sample(at))
        backlog.failed(0.0)
        self.assertEqual((len(backlog), backlog.dropped), (3, 1))
        self.assertEqual(backlog.next(9.0), sample(1))

    def test_what_is_refused_is_dropped_and_counted(self) -> None:
        """The next one goes at once."""
        backlog = Backlog()
        backlog.add(sample(1))
        backlog.add(sample(2))
        backlog.next(0.0)
        backlog.refused()
        self.assertEqual((backlog.dropped, backlog.next(0.0)), (1, sample(2)))

    def test_every_sample_is_delivered_or_counted(self) -> None:
        """Whatever happens."""
        dice = random.Random(436)
        backlog, delivered, now = Backlog(most=20), [], 0.0
        for at in range(2000):
            backlog.add(sample(at))
            now += dice.random() * 2
            while (sent := backlog.next(now)) is not None:
                what = dice.random()
                if what < 0.8:
                    delivered.append(sent.at)
                    backlog.published()
                elif what < 0.85:
                    backlog.refused()
                else:
                    backlog.failed(now)
        self.assertEqual(len(delivered) + len(backlog) + backlog.dropped, 2000)
        self.assertEqual(delivered, sorted(set(delivered)))
        self.assertGreater(backlog.dropped, 0)
