"""A route: one thing that can be asked over HTTP, with everything that the door must know to let it through."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Struct

Scope = Literal["read", "metrics", "admin", ""]  # "": needs no token
SCOPES: tuple[Scope, ...] = ("read", "metrics", "admin")

JSON = "application/json"
MAX_BODY = 1 << 20  # bytes, where a route says nothing else

NONE: Mapping[str, Any] = MappingProxyType({})


class Refusal(Exception):
    """What cannot be answered, as a problem of RFC 9457: `status`, a short `title`, and `detail` in a sentence.

    `headers` go with it, and `more` are further members of the problem, such as where in the body the mistake is.
    """

    def __init__(
        self, status: int, title: str, detail: str = "", headers: Mapping[str, str] = NONE, **more: object
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers
        self.more = more


class Identity(NamedTuple):
    """Who asks: the token's or certificate's `name` (empty: nobody in particular) and what it may.

    `via` is "token", "certificate", "issued" (a short-lived token that a certificate was given) or "" (nothing
    shown). `host`: it may speak for this host only; empty where it may speak for any. `hosts` are those that a
    certificate names.
    """

    name: str = ""
    scopes: frozenset[str] = frozenset()
    via: str = ""
    host: str = ""
    hosts: tuple[str, ...] = ()

    def only_for(self, host: str) -> None:
        """Raises Refusal 403 if this identity belongs to another host than `host`."""
        if self.host and self.host != host:
            raise Refusal(403, "Forbidden", f"this token is of host {self.host} and posts for no other")


NOBODY = Identity()


class Query(NamedTuple):
    """A parameter after the question mark: its type (str, int, float, bool or a Literal of str) and bounds.

    `least` and `most` bound a number's value and a str's length. A parameter that is not given is `default`.
    """

    type: Any = str
    why: str = ""
    default: Any = ""
    least: float | None = None
    most: float | None = None


class Call(NamedTuple):
    """A request that was let through: everything checked, decoded and of the type that its route asks for."""

    method: str  # as it was sent; HEAD meets the answer of GET
    path: str  # decoded, without the sub-path
    values: Mapping[str, str] = NONE  # of the path's {names}, percent-decoded once, never empty, no control characters
    query: Mapping[str, Any] = NONE  # every parameter of the route, by its type
    body: Any = None  # of the route's `body` type; None where there is none
    identity: Identity = NOBODY
    headers: Mapping[str, str] = NONE  # by their names in lower case
    address: str = ""  # of the client; behind a trusted proxy what the proxy says
    root: str = ""  # how the client reaches this server: https://monitor.example/sub/path, no slash at its end


class Answer(Struct, frozen=True):
    """What goes back, where it is more than a value that becomes JSON with status 200."""

    body: bytes = b""
    content_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = NONE


class Outlet(Protocol):
    """Where the bytes of a Stream go: a consumer in Twisted's sense, such as a request whose headers are written."""

    def write(self, data: bytes) -> object:
        """Send these bytes after those before."""

    def registerProducer(self, producer: Any, streaming: bool) -> object:
        """Have `producer` told when the client does not read (pauseProducing), and when it does again."""

    def unregisterProducer(self) -> object:
        """No more of that."""

    def finish(self) -> object:
        """The end of the answer."""


class Stream(Protocol):
    """An answer that goes on: the door writes status 200 and these headers, calls `begin`, and `end` when it is over.

    `end` is called once: when the client has left, when the door stops, or after the stream itself called `finish`.
    A HEAD gets the headers alone, and neither is called.
    """

    content_type: str
    headers: Mapping[str, str]

    def begin(self, outlet: Outlet) -> None:
        """Write to `outlet` from now on."""

    def end(self) -> None:
        """Nothing may be written any more."""


Given = Answer | Stream | Struct | Mapping[str, Any] | Sequence[Any] | None


class Route(NamedTuple):
    """One method of one path, such as "GET", "/api/perf/{host}"; {name} stands for one piece between slashes.

    `answer` is an async function of a Call. It gives an Answer, or whatever msgspec can write as JSON, or raises
    Refusal; it is cancelled when the client leaves. `body` is the msgspec type of the JSON that it takes, `bytes` for
    a body as it comes, None for no body; `most` bounds its bytes. `gives`, `query`, `summary`, `content_type` (of the
    answer) and `refuses` (what it refuses by itself, as status and sentence) are shown in the OpenAPI document.
    """

    method: str
    path: str
    scope: Scope
    answer: Callable[[Call], Awaitable[Any]]
    summary: str
    body: Any = None
    most: int = MAX_BODY
    gives: Any = None
    query: Mapping[str, Query] = NONE
    refuses: Mapping[int, str] = MappingProxyType({})
    content_type: str = JSON
