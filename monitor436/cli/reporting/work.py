"""`monitor436 report work`: take targets from a queue and ask them."""

from typing import Any

import click

from monitor436.cli.redis_options import queue_of, with_redis
from monitor436.cli.reporting.asking import how, make_probe, tell
from monitor436.cli.reporting.options import with_asking
from monitor436.cli.worker import LOST as NOBODY
from monitor436.cli.worker import fits, with_worker, work_until_told
from monitor436.model.fleet.errand import LOST, as_json, read_errand
from monitor436.model.fleet.report import Failure
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Target
from monitor436.queues.queue import Job

QUEUE = "status"


@click.command("work")
@with_worker
@with_asking
@with_redis(QUEUE)
def report_work(name: str, concurrency: int, lease: float, **words: Any) -> None:
    """Take targets of reports from the queue and ask them, CONCURRENCY at a time, as the worker ID.

    It runs until TERM or Ctrl-C; what it has in hand then goes back into the queue. Targets of a worker that died are
    given to others when their lease is over. Give each worker an ID of its own.

    \b
    monitor436 report work w1 500 --redis redis1:6379 -t 2
    """
    from twisted.internet import reactor

    queue = queue_of(words, reactor, lease)
    asking = how(at_once=concurrency, **words)
    fits(lease, asking.timeout)
    probe = make_probe(reactor, asking)
    poller = Poller(reactor, probe, 1, asking.retries)

    async def work(job: Job, slot: str) -> bytes:
        try:
            asked, question = read_errand(job.body)
        except ValueError as wrong:
            return as_json(Failure(job.name, "", "protocol", str(wrong), 0.0))
        return as_json(tell((await poller.poll([Target(*asked)]))[0], question))

    def lost(job: Job, slot: str) -> bytes:
        return as_json(Failure(job.name, "", LOST, NOBODY, 0.0))

    work_until_told(queue, probe, name, concurrency, lease, work, lost, "target", reactor)
