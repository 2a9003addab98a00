"""A POST to a receiver: one deadline for all of it, a bounded answer, nobody followed elsewhere."""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from msgspec import MsgspecError, Struct, json
from treq.client import HTTPClient
from treq.content import collect
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.ssl import SSL  # type: ignore[attr-defined]
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from monitor436 import __version__
from monitor436.cli.lines import plain
from monitor436.probes.web.tls import TlsOptions, creators

LIMIT = 64 << 10  # bytes of an answer
SHOWN = 200  # characters of what a receiver says
WITHIN = 10  # seconds from the look-up of the name to the last byte
KEPT = 4  # seconds that an idle connection is used again: fewer than receivers keep one


class Unreached(Exception):
    """There was no answer; the text says why."""


class Reply(NamedTuple):
    """What a receiver answers; `wait` is for how many seconds it asks not to be asked again."""

    status: int
    body: bytes = b""
    wait: float = 0.0

    @property
    def well(self) -> bool:
        """Whether it did what it was asked for."""
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """What it says, in one printable line: the status, and the sentence of a problem (RFC 9457) if it has one."""
        try:
            said = _problem.decode(self.body)
        except MsgspecError:
            return f"HTTP status {self.status}"
        text = plain(": ".join(part for part in (said.title, said.detail) if part))[:SHOWN]
        return f"HTTP status {self.status}: {text}" if text else f"HTTP status {self.status}"


Post = Callable[[str, Mapping[str, str], bytes], Awaitable[Reply]]  # URL, header fields, body; raises Unreached


class Problem(Struct):
    """The part of a problem document that people read."""

    title: str = ""
    detail: str = ""


@implementer(IPolicyForHTTPS)
class Trust:
    """Whom to believe over TLS, as `options` say. Raises OSError and ValueError for files that cannot be used."""

    def __init__(self, options: TlsOptions) -> None:
        self._creators = creators(options)

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        """What makes the connections to a host."""
        return self._creators(hostname.decode("ascii"))


class Poster:
    """Sends by treq, over connections that are kept. Close it at the end."""

    def __init__(self, trust: Trust, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = 1
        self._pool.cachedConnectionTimeout = KEPT
        self._client = HTTPClient(Agent(reactor, trust, connectTimeout=WITHIN, pool=self._pool))

    async def post(self, url: str, fields: Mapping[str, str], body: bytes) -> Reply:
        """The answer, whatever it is. Raises Unreached if there is none in time."""
        headers = Headers({"User-Agent": [f"monitor436/{__version__}"], "Content-Type": ["application/json"]})
        for name, value in fields.items():
            headers.setRawHeaders(name, [value])
        whole = Deferred.fromCoroutine(self._exchange(url, headers, body))
        whole.addTimeout(WITHIN, self._reactor)
        try:
            return await whole
        except Unreached:
            raise
        except CancelledError:
            raise Unreached("stopped") from None
        except Exception as problem:
            raise Unreached(_why(problem)) from None

    async def close(self) -> None:
        """Let go of every connection."""
        await self._pool.closeCachedConnections()

    async def _exchange(self, url: str, headers: Headers, body: bytes) -> Reply:
        response = await self._client.post(url, headers=headers, data=body, allow_redirects=False)
        parts: list[bytes] = []

        def take(part: bytes) -> None:
            parts.append(part)
            if sum(map(len, parts)) > LIMIT:
                raise Unreached(f"answers with more than {LIMIT >> 10} KiB")

        await collect(response, take)
        asked = response.headers.getRawHeaders("retry-after", [""])[0]
        return Reply(response.code, b"".join(parts), float(asked) if asked.isdecimal() and len(asked) < 6 else 0.0)


def _why(problem: BaseException) -> str:
    """The inner reason of what treq raises, in words."""
    while reasons := getattr(problem, "reasons", None):
        problem = reasons[-1].value
    if isinstance(problem, SSL.Error):
        said = problem.args[0] if problem.args else []
        return "TLS: " + (", ".join(sorted({str(each[-1]) for each in said})) or "the connection was ended")
    if isinstance(problem, TimeoutError | ConnectTimeout | CancelledError):  # what was cut off by the deadline
        return f"no answer within {WITHIN} s"
    if isinstance(problem, ConnectionClosed):
        return "the connection was closed before there was an answer"
    code = getattr(problem, "osError", None)
    said = os.strerror(code) if isinstance(code, int) else str(problem)
    return plain(said).rstrip(".")[:SHOWN] or type(problem).__name__


_problem = json.Decoder(Problem)
