"""A queue in Redis or Valkey Streams, for senders, workers and a taker of results on any number of machines."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from monitor436.queues import scripts
from monitor436.queues.queue import LEASE, LONGEST, Batch, Depth, Job, Queue, QueueAway, Result
from monitor436.redis_link import RedisAway, RedisLink, RedisRefused

AT_ONCE = 500  # jobs or results in one script, so that it does not hold up Redis for long
KEPT = 7 * 86400  # seconds without any change after which a batch and the rest of a queue are forgotten
LONGEST_WAIT = 5.0  # seconds that a command blocks in Redis

Outcome = TypeVar("Outcome")
Fields = tuple[str, str, bytes]


class RedisQueue(Queue):
    """The queue `name` on a link. A job whose lease of so many seconds is over goes to whoever reclaims it first."""

    def __init__(self, link: RedisLink, name: str, lease: float = LEASE) -> None:
        self._link = link
        self._name = _bounded(name)
        self._lease = lease
        self._jobs, self._out = self._key("jobs"), self._key("results")
        self._for_jobs = self._for_results = link  # replaced by links that may block, once they are needed
        self._scan = b"0-0"  # where the next look for leases that are over begins
        self._read: bytes | None = b"0"  # results after this one were handed out before; None: all of those are seen

    async def put(self, batch: str, jobs: Sequence[tuple[str, bytes]], most: int | None = None) -> int:
        keys = self._keys(batch)
        seen: int = 0
        for some in _pieces(jobs):
            words = [word for job in some for word in job]
            room = -1 if most is None else most
            with_room = await self._script("put", scripts.PUT, keys, [KEPT, room, batch, *words])
            seen += with_room
            if with_room < len(some):
                break
        return seen

    async def seal(self, batch: str) -> None:
        await self._script("seal", scripts.SEAL, [self._keys(batch)[2]], [KEPT])

    async def claim(self, worker: str, most: int, wait: float) -> list[Job]:
        if self._for_jobs is self._link:
            self._for_jobs = self._link.blocking()
        found = await self._group_read(self._for_jobs, "workers", _bounded(worker), most, wait, self._jobs, b">")
        return [Job(*each, ticket.decode()) for ticket, each in await self._ours(self._jobs, "workers", found)]

    async def reclaim(self, worker: str, most: int) -> list[Job]:
        idle = round(self._lease * 1000)
        words = ("XAUTOCLAIM", self._jobs, "workers", _bounded(worker), idle, self._scan, "COUNT", most)
        self._scan, found, *_ = await self._grouped(self._jobs, "workers", lambda: self._link.command(*words))
        ours = await self._ours(self._jobs, "workers", found)
        told = await self._pipeline([("XPENDING", self._jobs, "workers", ticket, ticket, 1) for ticket, _ in ours])
        tries = [pending[0][3] if pending else 1 for pending in told]
        return [Job(*each, ticket.decode(), times) for (ticket, each), times in zip(ours, tries, strict=True)]

    async def acknowledge(self, done: Sequence[tuple[Job, bytes]]) -> None:
        for batch, theirs in _by_batch(done, lambda each: each[0].batch):
            for some in _pieces(theirs):
                words = [word for job, body in some for word in (job.ticket, job.name, body)]
                await self._script("acknowledge", scripts.ACKNOWLEDGE, self._keys(batch), [KEPT, batch, *words])

    async def give_back(self, worker: str) -> int:
        if self._for_jobs is not self._link:  # where a claim may still wait: it would be handed what is given back
            waits, self._for_jobs = self._for_jobs, self._link
            await waits.close()
        given = 0
        # until nothing is left: Redis may hear of the end of that connection later than of what is given back
        while some := await self._script("give_back", scripts.GIVE_BACK, [self._jobs], [_bounded(worker), AT_ONCE]):
            given += some
        return given

    async def results(self, most: int, wait: float) -> list[Result]:
        if self._for_results is self._link:
            self._for_results = self._link.blocking()
        after = self._read
        self._read = b"0"  # should this fail, those that were on their way come again
        found = await self._group_read(
            self._for_results, "sinks", "sink", most, wait, self._out, b">" if after is None else after
        )
        self._read = None if after is None or not found else found[-1][0]
        if after is not None and not found:
            return await self.results(most, wait)
        return [Result(*each, ticket.decode()) for ticket, each in await self._ours(self._out, "sinks", found)]

    async def complete(self, results: Sequence[Result]) -> None:
        after, self._read = self._read, b"0"  # should this fail, they come again
        for batch, theirs in _by_batch(results, lambda each: each.batch):
            for some in _pieces(theirs):
                tickets = [each.ticket for each in some]
                await self._script("complete", scripts.COMPLETE, [self._out, self._keys(batch)[2]], [KEPT, *tickets])
        self._read = after

    async def depth(self) -> Depth:
        return Depth(*await self._pipeline([("XLEN", self._jobs), ("XLEN", self._out)]))

    async def batch(self, batch: str) -> Batch:
        words = ("HMGET", self._keys(batch)[2], "total", "put", "acknowledged", "completed")
        total, *counts = (await self._pipeline([words]))[0]
        return Batch(None if total is None else _count(total), *(_count(count or b"") for count in counts))

    async def close(self) -> None:
        await self._link.close()

    def _key(self, *parts: str) -> str:
        return ":".join(("m436", "queue", self._name, *parts))

    def _keys(self, batch: str) -> list[str]:
        batch = _bounded(batch)
        return [self._jobs, self._out, self._key("batch", batch), self._key("names", batch)]

    async def _script(self, name: str, lua: str, keys: Sequence[Any], words: Sequence[Any]) -> Any:
        return await _told(self._link.script(name, lua, keys, words))

    async def _pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        answers = await _told(self._link.pipeline(commands))
        for answer in answers:
            if isinstance(answer, RedisRefused):
                raise QueueAway(str(answer))
        return answers

    async def _group_read(
        self, link: RedisLink, group: str, who: str, most: int, wait: float, stream: str, after: bytes
    ) -> list[Any]:
        wait = min(wait, LONGEST_WAIT)
        block = ("BLOCK", max(1, round(wait * 1000))) if after == b">" and wait > 0 else ()
        words = ("XREADGROUP", "GROUP", group, who, "COUNT", most, *block, "STREAMS", stream, after)
        answer = await self._grouped(stream, group, lambda: link.command(*words, within=link.time_limit + wait))
        return answer[0][1] if answer else []

    async def _ours(self, stream: str, group: str, found: Iterable[Any]) -> list[tuple[bytes, Fields]]:
        """What has the form of ours. Redis is open to others too: anything else goes, or it would come for ever."""
        read = [(ticket, _fields(fields)) for ticket, fields in found if fields]
        others = [ticket for ticket, fields in read if fields is None]
        if others:
            await self._pipeline([("XACK", stream, group, *others), ("XDEL", stream, *others)])
        return [(ticket, fields) for ticket, fields in read if fields is not None]

    async def _grouped(self, stream: str, group: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """What a call for a consumer group gives; the group is made if there is none."""
        try:
            return await call()
        except RedisRefused as refused:
            if refused.code != "NOGROUP":
                raise QueueAway(str(refused)) from None
        except RedisAway as away:
            raise QueueAway(str(away)) from None
        made = (await _told(self._link.pipeline([("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")])))[0]
        if isinstance(made, RedisRefused) and made.code != "BUSYGROUP":
            raise QueueAway(str(made))
        return await _told(call())


async def _told(call: Awaitable[Outcome]) -> Outcome:
    try:
        return await call
    except RedisAway as away:
        raise QueueAway(str(away)) from None


def _bounded(name: str) -> str:
    if not name or len(name) > LONGEST or not name.isprintable():
        raise ValueError(f"expected a name of at most {LONGEST} characters, got {name[:LONGEST]!r}")
    return name


def _fields(fields: list[bytes]) -> Fields | None:
    """Batch, name and body; None for what is no job and no result."""
    try:
        batch, name, body = fields[1::2]
        return _bounded(batch.decode()), name.decode(), body
    except ValueError:
        return None


def _count(written: bytes) -> int:
    return int(written) if written.isdigit() and len(written) < 19 else 0


def _pieces(items: Sequence[Outcome]) -> Iterator[Sequence[Outcome]]:
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))


def _by_batch(items: Iterable[Outcome], batch: Callable[[Outcome], str]) -> Iterable[tuple[str, list[Outcome]]]:
    found: dict[str, list[Outcome]] = {}
    for each in items:
        found.setdefault(batch(each), []).append(each)
    return found.items()
