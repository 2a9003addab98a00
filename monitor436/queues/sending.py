"""Puts a batch into a queue, no faster than it is taken out."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import deferLater

from monitor436.queues.queue import Queue, QueueAway

AT_ONCE = 500  # jobs
LOOK = 0.05  # seconds between looks whether there is room
AGAIN = 0.5  # seconds until a queue that is away is asked again


async def send(
    queue: Queue,
    batch: str,
    jobs: Sequence[tuple[str, bytes]],
    watermark: int,
    heard: Callable[[int], object],
    complain: Callable[[str], object],
    clock: Any,
) -> None:
    """All of the jobs, (name, body), then the seal; never more than `watermark` jobs and results are in the queue.

    `heard` is told how many are seen to; `complain` why the queue is away, once for each reason. It goes on for as
    long as it takes, and may be cancelled: what was put stays.
    """
    seen = 0
    told = ""
    while True:
        try:
            while seen < len(jobs):
                taken = await queue.put(batch, jobs[seen : seen + AT_ONCE], watermark)
                seen += taken
                heard(seen)
                if not taken:
                    await deferLater(clock, LOOK)
                told = ""
            await queue.seal(batch)
            return
        except QueueAway as away:
            if str(away) != told:
                complain(str(away))
            told = str(away)
            await deferLater(clock, AGAIN)
