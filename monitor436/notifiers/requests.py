"""One HTTP request: nothing is followed, nothing is kept open, and there is one deadline around it all."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    _HTTP11ClientFactory,
)
from twisted.web.http_headers import Headers

from monitor436.notifiers.notifier import NotSent
from monitor436.notifiers.trust import trust, why

MOST = 65536  # bytes of an answer that are read
SHOWN = 200  # characters of it in a sentence
LATER = (408, 425, 429)  # statuses that are no refusal


class _Quiet(_HTTP11ClientFactory):
    """Not worth a line of the log for each."""

    noisy = False


class _Body(Protocol):
    """The beginning of a body."""

    def __init__(self, done: "Deferred[bytes]") -> None:
        self._done = done
        self._read = b""

    def dataReceived(self, data: bytes) -> None:
        """Enough is enough."""
        self._read += data
        if len(self._read) > MOST:
            self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """However it ended."""
        if not self._done.called:
            self._done.callback(self._read)


class Requests:
    """Requests to one address. `ca`: PEM certificates that are trusted instead of the system's."""

    def __init__(self, url: str, ca: str, within: float, reactor: Any) -> None:
        self._url = url
        self._place = _place(url)
        self._ca = ca
        self._within = within
        self._reactor = reactor

    async def send(self, method: str, body: bytes, headers: Mapping[str, str], path: str = "") -> bytes:
        """The beginning of the answer, if its status is 2xx. Raises NotSent."""
        running = Deferred.fromCoroutine(self._exchange(method, body, headers, path))
        call = self._reactor.callLater(self._within, running.cancel)
        try:
            return await running
        except CancelledError:
            raise NotSent(f"no answer within {self._within:g} s").at(self._place) from None
        except NotSent as problem:
            raise problem.at(self._place) from None
        finally:
            if call.active():
                call.cancel()

    async def _exchange(self, method: str, body: bytes, headers: Mapping[str, str], path: str) -> bytes:
        client = HTTPClient(self._agent())
        fields = Headers({name: [value] for name, value in headers.items()})
        try:
            answer = await client.request(
                method,
                self._url.rstrip("/") + path if path else self._url,
                data=body or None,
                headers=fields,
                allow_redirects=False,
                unbuffered=True,
                reactor=self._reactor,
            )
            reading: Deferred[bytes] = Deferred(_abort(answer))
            answer.deliverBody(_Body(reading))
            told = await reading
        except (NotSent, CancelledError):
            raise
        except Exception as problem:  # treq, Twisted and OpenSSL have many
            reason = _first(problem)
            if isinstance(reason, CancelledError):
                raise reason from None
            raise NotSent(why(reason, _host(self._url), self._ca)) from None
        if 200 <= answer.code < 300:
            return told
        said = told[:SHOWN].decode("utf-8", "replace")
        refused = 400 <= answer.code < 500 and answer.code not in LATER
        raise NotSent(f"status {answer.code}: {said}".rstrip(": "), for_good=refused)

    def _agent(self) -> Agent:
        pool = HTTPConnectionPool(self._reactor, persistent=False)
        pool._factory = _Quiet
        if not self._ca:
            return Agent(self._reactor, connectTimeout=self._within, pool=pool)
        return Agent(self._reactor, BrowserLikePolicyForHTTPS(trust(self._ca)), self._within, pool=pool)


def _abort(answer: Any) -> Callable[[object], None]:
    def abort(_: object) -> None:
        transport = getattr(answer.original, "_transport", None)
        if transport is not None:
            transport.abortConnection()

    return abort


def _first(problem: BaseException) -> BaseException:
    """What happened: Twisted's client wraps it, and says in `reasons` what it wraps."""
    reasons = [_first(reason.value) for reason in getattr(problem, "reasons", ())]
    return next((each for each in reasons if isinstance(each, CancelledError)), reasons[0] if reasons else problem)


def _place(url: str) -> str:
    """The host and port in an address, to be told: its path and user may be secrets."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "an address without a host"
    except ValueError:
        return "an address that cannot be read"


def _host(url: str) -> str:
    """The host in an address, to be told."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:  # it cannot be asked either
        return url
