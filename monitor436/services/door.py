"""The TLS door of hosts: join, fetch a plan, download the agent. HTTPS, known by the pin of its certificate."""

import re
from collections.abc import Callable

from msgspec import MsgspecError, json
from twisted.application.service import Service
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorSSL
from twisted.logger import Logger
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import Request

from monitor436.agent import wire
from monitor436.bounded_http import BoundedSite
from monitor436.model import event as kinds
from monitor436.model.event import Event
from monitor436.model.server.crowd import Crowd
from monitor436.ordered import StartError
from monitor436.services.keeper import JoinRequest, Keeper
from monitor436.site import Site

ASK = re.compile("[0-9a-f]{0,32}")
BACKLOG = 1024  # connections that wait to be taken: hosts come when they are told, many at once
CONNECTIONS = 400  # at once: with those of HTTP they fit the 1,024 descriptors that a process has as it comes ...
EACH = 100  # ... of one address: a branch behind one router


class Page(Resource):
    """One path of the door: `methods` says what is answered, everything in plain sentences."""

    isLeaf = True

    def __init__(self, method: bytes, answer: Callable[[Request], bytes]) -> None:
        super().__init__()
        self._method = method
        self._answer = answer

    def render(self, request: Request) -> bytes:
        if request.method != self._method or request.postpath not in ([], [b""]):
            return refuse(request, 404, "no such page")
        return self._answer(request)


def refuse(request: Request, status: int, sentence: str) -> bytes:
    """A plain answer that says why not."""
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return sentence.encode() + b"\n"


class DoorService(Service):
    """Listens on TLS at `place`, (address, port).

    `plan(host)` gives the plan of a host, `agent()` the agent file, `state` takes events. `crowd` counts connections.
    """

    log = Logger()

    def __init__(
        self,
        keeper: Keeper,
        site: Site,
        joinable: bool,
        plan: Callable[[str], bytes],
        agent: Callable[[], bytes],
        state: Callable[[list[Event]], None],
        place: tuple[str, int],
        reactor: IReactorSSL,
    ) -> None:
        self.setName("door")
        self._keeper = keeper
        self._site = site
        self._joinable = joinable
        self._plan = plan
        self._agent = agent
        self._state = state
        self._address, self.port = place
        self._reactor = reactor
        self.crowd = Crowd(CONNECTIONS, EACH)
        self._listening: object = None

    def startService(self) -> None:
        """Raises StartError where the port cannot be had."""
        super().startService()
        web = BoundedSite(self.root(), self.crowd, "door of hosts", self._reactor)
        try:
            self._listening = self._reactor.listenSSL(
                self.port, web, self._site.certificate.options(), backlog=BACKLOG, interface=self._address
            )
        except CannotListenError as problem:
            why = getattr(problem.socketError, "strerror", "") or problem.socketError
            raise StartError(f"plans: {self._address}:{self.port}/tcp: {why}") from None
        self.port = self._listening.getHost().port  # type: ignore[attr-defined]

    def stopService(self) -> object:
        super().stopService()
        return self._listening.stopListening() if self._listening else None  # type: ignore[attr-defined]

    def root(self) -> Resource:
        """The pages of the door."""
        root = Resource()
        root.putChild(b"join", Page(b"POST", self._join))
        root.putChild(b"plan", Page(b"GET", self._serve_plan))
        root.putChild(b"key", Page(b"GET", self._serve_key))
        root.putChild(b"agent436.pyz", Page(b"GET", self._serve_agent))
        return root

    def _join(self, request: Request) -> bytes:
        if not self._joinable:
            return refuse(request, 403, "this site takes in no new hosts (plans.join is closed)")
        if not self._keeper.newcomer(authorization(request)):
            return refuse(request, 401, "the join token is wrong or has expired: pack a new agent file")
        try:
            asked = json.decode(request.content.read() if request.content else b"", type=JoinRequest)
        except MsgspecError:
            return refuse(request, 400, 'expected {"name": "…"}')
        if not wire.HOST_NAME.match(asked.name) or not ASK.fullmatch(asked.ask):
            return refuse(request, 400, "not a host's name: a-z, 0-9, dot, dash and underscore, at most 63")
        address = request.getClientAddress().host
        waited = self._keeper.waits(asked.name)
        bound = self._keeper.join(asked, address)
        if bound is None:
            return refuse(request, 409, f"{asked.name} is the name of another host already; choose one with --name")
        if bound.state == "waiting":
            if not waited:
                text = f"{asked.name} asks to join from {address}: monitor436 host approve {asked.name}"
                self._tell(kinds.HOST_WAITING, asked.name, text, address)
            return refuse(request, 202, f"waits for approval: monitor436 host approve {asked.name}, on the server")
        self._tell(kinds.HOST_JOINED, asked.name, f"{asked.name} joined from {address}", address)
        return json.encode(self._keeper.given(bound))

    def _tell(self, kind: str, host: str, text: str, address: str) -> None:
        severity: kinds.Severity = "warning" if kind == kinds.HOST_WAITING else "info"
        self._state([Event(kind=kind, host=host, severity=severity, text=text, fields={"address": address})])

    def _serve_plan(self, request: Request) -> bytes:
        host = self._keeper.host(authorization(request), "/plan")
        if host is None:
            return refuse(request, 401, "no proof of a host's key")
        request.setHeader(b"content-type", b"application/json")
        return self._plan(host)

    def _serve_key(self, request: Request) -> bytes:
        proven = self._keeper.proven(authorization(request), "/key")
        if proven is None:
            return refuse(request, 401, "no proof of a host's key")
        return json.encode(self._keeper.given(proven))

    def _serve_agent(self, request: Request) -> bytes:
        shown = authorization(request)
        if not self._keeper.newcomer(shown) and self._keeper.host(shown, "/agent436.pyz") is None:
            return refuse(request, 401, "needs a join token: curl -H 'Authorization: Bearer TOKEN'")
        request.setHeader(b"content-type", b"application/zip")
        return self._agent()


def authorization(request: HTTPRequest) -> str:
    """The Authorization header, empty if there is none that can be read."""
    return (request.getHeader(b"authorization") or b"").decode("ascii", "replace")
