"""The way to Redis or Valkey: a connection that heals by itself, on which every call ends within its time.

Nothing is repeated: a call that failed may have been carried out there, so what is written must bear being written
twice.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from monitor436.model.settings.redis import Redis
from monitor436.redis_endpoint import endpoint, greeting, why

if TYPE_CHECKING:
    from monitor436.redis_wire import Asked, Wire, Word

MOST_CALLS = 10_000  # that wait for an answer
MOST_BYTES = 64 << 20  # of commands that wait for one
AGAIN = 0.05, 5.0  # seconds from a lost connection to the first try, and the longest between two
NOT_READY = ("LOADING", "MASTERDOWN", "NOAUTH", "BUSY")  # it answers, and cannot be used


class RedisAway(Exception):
    """No answer came; a sentence says why. Whether the commands were carried out is not known."""


class RedisRefused(RedisAway):
    """It answered that it will not. `code` is its first word, such as "OOM" or "NOGROUP"."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class RedisLink:
    """Commands to the server that the settings name. It connects at the first call, and again whenever it must.

    `away` is "" while the connection stands or was never needed, else a sentence. While a try to connect has failed,
    calls fail at once with that sentence; the tries go on until `close()`. `time_limit`: seconds a call has as a rule.
    """

    def __init__(self, redis: Redis, reactor: Any) -> None:
        self.away = ""
        self.time_limit = redis.time_limit
        self._redis = redis
        self._reactor = reactor
        self._wire: Wire | None = None
        self._tries: Deferred[None] | None = None
        self._trying = False
        self._failures = 0  # tries since it was connected last
        self._unsent: list[Asked] = []
        self._calls = self._bytes = 0
        self._others: list[RedisLink] = []
        self._closed = False

    async def command(self, *words: "Word", within: float | None = None) -> Any:
        """The answer to one command: bytes, int, None or a list of them, within so many seconds or the usual time.

        Raises RedisAway.
        """
        answer = (await self.pipeline([words], within))[0]
        if isinstance(answer, RedisRefused):
            raise answer
        return answer

    async def pipeline(self, commands: "Sequence[Sequence[Word]]", within: float | None = None) -> list[Any]:
        """The answers to commands that go out together; a RedisRefused stands where one was refused.

        Raises RedisAway if there are no answers.
        """
        if not commands:
            return []
        from monitor436.redis_wire import Asked, refusal

        limit = self.time_limit if within is None else within
        asked = Asked(commands, self._free)
        self._admit(asked)
        asked.call = self._reactor.callLater(limit, self._expire, asked, limit)
        self._send(asked)
        answers = await asked.done
        return [self._refused(words) if (words := refusal(answer)) else answer for answer in answers]

    async def script(
        self, name: str, lua: str, keys: "Sequence[Word]", args: "Sequence[Word]", within: float | None = None
    ) -> Any:
        """What a Lua script gives; it is sent whole only if it is not known there. Raises RedisAway, which names it."""
        digest = hashlib.sha1(lua.encode(), usedforsecurity=False).hexdigest()
        try:
            try:
                return await self.command("EVALSHA", digest, len(keys), *keys, *args, within=within)
            except RedisRefused as refused:
                if refused.code != "NOSCRIPT":
                    raise
            return await self.command("EVAL", lua, len(keys), *keys, *args, within=within)
        except RedisRefused as refused:
            raise RedisRefused(f"{refused} (script {name})", refused.code) from None

    def blocking(self) -> "RedisLink":
        """A link of its own for commands that wait there, such as XREADGROUP with BLOCK; closed with this one.

        Give those calls more time than they may block.
        """
        other = RedisLink(self._redis, self._reactor)
        self._others.append(other)
        return other

    async def close(self) -> None:
        """Let go; who waits gets RedisAway. Later calls fail."""
        self._closed = True
        for other in self._others:
            await other.close()
        self._fail_unsent(RedisAway(self._says("is not asked any more")))
        if self._tries is not None:
            self._tries.cancel()
        if self._wire is not None:
            self._wire.transport.abortConnection()
            while self._wire is not None:
                await deferLater(self._reactor, 0)

    def _admit(self, asked: "Asked") -> None:
        if self._closed:
            raise RedisAway(self._says("is not asked any more"))
        if self._failures:
            raise RedisAway(self.away)
        if self._calls >= MOST_CALLS or (self._calls and self._bytes + asked.size > MOST_BYTES):
            raise RedisAway(self._says(f"has {self._calls} calls to answer already"))
        self._calls += 1
        self._bytes += asked.size

    def _send(self, asked: "Asked") -> None:
        if self._wire is not None:
            self._wire.send(asked)
            return
        self._unsent.append(asked)
        self._dial(0.0)

    def _free(self, asked: "Asked") -> None:
        self._calls -= 1
        self._bytes -= asked.size

    def _expire(self, asked: "Asked", limit: float) -> None:
        """Whoever asked hears of it; a connection on which nothing came for the usual time is given up."""
        problem = RedisAway(self._says(f"did not answer within {limit:g} s"))
        if asked in self._unsent:
            self._unsent.remove(asked)
            asked.settle(problem)
            return
        rest = self.time_limit - limit
        if rest > 0:
            asked.call = self._reactor.callLater(rest, self._give_up, asked)
        asked.fail(problem)
        if rest <= 0:
            self._give_up(asked)

    def _give_up(self, asked: "Asked") -> None:
        wire = self._wire
        if wire is not None and asked in wire.waiting:
            self._over(wire, f"did not answer within {self.time_limit:g} s")
            wire.transport.abortConnection()

    def _fail_unsent(self, problem: RedisAway) -> None:
        unsent, self._unsent = self._unsent, []
        for asked in unsent:
            asked.settle(problem)

    def _dial(self, after: float) -> None:
        if not self._trying and not self._closed:
            self._trying = True
            self._tries = ensureDeferred(self._try(after))
            self._tries.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def _try(self, after: float) -> None:
        """Until the connection stands."""
        delay = AGAIN[0]
        try:
            while not self._closed:
                if after:
                    await deferLater(self._reactor, after)
                try:
                    wire = await self._open()
                except RedisAway as away:
                    self._failures += 1
                    self.away = str(away)
                    self._fail_unsent(away)
                    after = delay
                    delay = min(2 * delay, AGAIN[1])
                else:
                    self._stands(wire)
                    return
        finally:
            self._trying = False

    def _stands(self, wire: "Wire") -> None:
        self._failures, self.away, self._wire = 0, "", wire
        unsent, self._unsent = self._unsent, []
        for asked in unsent:
            wire.send(asked)

    async def _open(self) -> "Wire":
        """A connection that takes commands. Raises RedisAway."""
        limit = self.time_limit
        opening = ensureDeferred(self._greet())
        timed_out: list[bool] = []

        def expire() -> None:
            timed_out.append(True)
            opening.cancel()

        call = self._reactor.callLater(limit, expire)
        try:
            return await opening
        except (CancelledError, RedisAway):  # an endpoint has its own words for having been cancelled
            if timed_out:
                raise RedisAway(self._says(f"did not answer within {limit:g} s")) from None
            raise
        finally:
            if call.active():
                call.cancel()

    async def _greet(self) -> "Wire":
        from monitor436.redis_wire import Asked, Wire, refusal

        try:
            where, words = endpoint(self._redis, self._reactor), greeting(self._redis)
        except (OSError, ValueError) as wrong:
            raise RedisAway(self._says(f"is not asked: {wrong}")) from None
        try:
            wire: Wire = await where.connect(Factory.forProtocol(lambda: Wire(self._gone)))
        except CancelledError:
            raise
        except Exception as problem:
            raise RedisAway(self._says(why(problem))) from None
        asked = Asked(words, lambda asked: None)
        try:
            wire.send(asked)
            *entry, ping = [refusal(answer) for answer in await asked.done]
            for refused in [*entry, ping if ping.startswith(NOT_READY) else ""]:
                if refused:
                    raise self._refused(refused)
        except BaseException:
            wire.transport.abortConnection()
            raise
        return wire

    def _gone(self, wire: "Wire", reason: Failure) -> None:
        self._over(wire, why(reason.value))

    def _over(self, wire: "Wire", what: str) -> None:
        problem = RedisAway(self._says(what))
        if wire is self._wire:
            self._wire = None
            self.away = str(problem)
            self._dial(AGAIN[0])
        while wire.waiting:
            wire.waiting.popleft().settle(problem)

    def _refused(self, words: str) -> RedisRefused:
        return RedisRefused(self._says(f"refuses: {words}"), words.split(" ", 1)[0])

    def _says(self, what: str) -> str:
        return f"Redis at {self._redis.address} {what}"
