"""What is said on one connection with Redis or Valkey: commands go out in RESP2, answers come back in their order.

It stands on txredisapi, which imports the global reactor and takes 140 ms: imported late, and where Redis is used only.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from txredisapi import RedisProtocol, ResponseError  # type: ignore[import-untyped]

Word = str | bytes | int


def encoded(commands: Sequence[Sequence[Word]]) -> bytes:
    """Commands as they go over the wire, https://redis.io/docs/latest/develop/reference/protocol-spec/."""
    parts: list[bytes] = []
    for words in commands:
        parts.append(b"*%d\r\n" % len(words))
        for word in words:
            if not isinstance(word, bytes):
                word = str(word).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)


class Asked:
    """Commands that were given together: `done` gives their answers, a ResponseError for each that was refused.

    `call` is what happens when time is up; it is off once they are settled: answered, or lost with their connection.
    """

    __slots__ = ("_freed", "answers", "call", "count", "done", "payload", "size")

    def __init__(self, commands: Sequence[Sequence[Word]], freed: Callable[["Asked"], None]) -> None:
        self.payload = encoded(commands)
        self.size = len(self.payload)
        self.count = len(commands)
        self.answers: list[Any] = []
        self.done: Deferred[list[Any]] = Deferred()
        self.call: IDelayedCall | None = None
        self._freed = freed

    def settle(self, problem: Exception | None = None) -> None:
        """It is over, with its answers or a problem. Whoever asked may have gone before."""
        if self.call is not None and self.call.active():
            self.call.cancel()
        self._freed(self)
        if problem is not None:
            self.fail(problem)
        elif not self.done.called:
            self.done.callback(self.answers)

    def fail(self, problem: Exception) -> None:
        """Whoever asked need not wait any longer; the answers may still come, to nobody."""
        if not self.done.called:
            self.done.errback(Failure(problem))


class Wire(RedisProtocol):  # type: ignore[misc]
    """One connection. `lost` is called once, with the reason, when it is gone."""

    def __init__(self, lost: Callable[["Wire", Failure], None]) -> None:
        super().__init__(charset=None, convertNumbers=False)
        self._lost = lost
        self.waiting: deque[Asked] = deque()

    def send(self, asked: Asked) -> None:
        """Behind all that was sent before."""
        self.waiting.append(asked)
        self.transport.write(asked.payload)
        asked.payload = b""

    def replyReceived(self, reply: Any) -> None:
        """One answer, for the first command that has none."""
        if not self.waiting:
            self.transport.abortConnection()  # nobody asked: it is no Redis
            return
        asked = self.waiting[0]
        asked.answers.append(reply.encode() if isinstance(reply, str) else reply)
        if len(asked.answers) == asked.count:
            self.waiting.popleft().settle()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: `lost` says so to all who wait."""
        self.connected = 0
        self._lost(self, reason)


def refusal(answer: Any) -> str:
    """The server's own words if this answer is a refusal, such as "WRONGTYPE Operation against ...", or ""."""
    if not isinstance(answer, ResponseError):
        return ""
    words = str(answer)
    return words if words.split(" ", 1)[0].isupper() else f"ERR {words}"
