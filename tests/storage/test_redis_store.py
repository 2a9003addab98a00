"""The store in Redis over a shelf that fails as a test wants; tests/e2e has the same over a real server."""

import random

from msgspec import json
from twisted.trial.unittest import TestCase

from monitor436.model.event import METRICS_GAP
from monitor436.storage.life import here
from monitor436.storage.redis import RedisStore
from tests.storage.contract import NOON, Receiver
from tests.storage.sharing import SEED, SharingContract
from tests.storage.shelf import Shelf, ShelfLink


class RedisStoreTests(SharingContract, TestCase):
    """One shelf, several stores."""

    def setUp(self) -> None:
        self.shelf = Shelf()
        self.starts = 0

    def store(self, server: str = "srv") -> RedisStore:
        self.starts += 1
        return RedisStore(ShelfLink(self.shelf), server, f"{self.starts:012x}", "boot1")

    def peer(self) -> RedisStore:
        return self.store("another")

    async def test_what_was_taken_while_redis_was_away_is_there_later_exactly_once(self) -> None:
        """Also what arrived there although the answer was lost; it is told when it begins and when it is over."""
        dice = random.Random(SEED)
        receiver, other = Receiver(self.store()), Receiver(self.peer())
        taken = 0
        for turn in range(60):
            receiver.wall = NOON + turn
            self.shelf.away = dice.random() < 0.4
            self.shelf.unheard = dice.randrange(3)
            for _ in range(dice.randrange(5)):
                taken += receiver.take(1.0).taken
            await receiver.rollups.keep()
        self.shelf.away, self.shelf.unheard = False, 0
        await receiver.rollups.keep()
        self.assertGreater(taken, 50)
        self.assertEqual(await other.sums(), {"load": (taken, float(taken))})
        kinds = receiver.kinds()
        self.assertEqual(set(kinds), {"metrics_store degraded", "metrics_store well"})
        self.assertEqual(kinds[::2], ["metrics_store degraded"] * (len(kinds) // 2))

    async def test_a_redis_that_lost_everything_gets_it_again(self) -> None:
        """Started anew between two writes, so that nobody saw it go."""
        receiver, other = Receiver(self.store()), Receiver(self.peer())
        for value in (1.0, 2.0):
            receiver.take(value)
            await receiver.rollups.keep()
        for place in (self.shelf.hashes, self.shelf.scores, self.shelf.texts):
            place.clear()  # type: ignore[attr-defined]
        receiver.take(4.0, label="new")
        await receiver.rollups.keep()
        await receiver.rollups.keep()
        self.assertEqual(await other.sums(), {"load": (2, 3.0), "new": (1, 4.0)})
        self.assertEqual(receiver.kinds(), ["metrics_store degraded", "metrics_store well"])

    async def test_a_start_whose_first_write_was_not_answered_tells_how_long_nobody_wrote(self) -> None:
        """Not how long ago that write was; and nothing at all after a goodbye."""
        for clean, told in ((False, [900.0]), (True, [])):
            life = json.encode(here(NOON - 900.0, "a boot before", clean))
            self.shelf.texts[b"m436:life:srv"] = life
            receiver = Receiver(self.store())
            self.shelf.answered, self.shelf.unheard = 1, 1
            await receiver.rollups.keep()
            self.assertNotEqual(self.shelf.texts[b"m436:life:srv"], life)
            receiver.wall += 5.0
            await receiver.rollups.keep()
            gaps = [event.fields["seconds"] for event in receiver.told if event.kind == METRICS_GAP]
            self.assertEqual(gaps, told)

    async def test_while_redis_is_away_each_shows_what_it_took_itself(self) -> None:
        """And says that this is not all."""
        receiver, other = Receiver(self.store()), Receiver(self.peer())
        receiver.take(1.0)
        other.take(2.0)
        for each in (receiver, other):
            await each.rollups.keep()
        self.shelf.away = True
        self.assertEqual(await receiver.sums(), {"load": (1, 1.0)})
        self.assertEqual(await receiver.rollups.hosts(), ["web1"])
        self.assertIn("away", receiver.rollups.degraded)
        self.shelf.away = False
        self.assertEqual(await receiver.sums(), {"load": (2, 3.0)})

    async def test_everything_there_expires_by_itself(self) -> None:
        """Even if no server of ours ever comes back."""
        receiver = Receiver(self.store())
        receiver.take(1.0)
        await receiver.rollups.keep()
        there = {*self.shelf.hashes, *self.shelf.scores}
        self.assertEqual(len(there), 4)
        self.assertEqual(there - set(self.shelf.lives), set())
        self.assertGreaterEqual(min(self.shelf.lives.values()), 2 * 3600)

    async def test_what_others_put_there_harms_nobody(self) -> None:
        """It is left out."""
        receiver = Receiver(self.store())
        await receiver.rollups.keep()
        hour = int(NOON) // 3600
        for field, value in (("x", "[]"), ("1 p", "[1,1,1,1,1,1]"), (f"{int(NOON)} p load", "[1,2"), ("-5 p a", "1")):
            self.shelf.do(("HSET", f"m436:minutes:{hour}:web1", field, value))
            self.shelf.do(("HSET", f"m436:latest:{hour}:web1", field, value))
        self.shelf.do(("HSET", f"m436:minutes:{hour}:web1", f"{int(NOON)} p bad", '[1,"2",3,4,5,6]'))
        self.shelf.do(("HSET", f"m436:minutes:{hour}:web1", f"{int(NOON)} p \x1b[2J", "[1,1,1,1,1,1]"))
        huge = "1" + "0" * 400
        for start, numbers in (
            (str(int(NOON)), f"[{huge},1,1,1,1,1]"), (str(int(NOON)), "[1,1.7e308,1,1,1,1]"), ("²", "[1,1,1,1,1,1]"),
            (huge, "[1,1,1,1,1,1]"), (str(int(NOON) + 86400), "[1,1,1,1,1,1]"),
        ):  # fmt: skip
            for process in "pq":
                self.shelf.do(("HSET", f"m436:minutes:{hour}:web1", f"{start} {process} {numbers[:9]}", numbers))
        self.shelf.do(("ZADD", "m436:hosts", str(NOON), "web1"))
        self.shelf.texts[b"m436:life:srv"] = b"nonsense"
        await receiver.rollups.keep()
        self.assertEqual((await receiver.series(), list(receiver.rollups.latest())), ([], []))
        self.assertEqual(receiver.rollups.degraded, "")
