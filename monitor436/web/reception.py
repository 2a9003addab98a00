"""Where requests are received: the head says whether one may pass; then the body is read by its type, and answered."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct, json
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from monitor436.web.admission import Admission
from monitor436.web.arguments import arguments
from monitor436.web.arguments import body as body_of
from monitor436.web.measures import Measures
from monitor436.web.problem import problem
from monitor436.web.proxies import Proxies, Via
from monitor436.web.route import JSON, Answer, Call, Refusal, Route, Stream
from monitor436.web.table import Table, split
from monitor436.web.tls import Shown

ONCE = frozenset({"host", "authorization", "content-type", "content-length", "origin", "cookie"})


class Head(NamedTuple):
    """The head of a request as it came, and what is known of its connection."""

    method: str
    target: bytes
    fields: Iterable[tuple[str, str]]  # header fields, names in any case
    peer: str
    secure: bool
    certificate: Shown | None
    here: str  # address and port of this server


class Received(NamedTuple):
    """What became of a head: a call of a route, or why it is refused; then its route is known too, if it met one."""

    route: Route | None
    call: Call
    refusal: Refusal | None = None


class Reception:
    """Every request passes here. `base` is the sub-path, `forwarded` reads the header `certificate_field` of proxies.

    `clock` is monotonic and measures, `wall` names times.
    """

    log = Logger()

    def __init__(
        self,
        table: Table,
        admission: Admission,
        proxies: Proxies,
        clock: Callable[[], float],
        wall: Callable[[], float],
        base: str = "",
        certificate_field: str = "",
        forwarded: Callable[[str], Shown | None] = lambda header: None,
        measures: Measures | None = None,
    ) -> None:
        self.table = table
        self.measures = Measures() if measures is None else measures
        self.clock = clock
        self.wall = wall
        self.held = 0  # bytes of bodies that are held now
        self._admission = admission
        self._proxies = proxies
        self._base = base
        self._certificate_field = certificate_field.lower()
        self._forwarded = forwarded

    def trusts(self, address: str) -> bool:
        """Whether this is the address of a trusted proxy."""
        return self._proxies.trusts(address)

    def receive(self, head: Head) -> Received:
        """What becomes of a request, as far as its head tells."""
        route, call = None, Call(head.method, "")
        try:
            headers = one_each(head.fields, self._certificate_field)
            if "host" not in headers:
                raise Refusal(400, "Bad Request", "a request names its host")
            via = self._proxies.via(head.peer, headers, head.secure, head.here)
            call = call._replace(headers=headers, address=via.address, root=via.root)
            pieces, query = split(head.target, self._base)
            route, values = self.table.find(head.method, pieces)
            identity = self._admission.identity(route, headers, via, self._shown(head, headers, via))
            path = "/" + "/".join(pieces).lstrip("/")
            call = call._replace(path=path, values=values, identity=identity)
            return Received(route, call._replace(query=arguments(route.query, query)))
        except Refusal as refusal:
            return Received(route, call, refusal)
        except Exception:
            return Received(route, call, self.failed(head.method))

    async def answer(self, route: Route, call: Call, content: bytes) -> Answer | Stream:
        """The answer to a request that may pass: whatever goes wrong is told in one."""
        try:
            body = body_of(route.body, content, call.headers.get("content-type", ""))
            return _answer(await route.answer(call._replace(body=body)))
        except Refusal as refusal:
            return problem(refusal)
        except CancelledError:
            raise
        except Exception:
            return problem(self.failed(f"{route.method} {route.path}"))

    def failed(self, what: str) -> Refusal:
        """A mistake of ours, told in the log under an id, and by that id alone to the client."""
        known_by = os.urandom(6).hex()
        self.log.failure("{id}: {what} failed", id=known_by, what=what)
        sentence = f"a mistake of this server; its log tells more under {known_by}"
        return Refusal(500, "Internal Server Error", sentence, id=known_by)

    def _shown(self, head: Head, headers: Mapping[str, str], via: Via) -> Shown | None:
        if head.certificate is None and via.proxied and self._certificate_field:
            return self._forwarded(headers.get(self._certificate_field, ""))
        return None if via.proxied else head.certificate


def one_each(fields: Iterable[tuple[str, str]], once: str = "") -> dict[str, str]:
    """Header fields by their names in lower case, those of one name joined. Raises Refusal where only one may be.

    `once` is another such: of two certificates one could be from whoever asked the proxy.
    """
    found: dict[str, str] = {}
    for name, value in fields:
        name = name.lower()
        if name not in found:
            found[name] = value
        elif name in ONCE or name == once:
            raise Refusal(400, "Bad Request", f"more than one {name}")
        else:
            found[name] = f"{found[name]}, {value}"
    return found


def _answer(given: Any) -> Answer | Stream:
    if isinstance(given, Answer) or (hasattr(given, "begin") and not isinstance(given, Struct)):
        return given
    return Answer(json.encode(given), JSON)
