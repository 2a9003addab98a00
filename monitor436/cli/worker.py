"""What the workers of every command have in common: they take jobs from a queue until somebody ends them."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click

from monitor436.agent.plan import seconds, spelt
from monitor436.cli.option_sets import adding
from monitor436.cli.redis_options import complain, named
from monitor436.cli.until_told import until_told
from monitor436.model.words import count
from monitor436.probes.descriptors import room
from monitor436.probes.probe import Probe
from monitor436.queues.queue import LEASE, Job, Queue
from monitor436.queues.working import MOST_TRIES, Worker

MARGIN = 2.0  # seconds of a lease beyond the time of a job, for the way there and back
LOST = f"was handed out {MOST_TRIES} times, and no worker brought it home"


def _lease(context: click.Context, param: click.Parameter, value: str) -> float:
    try:
        return seconds(value)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


OPTIONS: list[Callable[[Any], Any]] = [
    click.argument("name", metavar="ID", callback=named),
    click.argument("concurrency", type=click.IntRange(1, 10_000)),
    click.option("--lease", default=spelt(LEASE), show_default=True, callback=_lease, metavar="DURATION",
                 help="How long a worker has for a job before another gets it; the same for all workers."),
]  # fmt: skip


with_worker = adding(OPTIONS)  # the words of a worker: `name`, `concurrency` and `lease`


def fits(lease: float, timeout: float) -> None:
    """A job is over before its lease. Raises click.UsageError."""
    if lease < timeout + MARGIN:
        raise click.UsageError(f"--lease must be at least {MARGIN:g} s longer than --timeout")


def work_until_told(
    queue: Queue,
    probe: Probe,
    name: str,
    concurrency: int,
    lease: float,
    work: Callable[[Job, str], Awaitable[bytes]],
    lost: Callable[[Job, str], bytes],
    what: str,
    reactor: Any,
) -> None:
    """Do jobs until TERM or Ctrl-C, and tell how many; `what` one is called. See Worker for the others."""
    at_once = min(concurrency, max(1, room() // 2))
    worker = Worker(queue, name, at_once, work, lost, complain, reactor, lease)
    given: list[int] = []

    async def begin() -> None:
        hint = "; Ctrl-C ends it" if sys.stderr.isatty() else ""
        click.echo(f"{name}: waits for {what}s, and asks {at_once} at a time{hint}", err=True)
        await worker.run()

    async def end() -> None:
        given.append(await worker.end())
        await probe.close()
        await queue.close()

    until_told(begin, end, reactor)
    click.echo(f"{name}: {count(worker.done, what)} done, {given[0] if given else 0} given back", err=True)
