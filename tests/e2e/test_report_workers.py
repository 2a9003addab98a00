"""A report through workers and a real redis-server: the same as one from here, whatever happens to the workers."""

import json
import signal
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.patience import eventually
from tests.e2e.processes import MONITOR436, Process
from tests.e2e.redis_server import ABSENT, RedisServer
from tests.e2e.servers import SOON

MIX = ("ok",) * 14 + ("slow",) * 3 + ("error", "hang", "refuse")
TIMEOUT = "3"  # seconds: ten times what a slow page takes, so that no busy machine makes it a hanging one
PAGES = 240
SAME = ("status", "answered", "groups", "reasons", "expected", "by", "columns")


@unittest.skipIf(bool(ABSENT), ABSENT)
class WorkersTests(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.redis = RedisServer(["appendonly yes"])
        self.addCleanup(self.redis.close)
        self.redis.start()
        script = Path(__file__).with_name("status_farm.py")
        farm = subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert farm.stdin and farm.stdout
        self.addCleanup(lambda: (farm.stdin.close(), farm.wait(), farm.stdout.close()))  # type: ignore[union-attr]
        self.ports = {**json.loads(farm.stdout.readline()), "refuse": 1}  # where nobody listens these days
        self.fleet([MIX[n % len(MIX)] for n in range(PAGES)])

    def fleet(self, kinds: Sequence[str]) -> None:
        """Who is asked, by what they do."""
        pages = [f"http://127.9.{n // 250}.{n % 250 + 1}:{self.ports[kind]}/status\n" for n, kind in enumerate(kinds)]
        (self.folder / "fleet").write_text("".join(pages))

    def begin(self, *words: str, name: str) -> Process:
        process = Process([*MONITOR436, "report", *words], self.folder / f"{name}.log", folder=self.folder)
        self.addCleanup(process.kill)
        return process

    def worker(self, name: str) -> Process:
        words = ("work", name, "8", "-t", TIMEOUT, "-r", "0", "--lease", "5s", "--redis", self.redis.address)
        return self.begin(*words, name=name)

    def report(self, name: str, *words: str) -> Process:
        asks = ("-i", "fleet", "--json", "-q", "60", "--aggregate", "Success_Count:sum", "--group-by", "Application")
        return self.begin(*asks, *words, name=name)

    def test_one_worker_killed_and_one_frozen(self) -> None:
        """Nobody is counted twice and nobody is missing: sums, rates and failures are those of a report from here."""
        through = self.report("through", "--queue", "status", "--redis", self.redis.address)
        eventually(lambda: "is a worker there" in through.output, SOON, "that nobody works is said")
        workers = {name: self.worker(name) for name in ("w1", "w2", "w3")}
        for worker in workers.values():
            worker.says("waits for targets", SOON)
        eventually(lambda: self._done() > 40, SOON, "some are asked")
        workers["w1"].kill()
        workers["w2"].send(signal.SIGSTOP)
        self.assertEqual(through.ended(), 0, through.output)
        workers["w2"].send(signal.SIGCONT)
        for name in ("w2", "w3"):
            self.assertEqual(workers[name].stop(), 0, workers[name].output)
        here = self.report("here", "-t", TIMEOUT, "-r", "0")
        self.assertEqual(here.ended(), 0, here.output)
        found, expected = _printed(through), _printed(here)
        self.assertEqual({name: found[name] for name in SAME}, {name: expected[name] for name in SAME})
        self.assertEqual(found["answered"]["of"], PAGES)
        self.assertEqual(_failures(found), _failures(expected))

    def test_what_redis_has_lost_is_told_as_lost(self) -> None:
        """The report ends, and says of whom it knows nothing. Most hang, so that nobody is done with all before."""
        self.fleet(["ok"] * (PAGES // 4) + ["hang"] * (PAGES - PAGES // 4))
        self.worker("w1")
        through = self.report("through", "--queue", "status", "--redis", self.redis.address)
        eventually(lambda: self._done() > 40, SOON, "some are asked")
        self.redis.ask("FLUSHALL")
        self.assertEqual(through.ended(), 3, through.output)
        found = _printed(through)
        self.assertEqual(found["answered"]["of"], PAGES)
        self.assertGreater(found["reasons"]["lost"], PAGES // 4)

    def _done(self) -> int:
        """How many results there are in Redis, or were."""
        ask = ["redis-cli", "-p", self.redis.address.rpartition(":")[2], "--raw"]
        keys = subprocess.run(
            [*ask, "keys", "m436:queue:status:batch:*"], capture_output=True, text=True
        ).stdout.split()
        counts = [
            subprocess.run([*ask, "hget", key, "acknowledged"], capture_output=True, text=True).stdout for key in keys
        ]
        return sum(int(each.strip() or 0) for each in counts)

    def test_what_workers_are_told_is_not_told_to_the_report(self) -> None:
        """And a report without a queue has no use for Redis."""
        for words, sentence in (
            (("--queue", "status", "-t", "2"), "say --timeout to them"),
            (("--redis", self.redis.address), "--redis goes with --queue NAME"),
            (("--queue", "status"), "or say -c FILE"),
        ):
            refused = self.report("refused", *words)
            self.assertEqual(refused.ended(), 2, refused.output)
            self.assertIn(sentence, refused.output)


def _printed(process: Process) -> dict[str, Any]:
    text = process.output
    found: dict[str, Any] = json.loads(text[text.index("{\n") : text.rindex("}") + 1])
    return found


def _failures(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["host"], each["url"], each["reason"]) for each in report["failures"]]
