"""Metrics that whole servers take: what a KILL costs, and two servers that share a Redis."""

import json
import math
import time
import unittest
from http.client import HTTPConnection
from typing import Any

import pytest
from msgspec import structs

from monitor436.model.settings.http import Http
from monitor436.model.settings.metrics import Metrics, Role
from monitor436.model.settings.redis import Redis
from monitor436.model.settings.whole import Settings
from tests.e2e.patience import eventually
from tests.e2e.redis_server import ABSENT, RedisServer
from tests.e2e.servers import SOON, Server, on_loopback
from tests.e2e.stage import Stage

WRITE_EVERY = 0.5
LOAD = 3.0  # seconds of posts before the KILL
LEAST = 50  # posts
LATE = 1.5  # seconds that a write may be late on a machine that is busy
PLAN = 'hosts: ["*"]\nchecks:\n  load:\n    reading: load1\n    every: 1s\n    metric: load\n'


def opened(settings: Settings) -> Settings:
    """Settings in which posts and questions need no token."""
    http = Http(listen=settings.http.listen, without_token=("read", "metrics"))
    return structs.replace(settings, http=http, metrics=Metrics(write_every=WRITE_EVERY))


class Client:
    """A connection to the HTTP door of a server that is kept."""

    def __init__(self, server: Server) -> None:
        host, port = server.settings.http.listen.split(":")
        self._link = HTTPConnection(host, int(port), timeout=SOON)

    def post(self, host: str, **values: float) -> None:
        """Send values of now; returns once they were taken."""
        body = json.dumps(values)
        self._link.request("POST", f"/api/perf/{host}/{int(time.time())}", body, {"Content-Type": "application/json"})
        answer = self._link.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{answer.status} {said!r}")

    def counted(self, host: str, label: str) -> tuple[int, float]:
        """How many samples of a label there are, and their sum."""
        self._link.request("GET", f"/api/perf/{host}/{label}")
        answer = self._link.getresponse()
        told = json.loads(answer.read())
        averages = told.get(f"summary:by-hour:{label}", {}).get("averages", [])
        return sum(each["count"] for each in averages), sum(each["avg"] * each["count"] for each in averages)

    def close(self) -> None:
        """End it."""
        self._link.close()


class KeptTests(Stage):
    """One server with SQLite, and what becomes of it."""

    def client(self, server: Server) -> Client:
        """A connection that is closed at the end."""
        client = Client(server)
        self.addCleanup(client.close)
        return client

    @pytest.mark.alone
    def test_a_kill_under_load_costs_what_was_not_written_yet_and_it_is_said(self) -> None:
        """Never more than the interval; a clean stop costs nothing and says nothing."""
        server = self.server(opened(on_loopback())).start()
        client = self.client(server)
        client.counted("web1", "load")  # it is answered once the store is open, for which a busy disk takes its time
        posts: list[float] = []
        end = time.monotonic() + LOAD
        while time.monotonic() < end or len(posts) < LEAST:
            client.post("web1", load=1.0)
            posts.append(time.monotonic())
        ends = time.monotonic()  # before: who waits for its end may be kept waiting
        server.kill()
        killed = time.monotonic()
        server.start()
        gap = server.event(kind="metrics_gap")
        again = self.client(server)
        count, total = again.counted("web1", "load")
        missing, wrote = len(posts) - count, killed - gap["fields"]["seconds"]  # it was opened later than `killed`
        self.assertEqual(total, count)
        self.assertIn(missing, range(sum(at > ends - WRITE_EVERY - LATE for at in posts) + 1))
        self.assertLessEqual(missing, sum(at > wrote for at in posts), gap["text"])
        self.assertGreater(count, 0)
        again.post("web1", load=1.0)
        server.stop()
        server.start()
        self.assertEqual(self.client(server).counted("web1", "load")[0], count + 1)
        self.assertEqual(len(server.events(kind="metrics_gap")), 1)

    def test_what_an_agent_measures_is_in_the_same_summaries(self) -> None:
        """Under the name of its host and the label of its plan."""
        server = self.server(opened(on_loopback()))
        server.plan(PLAN)
        server.start()
        self.agent(server, "web1").start()
        client = self.client(server)
        eventually(lambda: client.counted("web1", "load")[0] > 1, SOON, "two samples of an agent")


@unittest.skipIf(ABSENT, str(ABSENT))
class RolesTests(Stage):
    """Several servers on one Redis."""

    def of(self, redis: RedisServer, name: str, *roles: Role) -> Server:
        """A server that shares it."""
        settings = structs.replace(opened(on_loopback(name)), redis=Redis(address=redis.address), roles=roles)
        metrics = structs.replace(settings.metrics, store="redis")
        return self.server(structs.replace(settings, metrics=metrics), name=name).start()

    def test_two_receivers_and_a_summariser_are_one_to_whoever_asks(self) -> None:
        """Each post once, whichever of them had it."""
        redis = RedisServer().start()
        self.addCleanup(redis.close)
        receivers = [self.of(redis, name, "receiver") for name in ("one", "two")]
        summariser = self.of(redis, "all", "summariser")
        clients: list[Any] = [Client(server) for server in (*receivers, summariser)]
        for client in clients:
            self.addCleanup(client.close)
        values = [number / 8 for number in range(200)]
        for number, value in enumerate(values):
            clients[number % 2].post("web1", load=value)
        found = eventually(
            lambda: (told := clients[2].counted("web1", "load"))[0] == len(values) and told, SOON, "all posts"
        )
        self.assertTrue(math.isclose(found[1], sum(values)), found)
