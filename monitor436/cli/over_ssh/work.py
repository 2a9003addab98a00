"""`monitor436 uptime work`: take hosts from a queue and ask them."""

import time
from typing import Any

import click
from msgspec import json, structs

from monitor436.cli.over_ssh.options import make_probe, take, with_ssh_options
from monitor436.cli.redis_options import queue_of, with_redis
from monitor436.cli.worker import LOST as NOBODY
from monitor436.cli.worker import fits, with_worker, work_until_told
from monitor436.model.sweep.inventory import read_host
from monitor436.model.sweep.remote import Result
from monitor436.model.sweep.rows import LOST, Row
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Target
from monitor436.probes.ssh.sweep import judged
from monitor436.queues.queue import Job


@click.command("work")
@with_worker
@with_ssh_options
@with_redis("uptime")
def uptime_work(name: str, concurrency: int, lease: float, **words: Any) -> None:
    """Take hosts from the queue and ask them, CONCURRENCY at a time, as the worker ID.

    It runs until TERM or Ctrl-C; what it has in hand then goes back into the queue. Hosts of a worker that died are
    given to others when their lease is over. Give each worker an ID of its own.

    \b
    monitor436 uptime work w1 100 --redis redis1:6379 --user admin
    """
    from twisted.internet import reactor

    options = take(words)
    fits(lease, options.timeout)
    queue = queue_of(words, reactor, lease)
    probe = make_probe(options, reactor)
    poller = Poller(reactor, probe, 1)

    async def work(job: Job, slot: str) -> bytes:
        at = round(time.time(), 3)
        try:
            target = Target(*read_host(job.name, options.port))
        except ValueError as wrong:
            return _row(job, slot, Result(job.name, at, 0.0, reason="protocol", error=f"no host: {wrong}"))
        return _row(job, slot, judged((await poller.poll([target]))[0], at))

    def lost(job: Job, slot: str) -> bytes:
        return _row(job, slot, Result(job.name, round(time.time(), 3), 0.0, reason=LOST, error=NOBODY))

    work_until_told(queue, probe, name, concurrency, lease, work, lost, "host", reactor)


def _row(job: Job, slot: str, result: Result) -> bytes:
    return json.encode(Row(**structs.asdict(result), batch=job.batch, worker=slot))
