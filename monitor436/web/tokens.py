"""`POST /api/token`: who shows a trusted client certificate gets a token of a few minutes, to post for its own host."""

from collections.abc import Callable

from msgspec import Struct, json

from monitor436.model.keys.issued import Issued, issue
from monitor436.web.route import Answer, Call, Refusal, Route

MOST = 1024  # bytes of a body


class TokenWish(Struct, frozen=True, forbid_unknown_fields=True):
    """For which host, if the certificate names several; "" is the first of them."""

    host: str = ""


class TokenGiven(Struct, frozen=True):
    """A token: send it as Authorization: Bearer. `expires` is in seconds since the epoch, `expires_in` from now on."""

    token: str
    host: str
    scope: str
    expires: int
    expires_in: int


class TokenPage:
    """Gives tokens under `key()`, the site's, that are good for `life` seconds; `wall` says the time."""

    def __init__(self, key: Callable[[], bytes], life: Callable[[], float], wall: Callable[[], float]) -> None:
        self._key = key
        self._life = life
        self._wall = wall

    def routes(self) -> list[Route]:
        """Its one route."""
        return [
            Route(
                "POST",
                "/api/token",
                "",
                self.answer,
                "A short-lived token for the host that a client certificate names",
                body=TokenWish,
                most=MOST,
                gives=TokenGiven,
                refuses={401: "no trusted client certificate", 403: "the certificate names no such host"},
            )
        ]

    async def answer(self, call: Call) -> Answer:
        """The token."""
        identity = call.identity
        if identity.via != "certificate":
            raise Refusal(401, "Unauthorized", "show a client certificate that http.client_ca signed")
        host = call.body.host or (identity.hosts[0] if identity.hosts else "")
        if not host or host not in identity.hosts:
            named = ", ".join(identity.hosts) or "no host"
            raise Refusal(403, "Forbidden", f"the certificate of {identity.name} names {named}")
        life = int(self._life())
        issued = Issued(identity.name, host, ("metrics",), int(self._wall()) + life)
        given = TokenGiven(issue(self._key(), issued), host, "metrics", issued.expires, life)
        return Answer(json.encode(given), status=201)
