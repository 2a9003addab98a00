"""`monitor436 uptime send`: put a fleet into a queue."""

import secrets
import sys
import time
from typing import Any

import click

from monitor436.cli.over_ssh.sweeping import listed_hosts
from monitor436.cli.redis_options import complain, named, queue_of, with_redis
from monitor436.cli.reporting.asking import progress
from monitor436.cli.until_told import until_told
from monitor436.model.sweep.inventory import PORT
from monitor436.model.words import count
from monitor436.queues.queue import Queue, QueueAway
from monitor436.queues.sending import send


@click.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.argument("watermark", type=click.IntRange(1, 1_000_000))
@click.option("--batch", default="", metavar="NAME", callback=named, help="Call it so; by default after the time.")
@click.option("--resume", default="", metavar="NAME", callback=named, help="Go on with this batch.")
@with_redis("uptime")
def uptime_send(file: str, watermark: int, batch: str, resume: str, **words: Any) -> None:
    """Put every host that FILE lists into the queue, for workers on any machine.

    No more than WATERMARK of them are in it at a time, those whose result the sink has not taken yet included. The
    last line names the batch. Exit status 0 if all were put, 1 if that was interrupted, 2 for a wrong command line.

    \b
    monitor436 uptime send fleet.txt 500 --redis redis1:6379
    monitor436 uptime send fleet.txt 500 --resume 20260101T120000Z-1f2e
    """
    if batch and resume:
        raise click.UsageError("--batch begins a batch and --resume goes on with one: choose one")
    from twisted.internet import reactor

    queue = queue_of(words, reactor)
    listed = listed_hosts(file, PORT)
    jobs = [(target.name, b"") for target in listed.targets]
    name = resume or batch or f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"
    refused: list[str] = []

    with progress(len(jobs)) as bar:
        put = 0

        def heard(seen: int) -> None:
            nonlocal put
            for _ in range(seen - put):
                bar(False)
            put = seen

        async def work() -> None:
            if wrong := await refusal(queue, batch, resume):
                refused.append(wrong)
                return
            await send(queue, name, jobs, watermark, heard, complain, reactor)

        whole = until_told(work, queue.close, reactor)
    if refused:
        raise click.UsageError(refused[0])
    if not whole:
        how = "--resume" if put else "--batch"
        click.echo(f"batch {name}: {put:,} of {count(len(jobs), 'host')} sent; go on by {how} {name}", err=True)
        sys.exit(1)
    click.echo(f"batch {name}: {count(len(jobs), 'host')} sent")


async def refusal(queue: Queue, batch: str, resume: str) -> str:
    """Why a batch cannot be begun that is there already, or resumed that is not there; "" if nothing is in the way.

    Nor is there anything while the queue is away: that is told of when it is to take jobs.
    """
    try:
        known = (await queue.batch(batch or resume)).put > 0 if batch or resume else False
    except QueueAway:
        return ""
    if batch and known:
        return f"--batch: {batch} is there already; go on with it by --resume {batch}"
    if resume and not known:
        return f"--resume: there is no batch {resume}; begin one of that name by --batch {resume}"
    return ""
