"""A thousand and ten thousand status pages that answer, fail, dawdle, hang and refuse: each in its class, in time."""

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from twisted.internet import reactor as the_reactor
from twisted.trial.unittest import TestCase

from monitor436.probes.poller import Poller
from monitor436.probes.probe import Answer, Failed, Target
from monitor436.probes.web.http import HttpProbe
from tests.e2e.processes import kept_waiting

reactor: Any = the_reactor
TIMEOUT = 2.0
LATE = 0.5  # seconds after the time-out at which a round is done
MIX = ("ok",) * 45 + ("error",) * 2 + ("slow",) + ("hang",) + ("refuse",)
CLASSES = {"ok": "", "slow": "", "error": "status", "hang": "header", "refuse": "refused"}


@pytest.mark.alone
class PagesTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        script = Path(__file__).with_name("status_farm.py")
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.farm = subprocess.Popen(
            [sys.executable, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        )
        assert self.farm.stdout
        self.ports = {**json.loads(self.farm.stdout.readline()), "refuse": 1}  # where nobody listens these days

    def tearDown(self) -> None:
        assert self.farm.stdin and self.farm.stdout
        self.farm.stdin.close()
        self.farm.wait()
        self.farm.stdout.close()

    def pages(self, count: int) -> list[tuple[str, Target]]:
        """So many pages and what each does; each has an address of its own."""
        found = []
        for number in range(count):
            kind = MIX[number % len(MIX)]
            host = f"127.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
            url = f"http://{host}:{self.ports[kind]}/status"
            found.append((kind, Target(host, url, host, self.ports[kind])))
        return found

    async def judge(self, count: int, timeout: float, rounds: int) -> None:
        """Everybody in the right class in each round, and in time."""
        pages = self.pages(count)
        probe = HttpProbe(reactor, timeout)
        poller = Poller(reactor, probe)
        for _ in range(rounds):
            began, waited = time.monotonic(), kept_waiting()
            results = await poller.poll([target for _, target in pages])
            took = time.monotonic() - began
            wrong = Counter(
                (kind, result.reason if isinstance(result, Failed) else "")
                for (kind, target), result in zip(pages, results, strict=True)
                if result.target != target or (result.reason if isinstance(result, Failed) else "") != CLASSES[kind]
            )
            self.assertEqual(wrong, {})
            well = sum(json.loads(result.body)["Success_Count"] for result in results if isinstance(result, Answer))
            self.assertEqual(well, 7 * sum(kind in ("ok", "slow") for kind, _ in pages))
            self.assertLess(took, timeout + LATE + kept_waiting() - waited)
        await probe.close()

    async def test_a_thousand(self) -> None:
        """With new connections, then with kept ones."""
        await self.judge(1000, TIMEOUT, 3)

    async def test_ten_thousand_in_one_process(self) -> None:
        """The last but one hangs, and its time runs while all others are asked."""
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 15_000:
            self.skipTest("this machine allows a process fewer than 15,000 open files")
        await self.judge(10_000, 3.0, 2)

    async def test_memory_is_flat_over_a_hundred_rounds(self) -> None:
        """Of pages that answer and pages that fail in every way, the time-out short."""
        pages = [target for _, target in self.pages(200)]
        probe = HttpProbe(reactor, 0.1)
        poller = Poller(reactor, probe)
        process = psutil.Process()
        usual = 0  # descriptors: those of a round in which nobody stood still, as who is late loses the connection
        for number in range(120):
            await poller.poll(pages)
            if number <= 20:
                before, usual = process.memory_info().rss, max(usual, len(os.listdir("/proc/self/fd")))
        self.assertLess(process.memory_info().rss - before, 4 << 20)
        self.assertLess(len(os.listdir("/proc/self/fd")) - usual, 20)
        await probe.close()
