"""Signing in to the dashboard: a link that is good once, or a token, is exchanged for a cookie."""

from collections.abc import Callable
from typing import Annotated, Protocol

from msgspec import Meta, Struct, json

from monitor436 import __version__
from monitor436.links import LinkError, Links
from monitor436.model.keys.tokens import Tokens
from monitor436.web.admission import OURS
from monitor436.web.route import JSON, Answer, Call, Identity, Refusal, Route
from monitor436.web.sessions import Browsers, written

MOST = 1 << 10  # bytes of a body

Opened = tuple[str, frozenset[str], Callable[[], bool]]  # who, what he may, whether that is still so
Shown = Annotated[str, Meta(max_length=200)]


class SignIn(Struct, forbid_unknown_fields=True):
    """What somebody shows: one of the two."""

    link: Shown = ""
    token: Shown = ""


class Signed(Struct):
    """Who is signed in, and what he may; nothing and nobody: sign in."""

    name: str
    scopes: list[str]
    via: str
    server: str
    version: str = __version__


class Door(Protocol):
    """Who looks at tokens, and counts wrong ones."""

    def by_token(self, header: str, address: str, /) -> Identity | None:
        """Whom an Authorization header names. Raises Refusal."""

    def wrong(self, address: str, why: str, /) -> Refusal:
        """What somebody gets who showed something wrong."""


class SignInPages:
    """The pages `/api/session`. `tokens()` are those that are good now; `door()` is there once the door is made."""

    def __init__(
        self,
        server: str,
        sessions: Browsers,
        links: Links,
        tokens: Callable[[], Tokens],
        door: Callable[[], Door],
        wall: Callable[[], float],
    ) -> None:
        self._server = server
        self._sessions = sessions
        self._links = links
        self._tokens = tokens
        self._door = door
        self._wall = wall

    def routes(self) -> list[Route]:
        """They are open: who is not signed in has to ask for it."""
        path = "/api/session"
        refuses = {
            401: "The link or the token is not good.",
            403: "Of another site, or of a host.",
            429: "Too many wrong ones from this address.",
        }
        return [
            Route("GET", path, "", self.get, "Who is signed in, or may ask without it.", gives=Signed),
            Route(
                "POST", path, "", self.post, "Sign in: the answer sets a cookie.", SignIn, MOST, Signed, refuses=refuses
            ),
            Route("DELETE", path, "", self.delete, "Sign out."),
        ]

    async def get(self, call: Call) -> Signed:
        """Who asks."""
        return self._told(call.identity)

    async def post(self, call: Call) -> Answer:
        """Exchange what is shown. Our page sends a header with it that others cannot, who might sign somebody in."""
        shown: SignIn = call.body
        if "origin" in call.headers and call.headers.get(OURS) != "1":
            raise Refusal(403, "Forbidden", "a page of another site may not sign anybody in")
        if bool(shown.link) == bool(shown.token):
            raise Refusal(422, "Unprocessable Content", "expected a link or a token")
        name, scopes, good = (self._by_link if shown.link else self._by_token)(shown, call.address)
        self._sessions.end(call.headers.get("cookie", ""))
        value = self._sessions.begin(name, scopes, good)
        told = self._told(Identity(name, scopes, "cookie"))
        return Answer(json.encode(told), JSON, headers={"Set-Cookie": written(value, call.root)})

    async def delete(self, call: Call) -> Answer:
        """The cookie is good for nothing any more."""
        self._sessions.end(call.headers.get("cookie", ""))
        return Answer(status=204, headers={"Set-Cookie": written("", call.root)})

    def _by_link(self, shown: SignIn, address: str) -> Opened:
        try:
            link = self._links.use(shown.link, self._wall())
        except LinkError as wrong:
            raise self._door().wrong(address, str(wrong)) from None
        return link.name, frozenset(link.scopes), lambda: True

    def _by_token(self, shown: SignIn, address: str) -> Opened:
        """The session ends when the token does."""
        identity = self._door().by_token(f"Bearer {shown.token}", address)
        token = self._tokens().find(shown.token)
        if identity is None or token is None or identity.host:
            raise Refusal(403, "Forbidden", "the token of a host does not sign in")
        return (
            identity.name,
            identity.scopes,
            lambda: self._tokens().named(token.name) == token and token.good(self._wall()),
        )

    def _told(self, identity: Identity) -> Signed:
        scopes = {"read", "metrics", "admin"} if "admin" in identity.scopes else identity.scopes
        return Signed(identity.name, sorted(scopes), identity.via, self._server)
