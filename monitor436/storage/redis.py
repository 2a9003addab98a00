"""Summaries in Redis or Valkey, shared by several servers.

Each process writes its own part of every window, whole, under a name that is drawn at its start; whoever reads adds
the parts up. So nobody's numbers are changed by another, a write whose outcome is not known is simply made again, and
sums are as exact as one process would have them. Keys, T the hour or the day since 1970:

    m436:minutes:T:HOST   hash: "START PROCESS LABEL" -> [count, sum, min, max, last, last_at]   2.5 hours
    m436:hours:T:HOST     the same, for a day's windows of hours                                  50 hours
    m436:latest:T:HOST    hash: "PROCESS LABEL" -> [value, at]                                    2.5 hours
    m436:hosts            sorted set: hosts by when they were written last                        50 hours
    m436:life:SERVER      when that server wrote last, for whoever starts in its place            30 days
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from msgspec import MsgspecError, json

from monitor436.model.metrics.line import HOUR, MINUTE, Part, Window
from monitor436.model.metrics.rollup import Latest
from monitor436.redis_link import RedisAway
from monitor436.storage.life import Life, here
from monitor436.storage.store import Opened, Store, StoreAway

DAY = 86400
PREFIX = "m436:"
KINDS = {MINUTE: ("minutes", HOUR, 9000), HOUR: ("hours", DAY, 180_000)}  # by width: name, span of a key, its life
HOSTS = PREFIX + "hosts"
HOSTS_LIVE = 180_000  # seconds
LIFE_LIVES = 30 * DAY
AT_ONCE = 200  # hosts in a question
LARGEST = 1e300  # of a number: what is larger cannot be added up


class Link(Protocol):
    """What is asked of the connection: RedisLink is one."""

    async def pipeline(self, commands: Sequence[Sequence[Any]], within: float | None = None) -> list[Any]:
        """The answers; a RedisAway stands where a command was refused. Raises RedisAway."""

    async def close(self) -> None:
        """Let go."""


class RedisStore(Store):
    """Over `link`, for the server of that name; `process` tells this start of it from all others."""

    shared = True

    def __init__(self, link: Link, server: str, process: str, boot: str) -> None:
        self._link = link
        self._process = process
        self._boot = boot
        self._there = False  # something of this process
        self._silent: float | None = None  # as the first `open` found it: the next would find what that one wrote
        self._life = f"{PREFIX}life:{server}"

    async def open(self, wall: float) -> Opened:
        (kept,) = await self._ask([("GET", self._life)])
        if self._silent is None:
            self._silent = 0.0
            with contextlib.suppress(MsgspecError):
                self._silent = json.decode(kept, type=Life).silent(here(wall, self._boot)) if kept else 0.0
        self._there = False
        await self.write((), wall)
        return Opened(self._silent)

    async def more(self) -> Sequence[Part]:
        return ()  # what this server wrote before is another's now

    async def write(self, parts: Sequence[Part], wall: float) -> None:
        hashes: dict[tuple[str, int], list[Any]] = {}
        latest: dict[tuple[str, str], tuple[float, float]] = {}
        for host, label, width, window in parts:
            kind, span, lives = KINDS[width]
            field = f"{window.start} {self._process} {label}"
            key = f"{PREFIX}{kind}:{window.start // span}:{host}"
            hashes.setdefault((key, lives), []).extend((field, json.encode(window[1:])))
            newest = (window.last_at, window.last)
            latest[host, label] = max(newest, latest.get((host, label), newest))
        hour = int(wall) // HOUR
        for (host, label), (at, value) in latest.items():
            key = f"{PREFIX}latest:{hour}:{host}"
            fields = hashes.setdefault((key, KINDS[MINUTE][2]), [])
            fields.extend((f"{self._process} {label}", json.encode((value, at))))
        commands: list[Sequence[Any]] = []
        for (key, lives), words in hashes.items():
            commands += [("HSET", key, *words), ("EXPIRE", key, lives)]
        if latest:
            scores = [word for host in {host for host, _ in latest} for word in (str(int(wall)), host)]
            commands += [("ZADD", HOSTS, *scores), ("EXPIRE", HOSTS, HOSTS_LIVE)]
        commands.append(("GET", self._life))
        commands.append(("SET", self._life, json.encode(here(wall, self._boot)), "EX", LIFE_LIVES))
        *_, life, _ = await self._ask(commands)
        if life is None and self._there:
            raise StoreAway("Redis has lost what it had: everything is written again", anew=True)
        self._there = True

    async def read(self, host: str, wall: float) -> list[Part]:
        keys = [(width, f"{PREFIX}{kind}:{number}:{host}") for width, kind, number in _spans(wall)]
        answers = await self._ask([("HGETALL", key) for _, key in keys])
        return [
            Part(host, label, width, window)
            for (width, _), answer in zip(keys, answers, strict=True)
            for label, window in self._windows(answer, width, wall)
        ]

    async def hosts(self, wall: float) -> list[str]:
        (names,) = await self._ask([("ZRANGEBYSCORE", HOSTS, int(wall) - DAY, "+inf")])
        return [name.decode("utf-8", "replace") for name in names]

    async def latest(self, wall: float) -> list[Latest]:
        hour = int(wall) // HOUR
        names = await self.hosts(wall)
        found = []
        for first in range(0, len(names), AT_ONCE):
            asked = [(name, number) for name in names[first : first + AT_ONCE] for number in (hour - 1, hour)]
            answers = await self._ask([("HGETALL", f"{PREFIX}latest:{number}:{name}") for name, number in asked])
            for (name, _), answer in zip(asked, answers, strict=True):
                for field, value in _pairs(answer):
                    process, _, label = field.partition(" ")
                    if process == self._process or not _is_name(label):
                        continue
                    if read := _numbers(value, tuple[float, float]):
                        found.append(Latest(name, label, *read))
        return found

    async def expire(self, wall: float) -> None:
        await self._ask([("ZREMRANGEBYSCORE", HOSTS, "-inf", f"({int(wall) - DAY}")])

    async def close(self, wall: float) -> None:
        life = json.encode(here(wall, self._boot, clean=True))
        with contextlib.suppress(StoreAway):
            await self._ask([("SET", self._life, life, "EX", LIFE_LIVES)])
        await self._link.close()

    async def _ask(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        try:
            answers = await self._link.pipeline(commands)
        except RedisAway as away:
            raise StoreAway(str(away)) from None
        for answer in answers:
            if isinstance(answer, RedisAway):
                raise StoreAway(str(answer))
        return answers

    def _windows(self, answer: Sequence[bytes], width: int, wall: float) -> Iterator[tuple[str, Window]]:
        """Those of others; what is not of the form is left out, since Redis is open to others too."""
        first = (int(wall) // width - KINDS[width][1] // width + 1) * width
        last = int(wall) + MINUTE
        for field, value in _pairs(answer):
            start, _, rest = field.partition(" ")
            process, _, label = rest.partition(" ")
            at = int(start) if start.isdecimal() and start.isascii() and len(start) < 12 else 0
            if process == self._process or not _is_name(label) or not first <= at <= last:
                continue
            numbers = _numbers(value, tuple[int, float, float, float, float, float])
            if numbers and numbers[0] > 0 and all(-LARGEST < each < LARGEST for each in numbers):
                yield label, Window(at, *numbers)


def _spans(wall: float) -> Iterator[tuple[int, str, int]]:
    """The keys with windows that are shown at `wall`; a sample may be a little ahead of it."""
    for width, (kind, span, _) in KINDS.items():
        for number in range(int(wall) // span - 1, (int(wall) + MINUTE) // span + 1):
            yield width, kind, number


def _is_name(label: str) -> bool:
    return bool(label) and label.isprintable()


def _pairs(answer: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    for place in range(0, len(answer), 2):
        yield answer[place].decode("utf-8", "replace"), answer[place + 1]


def _numbers(value: bytes, kind: Any) -> Any:
    try:
        return json.decode(value, type=kind)
    except MsgspecError:
        return None
