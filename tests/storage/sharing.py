"""What holds for a store that several servers share; mixed into a TestCase as the contract is."""

import math
import random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from tests.storage.contract import NOON, Receiver, StoreContract

SEED = 436


class SharingContract(StoreContract):
    """Several receivers at one place."""

    def peer(self) -> Any:
        """A store of another server at the same place."""
        raise NotImplementedError

    def test_two_receivers_at_once_are_as_exact_as_one(self) -> Any:
        """Counts, sums, extremes and the last value, while both write and read again and again."""
        return self.running(self._two())

    async def _two(self) -> None:
        dice = random.Random(SEED)
        receivers = [Receiver(self.store()), Receiver(self.peer())]
        taken: list[float] = []
        for _ in range(20):
            for receiver in receivers:
                for _ in range(dice.randrange(30)):
                    taken.append(dice.uniform(-1e6, 1e6))
                    receiver.take(taken[-1])
            turns = [Deferred.fromCoroutine(receiver.rollups.keep()) for receiver in receivers]
            await gatherResults(turns)
        for receiver in receivers:
            (series,) = await receiver.series()
            (hour,) = series.hours
            self.assertEqual(hour.count, len(taken))  # type: ignore[attr-defined]
            self.assertAlmostEqual(hour.sum, math.fsum(taken), delta=1e-15 * sum(map(abs, taken)))  # type: ignore[attr-defined]
            self.assertEqual((hour.min, hour.max), (min(taken), max(taken)))  # type: ignore[attr-defined]
        for label, receiver in zip("ab", receivers, strict=True):
            receiver.take(0.25, label=label)  # not written yet: whoever took it shows it already
            self.assertEqual((await receiver.sums())[label], (1, 0.25))  # type: ignore[attr-defined]
            await receiver.rollups._last()

    def test_a_receiver_and_a_summariser_share_the_work(self) -> Any:
        """One takes and is not asked, the other is asked and takes nothing."""
        return self.running(self._roles())

    async def _roles(self) -> None:
        taking, telling = Receiver(self.store(), roles=["receiver"]), Receiver(self.peer(), roles=["summariser"])
        taking.take(1.0)
        taking.take(3.0)
        self.assertEqual(telling.take(9.0).refused, 1)  # type: ignore[attr-defined]
        await taking.rollups.keep()
        await telling.rollups.keep()
        self.assertEqual(await telling.sums(), {"load": (2, 4.0)})  # type: ignore[attr-defined]
        self.assertEqual(await telling.rollups.hosts(), ["web1"])  # type: ignore[attr-defined]
        self.assertEqual(list(telling.rollups.latest()), [("web1", "load", 3.0, NOON)])  # type: ignore[attr-defined]
        telling.wall = NOON + 86_400 * 1.5
        await telling.rollups.expire()
        self.assertEqual(await telling.rollups.hosts(), [])  # type: ignore[attr-defined]
        for receiver in (taking, telling):
            await receiver.rollups._last()
