"""`monitor436 uptime work`: take hosts from a queue and ask them."""

import sys
import time
from typing import Any

import click
from msgspec import json, structs

from monitor436.agent.plan import seconds, spelt
from monitor436.cli.over_ssh.options import make_probe, take, with_ssh_options
from monitor436.cli.over_ssh.redis_options import complain, named, queue_of, with_redis
from monitor436.cli.until_told import until_told
from monitor436.model.sweep.inventory import read_host
from monitor436.model.sweep.remote import Result
from monitor436.model.sweep.rows import LOST, Row
from monitor436.model.words import count
from monitor436.probes.descriptors import room
from monitor436.probes.poller import Poller
from monitor436.probes.probe import Target
from monitor436.probes.ssh.sweep import judged
from monitor436.queues.queue import LEASE, Job
from monitor436.queues.working import MOST_TRIES, Worker

MARGIN = 2.0  # seconds of a lease beyond the time of a host, for the way there and back


def _lease(context: click.Context, param: click.Parameter, value: str) -> float:
    try:
        return seconds(value)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


@click.command("work")
@click.argument("name", metavar="ID", callback=named)
@click.argument("concurrency", type=click.IntRange(1, 10_000))
@click.option("--lease", default=spelt(LEASE), show_default=True, callback=_lease, metavar="DURATION",
              help="How long a worker has for a host before another gets it; the same for all workers.")  # fmt: skip
@with_ssh_options
@with_redis
def uptime_work(name: str, concurrency: int, lease: float, **words: Any) -> None:
    """Take hosts from the queue and ask them, CONCURRENCY at a time, as the worker ID.

    It runs until TERM or Ctrl-C; what it has in hand then goes back into the queue. Hosts of a worker that died are
    given to others when their lease is over. Give each worker an ID of its own.

    \b
    monitor436 uptime work w1 100 --redis redis1:6379 --user admin
    """
    from twisted.internet import reactor

    options = take(words)
    if lease < options.timeout + MARGIN:
        raise click.UsageError(f"--lease must be at least {MARGIN:g} s longer than --timeout")
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
        error = f"was handed out {MOST_TRIES} times, and no worker brought it home"
        return _row(job, slot, Result(job.name, round(time.time(), 3), 0.0, reason=LOST, error=error))

    at_once = min(concurrency, max(1, room() // 2))
    worker = Worker(queue, name, at_once, work, lost, complain, reactor, lease)
    given: list[int] = []

    async def end() -> None:
        given.append(await worker.end())
        await probe.close()
        await queue.close()

    if sys.stderr.isatty():
        click.echo(f"{name}: waits for hosts, and asks {at_once} at a time; Ctrl-C ends it", err=True)
    until_told(worker.run, end, reactor)
    click.echo(f"{name}: {count(worker.done, 'host')} done, {given[0] if given else 0} given back", err=True)


def _row(job: Job, slot: str, result: Result) -> bytes:
    return json.encode(Row(**structs.asdict(result), batch=job.batch, worker=slot))
