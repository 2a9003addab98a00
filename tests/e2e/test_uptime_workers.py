"""The sweep on many machines over a real redis-server: whatever dies in the middle, a row a host and nothing twice."""

import json
import random
import signal
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from monitor436.model.settings.redis import Redis
from monitor436.queues.queue import Batch, Depth, Result
from monitor436.queues.redis import RedisQueue
from monitor436.redis_link import RedisLink
from tests.e2e.patience import eventually
from tests.e2e.processes import MONITOR436, Process
from tests.e2e.redis_server import ABSENT, RedisServer

reactor: Any = the_reactor
HOSTS = 120
SOON = 60.0  # seconds in which it is over, also on a busy machine
LEASE = 5.0
SSH = """\
#!/bin/sh
while [ "$1" != -- ]; do shift; done
echo "$2" >> {folder}/asked
sleep 0.2
turn=0  # most of the later ones wait, at most until nobody waits for them any more
case "$2" in
  h0[0-5]*|*7) ;;
  *) until [ -e {folder}/go ] || [ $turn -ge 50 ]; do turn=$((turn + 1)); sleep 0.1; done ;;
esac
case "$2" in
  *7) echo "connect to host $2: Connection refused" >&2; exit 255 ;;
  *) echo "5677620.31 1.0" ;;
esac
"""
SEED = 436
KILLS = 3


class WorkersTests(TestCase):
    """`ssh` is a script here that takes its time."""

    skip = ABSENT
    timeout = 120

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.redis = RedisServer(["appendonly yes", "appendfsync always"])
        self.addCleanup(self.redis.close)
        self.redis.start()
        ssh = self.folder / "ssh"
        ssh.write_text(SSH.format(folder=self.folder))
        ssh.chmod(0o755)
        (self.folder / "hosts").write_text("".join(f"h{n:03}\n" for n in range(HOSTS)))
        self.rows = self.folder / "rows.jsonl"

    def begin(self, *words: str, name: str = "") -> Process:
        """`monitor436 uptime WORDS`, which goes on."""
        argv = [*MONITOR436, "uptime", *words, "--redis", self.redis.address]
        prefix = ["env", f"PATH={self.folder}:/usr/bin:/bin"]
        process = Process(argv, self.folder / f"{name or words[0]}.log", prefix, self.folder)
        self.addCleanup(process.kill)
        return process

    def worker(self, name: str) -> Process:
        return self.begin("work", name, "6", "--ssh", "-t", "3", "--lease", "5s", name=name)

    def freeze(self, worker: Process) -> None:
        """While it asks somebody, whose answer it has not taken."""

        def asks() -> bool:
            worker.send(signal.SIGSTOP)
            it = psutil.Process(worker.pid)
            eventually(lambda: it.status() == psutil.STATUS_STOPPED, SOON, "it is frozen")
            if it.children():
                return True
            worker.send(signal.SIGCONT)
            return False

        eventually(asks, SOON, "it asks somebody")

    def written(self) -> list[dict[str, Any]]:
        """Whole rows of the file."""
        if not self.rows.exists():
            return []
        return [json.loads(line) for line in self.rows.read_bytes().split(b"\n")[:-1]]

    def until(self, rows: int) -> None:
        eventually(lambda: len(self.written()) >= rows, SOON, f"{rows} rows")

    def queue(self) -> RedisQueue:
        queue = RedisQueue(RedisLink(Redis(address=self.redis.address, time_limit=SOON), reactor), "uptime", LEASE)
        self.addCleanup(lambda: ensureDeferred(queue.close()))
        return queue

    async def test_one_worker_killed_one_frozen_and_redis_restarted(self) -> None:
        """Every host is in the file once, the batch is complete, and nothing is left in the queue."""
        workers = {name: self.worker(name) for name in ("w1", "w2", "w3", "w4")}
        for worker in workers.values():
            worker.says("waits for hosts", SOON)
        sink = self.begin("sink", str(self.rows), "--batch", "b1")
        sender = self.begin("send", str(self.folder / "hosts"), "60", "--batch", "b1")
        self.until(20)
        for name in ("w1", "w2"):
            self.freeze(workers[name])
        workers["w1"].kill()
        (self.folder / "go").touch()  # else all could be asked before two are frozen
        self.until(80)
        self.redis.kill()
        self.redis.start()
        self.assertEqual(sender.ended(), 0, sender.output)
        self.assertIn(f"batch b1: {HOSTS} hosts sent", sender.output)
        self.until(HOSTS - 6)  # by now another may have what the frozen one had, and be asking
        workers["w2"].send(signal.SIGCONT)
        self.assertEqual(sink.ended(), 1, sink.output)
        for name in ("w2", "w3", "w4"):
            self.assertEqual(workers[name].stop(), 0, workers[name].output)
            self.assertRegex(workers[name].output, r"\d+ given back")
        refused = sum(row.get("reason") == "refused" for row in self.written())
        self.assertEqual(Counter(row["host"] for row in self.written()), Counter(f"h{n:03}" for n in range(HOSTS)))
        self.assertGreaterEqual(refused, HOSTS // 10 - 2)
        last = sink.output.splitlines()[-1]
        self.assertRegex(last, rf"^batch b1: {HOSTS} hosts: \d+ ok, \d+ failed \(.*{refused} refused.*\), 0 lost$")
        self.assertRegex(sink.output, r"worker_id: w3_\d, host: h\d+, result: 65 days, 17:07")
        asked = (self.folder / "asked").read_text().split()
        self.assertGreater(len(asked), HOSTS)  # some were asked twice, and still counted once
        queue = self.queue()
        self.assertEqual(await queue.batch("b1"), Batch(HOSTS, HOSTS, HOSTS, HOSTS))
        self.assertEqual(await queue.depth(), Depth(0, 0))

    async def test_a_sink_that_is_killed_has_every_result_that_the_queue_forgot(self) -> None:
        """At seeded moments; its last line may be torn, and it goes on where it was."""
        dice = random.Random(SEED)
        queue = self.queue()
        names = [f"h{n}" for n in range(2000)]
        await queue.put("b2", [(name, b"") for name in names])
        jobs = await queue.claim("w", len(names), 0.0)
        await queue.seal("b2")
        row = {"time": 1.0, "took": 0.1, "seconds": 60.0, "batch": "b2", "worker": "w_1"}

        async def work(some: int) -> None:
            done, jobs[:some] = jobs[:some], []
            await queue.acknowledge([(job, json.dumps({**row, "host": job.name}).encode()) for job in done])

        for turn in range(KILLS):
            sink = self.begin("sink", str(self.rows), "--batch", "b2", name=f"sink{turn}")
            before = len(self.written())
            await work(100)
            self.until(before + 100)
            for _ in range(dice.randrange(1, 12)):
                await work(50)
                await deferLater(reactor, dice.random() * 0.01)
            sink.kill()
            kept = Counter(row["host"] for row in self.written())
            waits = {each.name for each in await self.all_results()}
            acknowledged = set(names) - {job.name for job in jobs}
            self.assertEqual(acknowledged - waits - set(kept), set())
            self.assertEqual(set(kept.values()), {1})
            with open(self.rows, "ab") as file:
                file.write(b'{"batch": "b2", "host": "h1')  # as a power cut might leave it
        await work(len(jobs))
        sink = self.begin("sink", str(self.rows), "--batch", "b2", name="last")
        self.assertEqual(sink.ended(), 0, sink.output)
        self.assertEqual(sink.output.splitlines()[-1], "batch b2: 2000 hosts: 2,000 ok, 0 failed, 0 lost")
        self.assertEqual(Counter(row["host"] for row in self.written()), Counter(names))

    async def all_results(self) -> list[Result]:
        """Results that the queue has not forgotten."""
        looks = RedisLink(Redis(address=self.redis.address, time_limit=SOON), reactor)
        found = await looks.command("XRANGE", "m436:queue:uptime:results", "-", "+")
        await looks.close()
        return [Result(fields[1].decode(), fields[3].decode(), b"") for _, fields in found]
