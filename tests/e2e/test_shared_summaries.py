"""Summaries in a real redis-server: the contract of stores, and whatever becomes of the server."""

import os
import random
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import structs
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from monitor436.model.settings.redis import Redis
from monitor436.redis_link import RedisLink
from monitor436.storage.redis import RedisStore
from tests.e2e.redis_server import ABSENT, RedisServer
from tests.e2e.test_redis_link import pki
from tests.storage.contract import NOON, Receiver
from tests.storage.sharing import SEED, SharingContract

reactor: Any = the_reactor
LIMIT = 0.3  # seconds a call may take while nobody answers
SLACK = 1.0  # seconds beyond it
PATIENCE = 30.0  # seconds a call may take where it is to be answered, however busy this machine is
DURABLE = ("appendonly yes", "appendfsync always")


class RealRedis(TestCase):
    """A redis-server, and stores in it."""

    skip = ABSENT

    @cached_property
    def links(self) -> list[RedisLink]:
        """Those of all stores."""
        return []

    def within(self, seconds: float) -> None:
        """What every call may take from now on."""
        for link in self.links:
            link.time_limit = seconds

    def server(self, *conf: str, **more: Any) -> RedisServer:
        """One that runs."""
        server = RedisServer(conf, **more)
        self.addCleanup(server.close)
        return server.start()

    def on(self, server: RedisServer, name: str = "srv", **more: Any) -> RedisStore:
        """Another handle of what is in it, for the server of that name."""
        settings = Redis(address=server.address, time_limit=PATIENCE)
        link = RedisLink(structs.replace(settings, **more), reactor)
        self.links.append(link)
        self.addCleanup(lambda: ensureDeferred(link.close()))
        return RedisStore(link, name, os.urandom(6).hex(), "boot1")

    def file(self, text: str) -> str:
        """One with a password."""
        path = Path(tempfile.mkdtemp(), "file")
        path.write_text(text)
        return str(path)

    async def healed(self, receiver: Receiver) -> None:
        """Turn by turn, until it keeps again."""
        for _ in range(1200):
            await receiver.rollups.keep()
            if not receiver.rollups.degraded:
                return
            await deferLater(reactor, 0.05)
        self.fail(f"still degraded: {receiver.rollups.degraded}")

    async def degraded(self, receiver: Receiver) -> str:
        """A turn that fails within its time: by the timers of this process, which may stand still."""
        late: list[bool] = []
        time = reactor.callLater(self.links[0].time_limit + SLACK, late.append, True)
        await receiver.rollups.keep()
        self.assertEqual(late, [])
        time.cancel()
        self.assertNotEqual(receiver.rollups.degraded, "")
        return receiver.rollups.degraded


class SharedSummariesTests(SharingContract, RealRedis):
    """The contract."""

    def setUp(self) -> None:
        self.redis = self.server()

    def store(self) -> RedisStore:
        return self.on(self.redis)

    def peer(self) -> RedisStore:
        return self.on(self.redis, "another")


class OutageTests(RealRedis):
    """Two receivers go on taking, whatever happens to Redis; in the end the sums are exact."""

    async def through(self, server: RedisServer, outage: Any, over: Any) -> tuple[Receiver, Receiver]:
        """Take before, during and after."""
        dice, taken = random.Random(SEED), 0
        receivers = (Receiver(self.on(server)), Receiver(self.on(server, "another")))
        for turn in range(9):
            if turn == 3:
                outage()
                self.within(LIMIT)
            if turn == 6:
                over()
                self.within(PATIENCE)
            for receiver in receivers:
                for _ in range(50):
                    value = dice.randrange(1000)
                    taken += value
                    self.assertEqual(receiver.take(float(value)).taken, 1)
            if 3 <= turn < 6:
                await self.degraded(receivers[0])
                self.assertEqual((await receivers[1].sums())["load"][0], 50 * (turn + 1))  # its own, within its time
            else:
                for receiver in receivers:
                    await self.healed(receiver)
        for receiver in receivers:
            self.assertEqual(await receiver.sums(), {"load": (900, float(taken))})
            self.assertEqual(receiver.kinds(), ["metrics_store degraded", "metrics_store well"])
        return receivers

    async def test_stopped_and_started_again(self) -> None:
        """With what it had on its disk."""
        server = self.server(*DURABLE)
        await self.through(server, server.stop, server.start)

    async def test_killed_under_load(self) -> None:
        """As by a power cut."""
        server = self.server(*DURABLE)
        await self.through(server, server.kill, server.start)

    async def test_killed_with_nothing_on_its_disk(self) -> None:
        """Whoever finds that it has lost everything writes it again."""
        server = self.server()
        await self.through(server, server.kill, server.start)

    async def test_frozen_and_thawed(self) -> None:
        """What it was sent meanwhile is carried out when it wakes, and counts once all the same."""
        server = self.server()
        await self.through(server, server.freeze, server.thaw)

    async def test_full_and_given_room(self) -> None:
        """maxmemory with noeviction: it refuses to write, and still answers."""
        server = self.server("maxmemory-policy noeviction")
        receiver = Receiver(self.on(server))
        receiver.take(1.0)
        await self.healed(receiver)
        server.ask("CONFIG", "SET", "maxmemory", "1kb")  # less than any of them has at the start
        receiver.take(2.0)
        self.assertIn("OOM", await self.degraded(receiver))
        self.assertEqual((await receiver.sums())["load"], (2, 3.0))
        server.ask("CONFIG", "SET", "maxmemory", "0")
        await self.healed(receiver)
        other = Receiver(self.on(server))
        self.assertEqual(await other.sums(), {"load": (2, 3.0)})


class PassTests(RealRedis):
    """Who is let in, and whom we believe."""

    async def test_a_wrong_authority_is_told_and_gets_nothing(self) -> None:
        """With the right one it works."""
        folder = Path(tempfile.mkdtemp())
        files, wrong = pki(folder / "good"), pki(folder / "other")
        server = self.server(tls=files)
        receiver = Receiver(self.on(server, tls=True, ca=str(wrong[0])))
        receiver.take(1.0)
        await receiver.rollups.keep()
        self.assertIn("certificate", receiver.rollups.degraded)
        receiver = Receiver(self.on(server, tls=True, ca=str(files[0])))
        receiver.take(1.0)
        await self.healed(receiver)
        self.assertEqual(await Receiver(self.on(server, tls=True, ca=str(files[0]))).sums(), {"load": (1, 1.0)})

    async def test_the_rights_that_the_manual_names_are_enough(self) -> None:
        """A user of an ACL, and a password."""
        server = self.server(
            "user metrics on >pass ~m436:* +hset +hgetall +expire +zadd +zrangebyscore +zremrangebyscore +set +get"
        )
        store = self.on(server, user="metrics", password_file=self.file("pass\n"))
        receiver = Receiver(store)
        receiver.take(1.0)
        await self.healed(receiver)
        await receiver.rollups.expire()
        self.assertEqual((await receiver.rollups.hosts(), receiver.rollups.degraded), (["web1"], ""))
        locked = Receiver(self.on(server, user="metrics", password_file=self.file("wrong\n")))
        self.assertIn("WRONGPASS", await self.degraded(locked))
        self.assertEqual(locked.wall, NOON)
